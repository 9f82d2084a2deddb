"""Annotations: labelled shapes on an image, and what makes one valid."""

from collections.abc import Iterator
from enum import StrEnum
from math import isfinite
from typing import NamedTuple
from uuid import UUID

from annotateforge.runtime.texts import text_defect

LONGEST_LABEL = 200
MOST_PER_IMAGE = 10_000
MOST_POINTS = 10_000
MOST_NUMBERS_PER_IMAGE = 1_000_000
"""Coordinates of all annotations of an image: what one message carries with ease."""
FARTHEST = 10_000_000.0
"""Largest absolute coordinate in pixels: beyond every image, and small enough that no later arithmetic
overflows.
"""


class AnnotationType(StrEnum):
    """Kinds of shapes, named as in the protos and in SQL."""

    CIRCLE = "circle"
    BOX = "box"
    RECTANGLE = "rectangle"
    POLYGON = "polygon"


def plural(kind: AnnotationType) -> str:
    """What several annotations of a type are called."""
    return "boxes" if kind is AnnotationType.BOX else f"{kind}s"


class Annotation(NamedTuple):
    """One labelled shape. Coordinates are pixels of the upright image, x right and y down from its upper left
    corner.
    """

    type: AnnotationType
    coordinates: tuple[float, ...]
    """circle: x, y, radius; box: x_min, y_min, x_max, y_max; rectangle: x, y of four corners; polygon: x, y
    of each corner.
    """
    class_label: str = ""
    confidence: float | None = None
    """0 to 1; None where a person drew it."""
    source: str = ""
    id: UUID | None = None
    """None until it is stored."""


def defects(annotation: Annotation) -> list[tuple[str, str]]:
    """What is wrong with an annotation: field paths below it as in the protos, and the end of a sentence
    about each.
    """
    kind, coordinates, class_label, confidence, source, _ = annotation
    found = []
    if class_label and (wrong := text_defect(class_label, LONGEST_LABEL)):
        found.append(("class_label", wrong))
    if source and (wrong := text_defect(source, LONGEST_LABEL)):
        found.append(("source", wrong))
    if confidence is not None and not 0 <= confidence <= 1:
        found.append(("confidence", "must be 0 to 1; leave it out where a person drew the shape"))
    if not (kind is AnnotationType.BOX and _is_right_box(*coordinates)):
        found += _shape_defects(kind, coordinates)
    return found


def _is_right_box(x_min: float, y_min: float, x_max: float, y_max: float) -> bool:
    """The quick answer for nearly all shapes. Nothing compares with NaN."""
    return -FARTHEST <= x_min < x_max <= FARTHEST and -FARTHEST <= y_min < y_max <= FARTHEST


def _shape_defects(kind: AnnotationType, coordinates: tuple[float, ...]) -> Iterator[tuple[str, str]]:
    # A sum is finite only where every number is: the quick answer for millions of right shapes.
    wrong_numbers = bool(coordinates) and not (
        isfinite(sum(coordinates)) and min(coordinates) >= -FARTHEST and max(coordinates) <= FARTHEST
    )
    for index, value in enumerate(coordinates if wrong_numbers else ()):
        if not (isfinite(value) and -FARTHEST <= value <= FARTHEST):
            yield (
                coordinate_path(kind, index),
                f"must be a finite number between -{FARTHEST:,.0f} and {FARTHEST:,.0f} pixels",
            )
    match kind:
        case AnnotationType.RECTANGLE if len(coordinates) != 8:
            yield "rectangle.corners", f"must be exactly 4, and there are {len(coordinates) // 2}"
        case AnnotationType.POLYGON if not 6 <= len(coordinates) <= 2 * MOST_POINTS:
            yield "polygon.points", f"must be 3 to {MOST_POINTS:,}, and there are {len(coordinates) // 2}"
        case AnnotationType.CIRCLE if not wrong_numbers and coordinates[2] <= 0:
            yield "circle.radius", "must be above 0 pixels"
        case AnnotationType.BOX if not wrong_numbers:
            x_min, y_min, x_max, y_max = coordinates
            if x_min >= x_max:
                yield "box.x_max", "must be greater than x_min"
            if y_min >= y_max:
                yield "box.y_max", "must be greater than y_min"


def coordinate_path(kind: AnnotationType, index: int) -> str:
    """The proto's field path of a coordinate below its annotation, such as `polygon.points[2].y`."""
    match kind:
        case AnnotationType.CIRCLE:
            return f"circle.{('x', 'y', 'radius')[index]}"
        case AnnotationType.BOX:
            return f"box.{('x_min', 'y_min', 'x_max', 'y_max')[index]}"
        case AnnotationType.RECTANGLE:
            return f"rectangle.corners[{index // 2}].{'xy'[index % 2]}"
        case AnnotationType.POLYGON:
            return f"polygon.points[{index // 2}].{'xy'[index % 2]}"
