"""Shapes as tools draw them become shapes of the model, with the same box."""

from collections.abc import Callable
from math import cos, pi, radians, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.imports.drawn import (
    ShapeRefused,
    box,
    ellipse,
    extent,
    four_corners,
    number,
    pairs,
    points_of_text,
    polygon,
    turned_box,
)

DEGREES = st.floats(-720, 720)
HALF_AXES = st.floats(0.1, 5000)
COORDINATES = st.floats(-5000, 5000)


@given(COORDINATES, COORDINATES, HALF_AXES, HALF_AXES, DEGREES)
def test_the_box_of_an_ellipse_is_that_of_its_shape(
    x: float, y: float, radius_x: float, radius_y: float, degrees: float
) -> None:
    shape = ellipse(x, y, radius_x, radius_y, degrees)
    turned = radians(degrees)
    half_width = ((radius_x * cos(turned)) ** 2 + (radius_y * sin(turned)) ** 2) ** 0.5
    half_height = ((radius_x * sin(turned)) ** 2 + (radius_y * cos(turned)) ** 2) ** 0.5
    if shape.type is AnnotationType.CIRCLE:
        assert abs(radius_x - radius_y) <= 0.005
        assert shape.coordinates == pytest.approx((x, y, (radius_x + radius_y) / 2))
        return
    xs, ys = shape.coordinates[::2], shape.coordinates[1::2]
    assert (min(xs), max(xs)) == pytest.approx((x - half_width, x + half_width), abs=1e-6)
    assert (min(ys), max(ys)) == pytest.approx((y - half_height, y + half_height), abs=1e-6)
    area = sum(xs[i - 1] * ys[i] - xs[i] * ys[i - 1] for i in range(len(xs))) / 2
    assert area == pytest.approx(pi * radius_x * radius_y, rel=0.002)


@given(COORDINATES, COORDINATES, HALF_AXES, HALF_AXES, st.integers(-720, 720))
def test_a_turned_box_keeps_its_pivot_and_its_sides(
    x: float, y: float, width: float, height: float, degrees: int
) -> None:
    shape = turned_box(x, y, width, height, degrees, (x, y))
    if degrees % 360 == 0:
        assert shape == box((x, y), (x + width, y + height))
        return
    assert shape.type is AnnotationType.RECTANGLE
    a, b, c, d = zip(shape.coordinates[::2], shape.coordinates[1::2], strict=True)
    assert a == pytest.approx((x, y), abs=1e-6)
    assert ((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2) ** 0.5 == pytest.approx(width, rel=1e-6, abs=1e-6)
    assert ((d[0] - a[0]) ** 2 + (d[1] - a[1]) ** 2) ** 0.5 == pytest.approx(height, rel=1e-6, abs=1e-6)
    assert (c[0] - b[0], c[1] - b[1]) == pytest.approx((d[0] - a[0], d[1] - a[1]), abs=1e-6)


def test_a_quarter_turn_is_clockwise() -> None:
    shape = turned_box(10, 10, 4, 2, 90, (10, 10))
    assert shape.coordinates == pytest.approx((10, 10, 10, 14, 8, 14, 8, 10))


@pytest.mark.parametrize(
    "read",
    [
        lambda: number("abc", "x"),
        lambda: number(None, "x"),
        lambda: number(True, "x"),
        lambda: number(10**400, "x"),
        lambda: number([1], "x"),
        lambda: pairs({"x": 1}, "points"),
        lambda: pairs([1, 2], "points"),
        lambda: pairs([{"x": 1}], "points"),
        lambda: polygon([(0, 0), (1, 1)]),
        lambda: four_corners([(0, 0), (1, 1)]),
        lambda: ellipse(0, 0, 0, 1),
        lambda: ellipse(0, 0, 2, -1),
        lambda: ellipse(0, 0, float("nan"), 1),
        lambda: ellipse(0, 0, 2, 1, float("inf")),
        lambda: turned_box(0, 0, 1, 1, float("nan"), (0, 0)),
        lambda: points_of_text("1,2;3"),
        lambda: extent([]),
    ],
)
def test_what_is_no_shape_is_refused(read: Callable[[], object]) -> None:
    with pytest.raises(ShapeRefused):
        read()
