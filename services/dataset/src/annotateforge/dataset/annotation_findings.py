"""Findings about the annotations of a spec: what was left out, what is odd, and what to do about it."""

from collections.abc import Iterator

import numpy as np

from annotateforge.dataset.amount import amount
from annotateforge.dataset.annotations import plural
from annotateforge.dataset.columns import Images
from annotateforge.dataset.examples import examples
from annotateforge.dataset.health import Finding
from annotateforge.dataset.labelling import HUGE_SHARE, TINY_PIXELS, Labelling, Mark, Skip
from annotateforge.dataset.problems import Severity
from annotateforge.dataset.spec import DatasetSpec, Task


def annotation_findings(spec: DatasetSpec, images: Images, labelling: Labelling) -> Iterator[Finding]:
    """What is to be said about the annotations that the labels were made from."""
    if labelling.clipped:
        yield Finding(
            Severity.WARNING,
            "ANNOTATIONS_CLIPPED",
            amount(
                labelling.clipped,
                "annotation reaches beyond its image and was",
                "annotations reach beyond their image and were",
            )
            + " cut at its edge.",
            "Look at some of the examples: wrong coordinates look like this, too.",
            labelling.clipped,
            examples(images, labelling.clipped_images),
        )
    if without := labelling.skipped_annotations.get(Skip.WITHOUT_CLASS):
        yield Finding(
            Severity.WARNING,
            "ANNOTATIONS_WITHOUT_CLASS",
            amount(without, "annotation has no class and was", "annotations have no class and were")
            + " left out.",
            "Give them a class; what is on an image and not labelled is learnt as background.",
            without,
            examples(images, labelling.without_class_images),
        )
    size = spec.training_size
    types = ", ".join(f"{count:,} {plural(kind)}" for kind, count in labelling.types_not_chosen.items())
    for mark, reason, one, many, rest, hint in (
        (
            Mark.OTHER_TYPE,
            "ANNOTATIONS_OF_OTHER_TYPES",
            "annotation of the classes was",
            "annotations of the classes were",
            f"left out because the spec does not use their type: {types}.",
            "segment takes polygons only: draw them, or train detect. What is not labelled is learnt as"
            " background."
            if spec.task is Task.SEGMENT
            else "Name their type in annotation_types; what is not labelled is learnt as background.",
        ),
        (
            Mark.OUTSIDE_IMAGE,
            "ANNOTATIONS_OUTSIDE_IMAGE",
            "annotation lies beside its image and was",
            "annotations lie beside their image and were",
            "left out.",
            "Their coordinates are wrong: look for another size or orientation of the image.",
        ),
        (
            Mark.NO_AREA,
            "ANNOTATIONS_WITHOUT_AREA",
            "annotation has no area on its image and was",
            "annotations have no area on their image and were",
            "left out.",
            "Delete them, or draw them again: a click without a drag leaves such.",
        ),
        (
            Mark.DUPLICATE,
            "DUPLICATE_ANNOTATIONS",
            "annotation repeats the class and place of another one on its image and was",
            "annotations repeat the class and place of another one on their image and were",
            "left out.",
            "Nothing needs to be done; an import that ran twice leaves such.",
        ),
        (
            Mark.TINY,
            "TINY_ANNOTATIONS",
            "annotation is",
            "annotations are",
            f"less than {TINY_PIXELS} pixels wide or high at a training size of {size}.",
            "Train with a larger image size, cut the images into tiles, or delete slips of the mouse.",
        ),
        (
            Mark.HUGE,
            "HUGE_ANNOTATIONS",
            "annotation covers",
            "annotations cover",
            f"more than {HUGE_SHARE:.0%} of the image.",
            "Look at the examples: where an object fills the images, train classify.",
        ),
    ):
        marked = labelling.marked.get(mark)
        if marked is not None:
            count = len(marked)
            yield Finding(
                Severity.WARNING,
                reason,
                f"{amount(count, one, many)} {rest}",
                hint,
                count,
                examples(images, np.unique(marked)),
            )
