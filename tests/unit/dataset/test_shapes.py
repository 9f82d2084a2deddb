import math
import random
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.columns import Floats
from annotateforge.dataset.shapes import GRID, Fate, Outlines, box_outlines, clip_polygons, polygon_outlines
from tests.unit.dataset.pictured import BOX, CIRCLE, POLYGON, RECTANGLE, Drawn, annotations_of

WIDTH, HEIGHT = 100.0, 50.0
inside = st.floats(-200, 300, allow_nan=False)
polygons = st.lists(st.tuples(inside, inside), min_size=3, max_size=12)


def outlined(kind: AnnotationType, *numbers: float, segment: bool = False) -> Outlines:
    annotations = annotations_of([(0, Drawn(kind, numbers))])
    make = polygon_outlines if segment else box_outlines
    return make(annotations, np.array([WIDTH]), np.array([HEIGHT]))


def edges(outlines: Outlines) -> list[float]:
    """Left, top, right and bottom edge in pixels."""
    x, y, width, height = (outlines.numbers / GRID).tolist()
    return [
        (x - width / 2) * WIDTH,
        (y - height / 2) * HEIGHT,
        (x + width / 2) * WIDTH,
        (y + height / 2) * HEIGHT,
    ]


@pytest.mark.parametrize(
    ("kind", "numbers", "expected", "clipped"),
    [
        (BOX, (10, 5, 30, 25), (10, 5, 30, 25), False),
        (BOX, (0, 0, 100, 50), (0, 0, 100, 50), False),
        (BOX, (-10, 5, 30, 65), (0, 5, 30, 50), True),
        (CIRCLE, (20, 20, 10), (10, 10, 30, 30), False),
        (CIRCLE, (95, 20, 10), (85, 10, 100, 30), True),
        # The centre is 6 beyond the edge, where the circle's half chord is 8.
        (CIRCLE, (-6, 20, 10), (0, 12, 4, 28), True),
        (RECTANGLE, (20, 10, 30, 20, 20, 30, 10, 20), (10, 10, 30, 30), False),
        # A square on its corner whose left half is off the image: what is seen is 10 wide and 20 high.
        (RECTANGLE, (0, 10, 10, 20, 0, 30, -10, 20), (0, 10, 10, 30), True),
        # Only its right corner is on the image.
        (RECTANGLE, (-6, 10, 4, 20, -6, 30, -16, 20), (0, 16, 4, 24), True),
        (POLYGON, (10, 10, 40, 10, 40, 30), (10, 10, 40, 30), False),
    ],
)
def test_boxes_are_the_smallest_around_what_the_image_shows(
    kind: AnnotationType, numbers: tuple[float, ...], expected: tuple[float, ...], clipped: bool
) -> None:
    outlines = outlined(kind, *numbers)
    assert edges(outlines) == pytest.approx(expected, abs=1e-5)
    assert outlines.clipped.tolist() == [clipped]


@pytest.mark.parametrize(
    ("kind", "numbers", "fate"),
    [
        (BOX, (100, 10, 120, 20), Fate.OUTSIDE_IMAGE),
        (BOX, (-20, 10, 0, 20), Fate.OUTSIDE_IMAGE),
        (BOX, (10, 10, 10.000001, 20), Fate.NO_AREA),
        # Its box overlaps the corner of the image, and the circle does not.
        (CIRCLE, (-8, -8, 10), Fate.OUTSIDE_IMAGE),
        (CIRCLE, (1e7, 1e7, 1), Fate.OUTSIDE_IMAGE),
        (RECTANGLE, (-10, -1, -1, -10, -30, -30, -20, -20), Fate.OUTSIDE_IMAGE),
        # A line is no rectangle, but a slanted one has a box.
        (RECTANGLE, (10, 10, 20, 10, 20, 10, 10, 10), Fate.NO_AREA),
        (RECTANGLE, (10, 10, 20, 20, 20, 20, 10, 10), Fate.KEPT),
    ],
)
def test_what_has_no_area_on_the_image_is_dropped_with_the_reason(
    kind: AnnotationType, numbers: tuple[float, ...], fate: Fate
) -> None:
    outlines = outlined(kind, *numbers)
    assert outlines.fate.tolist() == [fate]
    assert outlines.count.tolist() == [4 if fate is Fate.KEPT else 0]
    assert len(outlines.numbers) == outlines.count[0]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(10, 10), (40, 10), (40, 30)], [(10, 10), (40, 10), (40, 30)]),
        # A corner beyond the right edge becomes two on it.
        ([(80, 10), (120, 20), (80, 30)], [(80, 10), (100, 15), (100, 25), (80, 30)]),
        # All around the image.
        ([(-50, -50), (250, -50), (250, 150), (-50, 150)], [(0, 0), (100, 0), (100, 50), (0, 50)]),
        # Repeated corners, also of last and first, are left out.
        ([(10, 10), (10, 10), (40, 10), (40, 30), (10, 10)], [(10, 10), (40, 10), (40, 30)]),
    ],
)
def test_polygons_are_clipped_to_the_image(
    points: list[tuple[float, float]], expected: list[tuple[float, float]]
) -> None:
    outlines = outlined(POLYGON, *(value for point in points for value in point), segment=True)
    found = (outlines.numbers.reshape(-1, 2) / GRID * [WIDTH, HEIGHT]).tolist()
    # A polygon may begin at any of its corners.
    turns = [found[at:] + found[:at] for at in range(len(found))]
    assert any(np.allclose(turn, expected, atol=1e-5) for turn in turns if len(turn) == len(expected)), found


