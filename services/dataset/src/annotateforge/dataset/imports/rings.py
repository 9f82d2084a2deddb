"""Rings: joins the parts of one object's outline into one polygon."""

from collections.abc import Sequence
from math import inf

import numpy as np

Point = tuple[float, float]

_ROWS = 64
"""Points that are compared with all others at once: enough to be quick, few enough to need little memory."""


def joined(rings: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """One polygon, as x, y, x, y, …, from one or more rings in the same form.

    Each further ring is reached from the nearest corner of what is there, gone around, and left the same way,
    so that the bridge has no area: what ultralytics' merge_multi_segment does to COCO's objects in several
    parts. A ring's closing repetition of its first corner is dropped.
    """
    outline = _points(rings[0])
    for ring in rings[1:]:
        part = _points(ring)
        at, to = _nearest(outline, part)
        outline = [*outline[: at + 1], *part[to:], *part[: to + 1], *outline[at:]]
    return tuple(value for point in outline for value in point)


def _points(ring: Sequence[float]) -> list[Point]:
    points = list(zip(ring[::2], ring[1::2], strict=True))
    if len(points) > 3 and points[0] == points[-1]:
        points.pop()
    return points


def _nearest(one: Sequence[Point], other: Sequence[Point]) -> tuple[int, int]:
    """Positions of the two points, one of each, that lie nearest to each other; the first of equals."""
    best = (inf, 0, 0)
    targets = np.asarray(other)
    for at in range(0, len(one), _ROWS):
        rows = np.asarray(one[at : at + _ROWS])
        distances = ((rows[:, None, :] - targets[None, :, :]) ** 2).sum(axis=2)
        row, column = np.unravel_index(np.argmin(distances), distances.shape)
        best = min(best, (float(distances[row, column]), at + int(row), int(column)))
    return best[1], best[2]
