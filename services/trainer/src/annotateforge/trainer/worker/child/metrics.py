"""ultralytics' names for what it measures, turned into ours. Pure."""

import math
from collections.abc import Mapping
from typing import SupportsFloat

from annotateforge.runtime.metric_names import METRIC_NAMES

_VAL = "val/"

Values = Mapping[str, SupportsFloat]


def task_metrics(task: str, measured: Values) -> dict[str, float]:
    """The metrics of a task out of all that ultralytics measured, 0 to 1; may hold values that are no
    numbers.
    """
    return {
        ours: float(measured[theirs]) for theirs, ours in METRIC_NAMES[task].items() if theirs in measured
    }


def val_losses(measured: Values) -> dict[str, float]:
    """The parts of the validation loss by name, such as box_loss."""
    return {
        name.removeprefix(_VAL): float(value) for name, value in measured.items() if name.startswith(_VAL)
    }


def finite(values: Values) -> dict[str, float]:
    """Those values that are numbers: neither NaN nor infinite."""
    return {name: float(value) for name, value in values.items() if math.isfinite(float(value))}


def total(losses: Values) -> float | None:
    """The sum of a loss's parts; None when a part is not a number, or there is none."""
    parts = [float(value) for value in losses.values()]
    return math.fsum(parts) if parts and all(map(math.isfinite, parts)) else None