@pytest.mark.parametrize(
    ("points", "fate"),
    [
        ([(110, 10), (120, 10), (120, 30)], Fate.OUTSIDE_IMAGE),
        # Its box overlaps the image.
        ([(-30, 20), (20, -30), (-30, -30)], Fate.OUTSIDE_IMAGE),
        ([(10, 10), (20, 20), (30, 30)], Fate.NO_AREA),
        ([(10, 10), (10, 10), (10, 10)], Fate.NO_AREA),
        # A line to the eye, of which rounding makes a triangle.
        ([(1, 1), (5 / 3, 5 / 3), (7, 7), (3, 3)], Fate.NO_AREA),
    ],
)
def test_polygons_without_an_area_on_the_image_are_dropped(
    points: list[tuple[float, float]], fate: Fate
) -> None:
    outlines = outlined(POLYGON, *(value for point in points for value in point), segment=True)
    assert outlines.fate.tolist() == [fate]
    assert len(outlines.numbers) == 0


def test_a_polygon_that_crosses_itself_is_kept_although_its_signed_area_is_zero() -> None:
    outlines = outlined(POLYGON, 10, 10, 30, 30, 30, 10, 10, 30, segment=True)
    assert outlines.fate.tolist() == [Fate.KEPT]


def test_a_polygon_that_comes_back_stays_one_outline_of_the_right_area() -> None:
    # A comb of three teeth whose back is off the image.
    comb = [
        (-20, 0),
        (40, 0),
        (40, 10),
        (-10, 10),
        (-10, 20),
        (40, 20),
        (40, 30),
        (-10, 30),
        (-10, 40),
        (40, 40),
    ]
    comb += [(40, 50), (-20, 50)]
    outlines = outlined(POLYGON, *(value for point in comb for value in point), segment=True)
    x, y = outlines.numbers.reshape(-1, 2).T / GRID * np.array([[WIDTH], [HEIGHT]])
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    assert area == pytest.approx(3 * 40 * 10)


@settings(deadline=None)
@given(st.lists(polygons, min_size=1, max_size=5))
def test_clipping_many_at_once_equals_clipping_each(many: list[list[tuple[float, float]]]) -> None:
    def clipped(some: list[list[tuple[float, float]]]) -> tuple[list[float], list[float], list[int]]:
        x = np.array([x for points in some for x, _ in points])
        y = np.array([y for points in some for _, y in points])
        corners = np.array([len(points) for points in some])
        new = clip_polygons(x, y, corners, np.full(len(some), WIDTH), np.full(len(some), HEIGHT))
        return new[0].tolist(), new[1].tolist(), new[2].tolist()

    together = clipped(many)
    apart = [clipped([points]) for points in many]
    for part in range(3):
        assert list(together[part]) == list(chain.from_iterable(each[part] for each in apart))


@settings(deadline=None)
@given(polygons)
def test_a_clipped_polygon_covers_the_points_that_the_polygon_and_the_image_cover(
    points: list[tuple[float, float]],
) -> None:
    x, y = np.array(points).T
    cut_x, cut_y, corners = clip_polygons(
        x, y, np.array([len(points)]), np.array([WIDTH]), np.array([HEIGHT])
    )
    assert len(cut_x) == corners[0]
    assert ((cut_x >= 0) & (cut_x <= WIDTH) & (cut_y >= 0) & (cut_y <= HEIGHT)).all()
    dice = random.Random(0)
    for _ in range(30):
        px, py = dice.uniform(0, WIDTH), dice.uniform(0, HEIGHT)
        if _distance(px, py, x, y) > 1e-6:
            assert _covers(px, py, cut_x, cut_y) == _covers(px, py, x, y)


@settings(deadline=None)
@given(st.tuples(inside, inside, st.floats(0.001, 300)), st.integers(1, 5000), st.integers(1, 5000))
def test_written_boxes_never_leave_the_image(
    circle: tuple[float, float, float], width: int, height: int
) -> None:
    annotations = annotations_of([(0, Drawn(CIRCLE, circle))])
    outlines = box_outlines(annotations, np.array([float(width)]), np.array([float(height)]))
    if outlines.count[0]:
        x, y, w, h = outlines.numbers.tolist()
        assert 0 < w <= 2 * x <= 2 * GRID - w
        assert 0 < h <= 2 * y <= 2 * GRID - h


def _covers(px: float, py: float, x: Floats, y: Floats) -> bool:
    """Even-odd rule."""
    count = 0
    for number in range(len(x)):
        x0, y0, x1, y1 = x[number - 1], y[number - 1], x[number], y[number]
        if (y0 > py) != (y1 > py) and px < x0 + (py - y0) / (y1 - y0) * (x1 - x0):
            count += 1
    return count % 2 == 1


def _distance(px: float, py: float, x: Floats, y: Floats) -> float:
    best = math.inf
    for number in range(len(x)):
        ax, ay, bx, by = x[number - 1], y[number - 1], x[number], y[number]
        length = (bx - ax) ** 2 + (by - ay) ** 2
        share = 0 if not length else min(max(((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length, 0), 1)
        best = min(best, math.hypot(px - ax - share * (bx - ax), py - ay - share * (by - ay)))
    return best
