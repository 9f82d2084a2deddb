"""Rings: joins the parts of one object's outline into one polygon."""

from collections.abc import Sequence
from math import inf

Point = tuple[float, float]


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
    best = (inf, 0, 0)
    for i, (x, y) in enumerate(one):
        for j, (u, v) in enumerate(other):
            best = min(best, ((x - u) ** 2 + (y - v) ** 2, i, j))
    return best[1], best[2]
