"""Intake of labels: each is checked and counted before it is staged."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from annotateforge.dataset.annotations import (
    MOST_NUMBERS_PER_IMAGE,
    MOST_PER_IMAGE,
    Annotation,
    AnnotationType,
    defects,
)
from annotateforge.dataset.imports.label_format import Label, Size
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.store.annotation_runs import StagedAnnotation


class NewImages:
    """The images that an import is about to add: id, upright size and number of annotations, by path in the
    archive. There may be hundreds of thousands, so that these lie in arrays.
    """

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._ids = bytearray()
        self._widths = array("L")
        self._heights = array("L")
        self._counts = array("L")
        self._numbers = array("L")
        self._overfull: set[str] = set()
        self.sizes: Mapping[str, Size] = _Sizes(self._rows, self._widths, self._heights)
        """Upright sizes by path."""

    def add(self, path: str, image_id: UUID, size: Size) -> None:
        """Take note of an image."""
        self._rows[path] = len(self._widths)
        self._ids += image_id.bytes
        self._widths.append(size.width)
        self._heights.append(size.height)
        self._counts.append(0)
        self._numbers.append(0)

    def take(self, labels: Iterable[Label], report: Report) -> list[StagedAnnotation]:
        """Those of the labels that are valid, image by image and in their order; the others go to the
        report.
        """
        staged: list[StagedAnnotation] = []
        of_image, row, image_id = "", -1, UUID(int=0)
        seen: set[int] = set()
        scattered = False
        for label in labels:
            image, annotation, *_ = label
            if image != of_image or row < 0:
                # Labels of one image mostly come one after another.
                of_image, row = image, self._rows[image]
                image_id = UUID(bytes=bytes(self._ids[16 * row : 16 * row + 16]))
                scattered = scattered or row in seen
                seen.add(row)
            if wrong := defects(annotation):
                _report_invalid(label, *wrong[0], report)
                continue
            if _is_outside(annotation, self._widths[row], self._heights[row]):
                _report_outside(label, report)
            position = self._counts[row]
            numbers = self._numbers[row] + len(annotation.coordinates)
            if position < MOST_PER_IMAGE and numbers <= MOST_NUMBERS_PER_IMAGE:
                self._counts[row] = position + 1
                self._numbers[row] = numbers
                staged.append(StagedAnnotation(image_id, position, annotation))
            elif image not in self._overfull:
                self._overfull.add(image)
                _report_overfull(label, report)
        if scattered:
            # So that one row of the store takes what it can.
            staged.sort(key=lambda each: each.image_id.bytes)
        return staged


class _Sizes(Mapping[str, Size]):
    def __init__(self, rows: Mapping[str, int], widths: Sequence[int], heights: Sequence[int]) -> None:
        self._rows = rows
        self._widths = widths
        self._heights = heights

    def __getitem__(self, path: str) -> Size:
        row = self._rows[path]
        return Size(self._widths[row], self._heights[row])

    def __contains__(self, path: object) -> bool:
        return path in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _report_invalid(label: Label, path: str, description: str, report: Report) -> None:
    annotation = label.annotation
    report.warn(
        "ANNOTATION_INVALID",
        label.file,
        f"A {annotation.type} of {annotation.class_label!r} on {label.image!r} was left out: {path}"
        f" {description}. It is {_shown(annotation.coordinates)}.",
        "Correct it in the tool that made it, or leave it out.",
        line=label.line,
        path=label.path,
    )


def _report_outside(label: Label, report: Report) -> None:
    annotation = label.annotation
    report.inform(
        "ANNOTATION_OUTSIDE_IMAGE",
        label.file,
        f"A {annotation.type} of {annotation.class_label!r} lies beside {label.image!r} altogether."
        f" It is {_shown(annotation.coordinates)}; it came in, and training leaves it out.",
        "Check whether the labels were made for an image of this size.",
        line=label.line,
        path=label.path,
    )


def _report_overfull(label: Label, report: Report) -> None:
    report.warn(
        "TOO_MANY_ANNOTATIONS",
        label.file,
        f"{label.image!r} has more than {MOST_PER_IMAGE:,} annotations, or more than"
        f" {MOST_NUMBERS_PER_IMAGE:,} coordinates in all; those beyond were left out.",
        "Cut the image into tiles.",
        line=label.line,
        path=label.path,
    )


def _is_outside(annotation: Annotation, width: int, height: int) -> bool:
    """Whether nothing of a shape can lie on its image of so many pixels."""
    coordinates = annotation.coordinates
    if annotation.type is AnnotationType.BOX:
        # Most are, and their edges are known.
        x_min, y_min, x_max, y_max = coordinates
        return x_max <= 0 or y_max <= 0 or x_min >= width or y_min >= height
    reach = 0.0
    if annotation.type is AnnotationType.CIRCLE:
        coordinates, reach = coordinates[:2], coordinates[2]
    xs, ys = coordinates[::2], coordinates[1::2]
    return (
        max(xs) + reach <= 0 or max(ys) + reach <= 0 or min(xs) - reach >= width or min(ys) - reach >= height
    )


def _shown(coordinates: tuple[float, ...]) -> str:
    shown = ", ".join(f"{value:g}" for value in coordinates[:8])
    return f"{shown}, …" if len(coordinates) > 8 else shown
