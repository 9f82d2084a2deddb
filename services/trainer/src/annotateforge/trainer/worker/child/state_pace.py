"""After which epochs the state of a training is kept on the worker's disk."""

import time
from collections.abc import Callable

SHARE = 0.03
"""Share of the training's time that keeping states may take where epochs are short."""


class StatePace:
    """An epoch is worth a state when enough time has gone into the training since the last one: `longest`
    seconds, or so much that keeping another one is `SHARE` of it at most. So an epoch of at least `longest`
    seconds is always kept, and short ones do not pay for a state each.
    """

    def __init__(self, longest: float, now: Callable[[], float] = time.monotonic) -> None:
        """longest: most seconds of training without a state, apart from the epoch at hand; with 0 every epoch
        is kept.
        """
        self._longest = longest
        self._now = now
        self._kept_at: float | None = None
        self._before = 0.0
        self._cost = 0.0

    def is_due(self) -> bool:
        """Whether the state after the epoch that just ended is kept. The first one of a process always is: a
        training whose processes keep dying gets on all the same.
        """
        if self._kept_at is None:
            return True
        # While the last one is still being written, it is taken to cost what the one before did.
        cost = max(self._before, self._cost)
        return self._now() - self._kept_at >= min(self._longest, cost / SHARE)

    def kept(self) -> None:
        """A state was kept."""
        self._kept_at = self._now()
        self._before, self._cost = self._cost, 0.0

    def costs(self, seconds: float) -> None:
        """So much processor time went into the last one; what adds up."""
        self._cost += seconds
