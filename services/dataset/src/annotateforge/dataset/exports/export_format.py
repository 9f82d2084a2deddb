"""The interface of an export's label format. A new one is one module and one registration."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from math import cos, sin, tau
from typing import IO, ClassVar

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.images import Image

WITHOUT_CLASS = "unlabelled"
"""Class of what has none: every format asks for one."""
_CIRCLE_CORNERS = 64


class ExportFormat(ABC):
    """Writes the labels of one export, image by image in the order of their names."""

    name: ClassVar[str]
    """How requests call the format."""

    def __init__(self, classes: Sequence[str], new_file: Callable[[], IO[bytes]]) -> None:
        """`classes` are all class labels of the annotations, sorted; `new_file` gives files to write into."""
        self.classes = list(dict.fromkeys(label or WITHOUT_CLASS for label in classes))
        self.new_file = new_file
        self.notes: Counter[str] = Counter()
        """What could not be written as it is, counted; it goes into the export's README.txt."""

    def fixed_files(self) -> Iterator[tuple[str, bytes]]:
        """Files that follow from the classes alone: name and bytes."""
        return iter(())

    @abstractmethod
    def write(self, path: str, image: Image, annotations: Sequence[Annotation]) -> tuple[str, bytes] | None:
        """The label file of an image, whose place below `images/` is `path`: name and bytes; None without."""

    def rest(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Files that are whole only when every image has been written: name and bytes in blocks."""
        return iter(())

    def label_of(self, annotation: Annotation) -> str:
        """The class under which an annotation is written."""
        if not annotation.class_label:
            self.notes[f'annotations without class, written as "{WITHOUT_CLASS}"'] += 1
        return annotation.class_label or WITHOUT_CLASS

    def corners_of(self, annotation: Annotation) -> tuple[float, ...]:
        """The outline of any shape but a box: x, y, x, y, …"""
        if annotation.type is AnnotationType.CIRCLE:
            self.notes[f"circles, written as polygons of {_CIRCLE_CORNERS} corners"] += 1
            x, y, radius = annotation.coordinates
            turns = [tau * step / _CIRCLE_CORNERS for step in range(_CIRCLE_CORNERS)]
            return tuple(
                value for turn in turns for value in (x + radius * cos(turn), y + radius * sin(turn))
            )
        return annotation.coordinates


def box_of(annotation: Annotation) -> tuple[float, float, float, float]:
    """x_min, y_min, x_max, y_max of any shape."""
    if annotation.type is AnnotationType.CIRCLE:
        x, y, radius = annotation.coordinates
        return x - radius, y - radius, x + radius, y + radius
    xs, ys = annotation.coordinates[::2], annotation.coordinates[1::2]
    return min(xs), min(ys), max(xs), max(ys)
