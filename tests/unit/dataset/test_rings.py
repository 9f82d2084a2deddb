"""Parts of an outline become one polygon of the same area."""

import time

import pytest

from annotateforge.dataset.imports.rings import joined


def area(polygon: tuple[float, ...]) -> float:
    points = list(zip(polygon[::2], polygon[1::2], strict=True))
    return sum(x * v - u * y for (x, y), (u, v) in zip(points, [*points[1:], points[0]], strict=True)) / 2


def square(x: float, y: float, side: float) -> list[float]:
    return [x, y, x + side, y, x + side, y + side, x, y + side]


def test_one_ring_is_itself_without_its_closing_repetition() -> None:
    assert joined([square(1, 2, 3)]) == tuple(square(1, 2, 3))
    assert joined([[*square(1, 2, 3), 1, 2]]) == tuple(square(1, 2, 3))


def test_several_rings_keep_their_area_and_all_their_corners() -> None:
    rings = [square(0, 0, 4), square(10, 1, 2), square(-7, 20, 5)]
    whole = joined(rings)
    assert area(whole) == pytest.approx(sum(area(tuple(ring)) for ring in rings))
    corners = set(zip(whole[::2], whole[1::2], strict=True))
    assert corners == {corner for ring in rings for corner in zip(ring[::2], ring[1::2], strict=True)}


def test_thousands_of_corners_are_joined_quickly() -> None:
    rings = [[value for n in range(1000) for value in (x + n % 2, n)] for x in range(0, 100, 10)]
    started = time.monotonic()
    assert len(joined(rings)) == 2 * (10_000 + 2 * 9)
    assert time.monotonic() - started < 10
