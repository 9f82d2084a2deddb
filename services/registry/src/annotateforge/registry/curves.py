"""The course of a training, from the results.csv that ultralytics wrote. Pure."""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from annotateforge.api.registry.v1.model_pb2 import CurvePoint
from annotateforge.registry.models import TaskType
from annotateforge.runtime.metric_names import METRIC_NAMES

MOST_POINTS = 1000
"""Points of a curve beyond which no eye tells more."""
_LAST_EPOCH = 2**31 - 1
LARGEST_TABLE = 16 * 1024 * 1024
"""Bytes of a results.csv that is read: 50,000 epochs and more."""


def curve_of(table: bytes, task_type: TaskType) -> list[CurvePoint]:
    """The epochs of a results.csv in their order. Lines that are none are left out; of an epoch that is there
    twice the later line counts.
    """
    points: dict[int, CurvePoint] = {}
    for row in _rows(table.decode("utf-8", "replace").splitlines()):
        # Ultralytics pads the names of columns in some versions.
        values = {(name or "").strip(): _number(text) for name, text in row.items() if isinstance(text, str)}
        epoch = values.get("epoch")
        if epoch is not None and 1 <= epoch <= _LAST_EPOCH and epoch.is_integer():
            points[int(epoch)] = _point(int(epoch), values, METRIC_NAMES[task_type])
    return [points[epoch] for epoch in sorted(points)]


def _rows(lines: Iterable[str]) -> Iterator[Mapping[str | None, str | list[str] | None]]:
    rows = csv.DictReader(lines, skipinitialspace=True)
    while True:
        try:
            yield next(rows)
        except StopIteration:
            return
        except csv.Error:
            # The line is passed over, such as one with a field without an end.
            continue


def thinned(points: Sequence[CurvePoint], best_epoch: int) -> list[CurvePoint]:
    """At most about MOST_POINTS of them, evenly chosen, the best epoch and the last one among them."""
    step = -(-len(points) // MOST_POINTS) or 1
    last = len(points) - 1
    return [
        point
        for place, point in enumerate(points)
        if place % step == 0 or place == last or point.epoch == best_epoch
    ]


def _point(epoch: int, values: Mapping[str, float | None], names: Mapping[str, str]) -> CurvePoint:
    point = CurvePoint(
        epoch=epoch,
        train_loss=_total(value for name, value in values.items() if name.startswith("train/")),
        val_loss=_total(value for name, value in values.items() if name.startswith("val/")),
    )
    for theirs, ours in names.items():
        if (value := values.get(theirs)) is not None:
            point.metrics[ours] = value
    return point


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _total(parts: Iterable[float | None]) -> float | None:
    """The sum of a loss's parts; None when one is not a number, or there is none."""
    found = list(parts)
    known = [part for part in found if part is not None]
    if not known or len(known) < len(found):
        return None
    total = sum(known)
    return total if math.isfinite(total) else None
