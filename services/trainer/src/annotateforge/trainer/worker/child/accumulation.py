"""Smaller batches that make the steps of larger ones. Pure."""

from collections.abc import Mapping
from typing import Any

NOMINAL_BATCH = 64
"""Images of a step for which the decay of weights is meant: ultralytics' default of `nbs`."""
WEIGHT_DECAY = 0.0005
"""ultralytics' default."""


def accumulating(given: Mapping[str, Any], full_batch: int) -> dict[str, Any]:
    """Ultralytics' arguments `given`, whose batch memory forced to be smaller than `full_batch`, with `nbs`
    and `weight_decay` so that the optimizer makes the steps that it would make with full batches.

    ultralytics lets `round(nbs / batch)` batches add up to one step, at least one, and weighs the decay by
    the images of a step divided by nbs; see BaseTrainer._build_train_pipeline, 8.4.
    """
    nominal = given.get("nbs", NOMINAL_BATCH)
    images = full_batch * max(round(nominal / full_batch), 1)
    decay = given.get("weight_decay", WEIGHT_DECAY)
    return {**given, "nbs": images, "weight_decay": decay * images / nominal}
