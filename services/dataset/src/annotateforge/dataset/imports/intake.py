"""Intake of labels: each is checked and counted before it is staged."""

from collections.abc import Iterable, Mapping
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
from annotateforge.dataset.store.imports import StagedAnnotation


class NewImages:
    """The images that an import is about to add: id, upright size and number of annotations, by path in the
    archive.
    """

    def __init__(self) -> None:
        self._ids: dict[str, UUID] = {}
        self._sizes: dict[str, Size] = {}
        self._counts: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._overfull: set[str] = set()

    @property
    def sizes(self) -> Mapping[str, Size]:
        """Upright sizes by path."""
        return self._sizes

    def add(self, path: str, image_id: UUID, size: Size) -> None:
        """Take note of an image."""
        self._ids[path] = image_id
        self._sizes[path] = size

    def take(self, labels: Iterable[Label], report: Report) -> list[StagedAnnotation]:
        """Those of the labels that are valid, in their order; the others go to the report."""
        staged = []
        for label in labels:
            if wrong := next(defects(label.annotation), None):
                path, description = wrong
                report.warn(
                    "ANNOTATION_INVALID",
                    label.file,
                    f"A {label.annotation.type} of {label.annotation.class_label!r} on {label.image!r} was"
                    " left out:"
                    f" {path} {description}. It is {_shown(label.annotation.coordinates)}.",
                    "Correct it in the tool that made it, or leave it out.",
                    line=label.line,
                    path=label.path,
                )
                continue
            if _is_outside(label.annotation, self._sizes[label.image]):
                report.inform(
                    "ANNOTATION_OUTSIDE_IMAGE",
                    label.file,
                    f"A {label.annotation.type} of {label.annotation.class_label!r} lies beside"
                    f" {label.image!r} altogether. It is {_shown(label.annotation.coordinates)};"
                    " it came in, and training leaves it out.",
                    "Check whether the labels were made for an image of this size.",
                    line=label.line,
                    path=label.path,
                )
            position = self._counts.get(label.image, 0)
            numbers = self._numbers.get(label.image, 0) + len(label.annotation.coordinates)
            if position < MOST_PER_IMAGE and numbers <= MOST_NUMBERS_PER_IMAGE:
                self._counts[label.image] = position + 1
                self._numbers[label.image] = numbers
                staged.append(StagedAnnotation(self._ids[label.image], position, label.annotation))
            elif label.image not in self._overfull:
                self._overfull.add(label.image)
                report.warn(
                    "TOO_MANY_ANNOTATIONS",
                    label.file,
                    f"{label.image!r} has more than {MOST_PER_IMAGE:,} annotations, or more than"
                    f" {MOST_NUMBERS_PER_IMAGE:,} coordinates in all; those beyond were left out.",
                    "Cut the image into tiles.",
                    line=label.line,
                    path=label.path,
                )
        return staged


def _is_outside(annotation: Annotation, size: Size) -> bool:
    """Whether nothing of a shape can lie on its image."""
    coordinates = annotation.coordinates
    reach = 0.0
    if annotation.type is AnnotationType.CIRCLE:
        coordinates, reach = coordinates[:2], coordinates[2]
    xs, ys = coordinates[::2], coordinates[1::2]
    return (
        max(xs) + reach <= 0
        or max(ys) + reach <= 0
        or min(xs) - reach >= size.width
        or min(ys) - reach >= size.height
    )


def _shown(coordinates: tuple[float, ...]) -> str:
    shown = ", ".join(f"{value:g}" for value in coordinates[:8])
    return f"{shown}, …" if len(coordinates) > 8 else shown
