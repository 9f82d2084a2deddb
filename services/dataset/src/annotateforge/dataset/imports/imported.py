"""What an import added, class by class."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.store.imports import Landed


@dataclass(frozen=True, slots=True)
class ImportedClass:
    """What was added of one class."""

    class_label: str
    """Empty for annotations without class."""
    images: int
    """Images whose image-level class it is."""
    shapes: Mapping[AnnotationType, int]
    """Annotations by type, all types."""


def class_counts(classes: Iterable[str], landed: Landed) -> list[ImportedClass]:
    """The counts of each class that the source named, in its order, then of those that only stand on what was
    added; annotations without class come last.
    """
    added = sorted({label for label, _ in landed.shapes} | set(landed.image_classes))
    labels = dict.fromkeys((*classes, *filter(None, added), *(label for label in added if not label)))
    return [
        ImportedClass(
            label,
            landed.image_classes.get(label, 0),
            {kind: landed.shapes.get((label, kind), 0) for kind in AnnotationType},
        )
        for label in labels
    ]
