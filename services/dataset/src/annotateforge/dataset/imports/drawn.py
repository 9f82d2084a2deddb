"""Shapes as annotation tools draw them, as the shapes that there are here.

What has no area (points, lines) is refused. An ellipse becomes a circle where its axes are equal, and
otherwise a polygon of its outline, because its box alone would lose the shape and a circle would be wrong.
"""

from collections.abc import Iterable, Sequence
from math import atan2, cos, hypot, isfinite, pi, radians, sin
from typing import Any, NamedTuple

from annotateforge.dataset.annotations import MOST_POINTS, AnnotationType

Point = tuple[float, float]

_EXPORT_AGAIN = "Export the file again, or correct the entry."
_ELLIPSE_STEPS = 64
_SAME_RADIUS = 0.005
"""Pixels by which the axes of an ellipse may differ and it is still a circle: what rounding does to one."""
_LEVEL = 1e-9
"""Degrees by which a rectangle may be turned and it is still a box."""


class Shape(NamedTuple):
    """A shape in pixels of the upright image, not checked yet."""

    type: AnnotationType
    coordinates: tuple[float, ...]
    """As in Annotation."""
    of_mask: bool = False
    """True where the source has a mask, of which only the box is taken."""
    has_holes: bool = False
    """True where the source cuts holes into the shape, which are lost."""


class ShapeRefused(Exception):
    """What is written is no shape."""

    def __init__(self, message: str, hint: str = _EXPORT_AGAIN) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class KindRefused(Exception):
    """What is written is of a kind that annotations cannot be here; `kind` is a plural, such as "points"."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def number(value: Any, name: str) -> float:
    """A number of a label file, which may be written as text. ShapeRefused when it is none."""
    try:
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise ShapeRefused(f"{name} is no number, or there is none.")


def numbers(written: Any, *names: str) -> tuple[float, ...]:
    """Members of an object that must be numbers. ShapeRefused when one is none."""
    if not isinstance(written, dict):
        raise ShapeRefused(f"There is no object with {', '.join(names)}.")
    return tuple(number(written.get(name), name) for name in names)


def pairs(written: Any, name: str) -> list[Point]:
    """A list of [x, y] or of {"x": x, "y": y}. ShapeRefused when it is none."""
    if not isinstance(written, list):
        raise ShapeRefused(f"{name} is no list of points.")
    _check_count(len(written))
    points = []
    for point in written:
        if isinstance(point, dict):
            point = [point.get("x"), point.get("y")]
        if not isinstance(point, list) or len(point) < 2:
            raise ShapeRefused(f"{name} holds something that is no point.")
        points.append((number(point[0], "x"), number(point[1], "y")))
    return points


def box(one: Point, other: Point, *, of_mask: bool = False) -> Shape:
    """The box between any two opposite corners."""
    (x1, y1), (x2, y2) = one, other
    return Shape(AnnotationType.BOX, (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)), of_mask)


def turned_box(x: float, y: float, width: float, height: float, degrees: float, pivot: Point) -> Shape:
    """A box by its upper left corner and size, turned clockwise around a pivot: a box where it is not turned,
    otherwise a rectangle.
    """
    if not isfinite(degrees):
        raise ShapeRefused("Its rotation is no finite number.")
    if abs(degrees) % 360 < _LEVEL:
        return box((x, y), (x + width, y + height))
    cosine, sine = cos(radians(degrees)), sin(radians(degrees))
    corners = []
    for corner_x, corner_y in ((x, y), (x + width, y), (x + width, y + height), (x, y + height)):
        across, down = corner_x - pivot[0], corner_y - pivot[1]
        corners += [pivot[0] + across * cosine - down * sine, pivot[1] + across * sine + down * cosine]
    return Shape(AnnotationType.RECTANGLE, tuple(corners))


def circle(x: float, y: float, radius: float) -> Shape:
    """A circle by its centre."""
    return Shape(AnnotationType.CIRCLE, (x, y, radius))


def ellipse(x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0.0) -> Shape:
    """An ellipse by its centre and half axes, turned clockwise: a circle where the axes are equal, otherwise
    a polygon of 64 points and the four that lie furthest left, right, up and down, so that its box is that
    of the ellipse.
    """
    if not isfinite(degrees):
        raise ShapeRefused("Its rotation is no finite number.")
    if abs(radius_x - radius_y) <= _SAME_RADIUS:
        return circle(x, y, (radius_x + radius_y) / 2)
    if not (radius_x > 0 and radius_y > 0):
        raise ShapeRefused(f"An ellipse with the half axes {radius_x:g} and {radius_y:g} has no area.")
    cosine, sine = cos(radians(degrees)), sin(radians(degrees))
    # x(t) = x + across · cos(t − furthest_right) and the like, for the four extreme points.
    furthest_right = atan2(-radius_y * sine, radius_x * cosine)
    furthest_down = atan2(radius_y * cosine, radius_x * sine)
    angles = {2 * pi * step / _ELLIPSE_STEPS for step in range(_ELLIPSE_STEPS)}
    for extreme in (furthest_right, furthest_down):
        angles |= {extreme % (2 * pi), (extreme + pi) % (2 * pi)}
    coordinates: list[float] = []
    for angle in sorted(angles):
        along, beside = radius_x * cos(angle), radius_y * sin(angle)
        coordinates += [x + along * cosine - beside * sine, y + along * sine + beside * cosine]
    return Shape(AnnotationType.POLYGON, tuple(coordinates))


def polygon(points: Sequence[Point]) -> Shape:
    """A polygon; a last corner that repeats the first is dropped. ShapeRefused with less than three
    corners.
    """
    if len(points) > 3 and points[0] == points[-1]:
        points = points[:-1]
    if len(points) < 3:
        raise ShapeRefused(f"A polygon has three corners or more, and this one has {len(points)}.")
    return Shape(AnnotationType.POLYGON, tuple(value for point in points for value in point))


def four_corners(points: Sequence[Point]) -> Shape:
    """A rectangle by its four corners: a box where its sides are level. ShapeRefused with another number."""
    if len(points) != 4:
        raise ShapeRefused(f"A rectangle has four corners, and this one has {len(points)}.")
    xs, ys = {x for x, _ in points}, {y for _, y in points}
    if len(xs) == 2 and len(ys) == 2 and len(set(points)) == 4:
        return box((min(xs), min(ys)), (max(xs), max(ys)))
    return Shape(AnnotationType.RECTANGLE, tuple(value for point in points for value in point))


def distance(one: Point, other: Point) -> float:
    """Pixels between two points."""
    return hypot(one[0] - other[0], one[1] - other[1])


def points_of_text(text: str, separator: str = ";") -> list[Point]:
    """Points written as `x,y;x,y`. ShapeRefused when they are not."""
    _check_count(text.count(separator))
    points = []
    for part in text.split(separator):
        if part.strip():
            x, _, y = part.partition(",")
            points.append((number(x.strip(), "x"), number(y.strip(), "y")))
    return points


def _check_count(count: int) -> None:
    """Refuse what is far too long before it takes memory."""
    if count > 2 * MOST_POINTS:
        raise ShapeRefused(f"It has {count:,} points, and may have {MOST_POINTS:,}.", "Simplify the outline.")


def extent(points: Iterable[Point]) -> Shape:
    """The smallest box around points. ShapeRefused when there are none."""
    listed = list(points)
    if not listed:
        raise ShapeRefused("There are no points.")
    xs, ys = [x for x, _ in listed], [y for _, y in listed]
    return box((min(xs), min(ys)), (max(xs), max(ys)))
