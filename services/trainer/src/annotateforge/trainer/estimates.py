"""How far a training is and how long it will still take."""

import math

_WEIGHT_OF_NEWEST = 0.3


def progress_percent(current_epoch: int, total_epochs: int) -> float:
    """Share of the epochs that are complete, 0 to 100."""
    return 100.0 * current_epoch / total_epochs


def smoothed(seconds_per_epoch: float | None, newest: float) -> float:
    """Seconds of an epoch, smoothed exponentially: the first one, which warms up, is soon forgotten."""
    if seconds_per_epoch is None:
        return newest
    return seconds_per_epoch + _WEIGHT_OF_NEWEST * (newest - seconds_per_epoch)


def eta_seconds(seconds_per_epoch: float, epochs_left: int, seconds_left: float | None = None) -> float:
    """Seconds until training ends: after the last epoch, or with the one in which its time is over, where it
    has only so many seconds left.
    """
    if seconds_left is not None and seconds_per_epoch > 0:
        epochs_left = min(epochs_left, math.ceil(max(0.0, seconds_left) / seconds_per_epoch))
    return max(0.0, seconds_per_epoch * epochs_left)


def counted_down(eta: float, elapsed: float) -> float:
    """What is left of an estimate that was made `elapsed` seconds ago."""
    return max(0.0, eta - max(0.0, elapsed))
