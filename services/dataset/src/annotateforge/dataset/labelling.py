"""From the annotations of all images to their label files, with a count of everything that is left out."""

import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.columns import NO_LABEL, NOT_CHOSEN, TYPE_CODES, Annotations, Images, Longs, starts
from annotateforge.dataset.labels import write_files
from annotateforge.dataset.shapes import Fate, box_outlines, box_sizes, polygon_outlines
from annotateforge.dataset.spec import DatasetSpec, Task

_CHUNK = 1 << 15
"""Coordinates that are worked on at once: what a chunk needs stays within a few megabytes."""


class Skip(StrEnum):
    """Why an annotation or an image does not go in."""

    WITHOUT_CLASS = "WITHOUT_CLASS"
    CLASS_NOT_CHOSEN = "CLASS_NOT_CHOSEN"
    TYPE_NOT_CHOSEN = "TYPE_NOT_CHOSEN"
    OUTSIDE_IMAGE = "OUTSIDE_IMAGE"
    NO_AREA = "NO_AREA"
    DUPLICATE_ANNOTATION = "DUPLICATE_ANNOTATION"
    UNLABELLED_IMAGE = "UNLABELLED_IMAGE"
    NO_CHOSEN_CLASS = "NO_CHOSEN_CLASS"
    NO_USABLE_ANNOTATION = "NO_USABLE_ANNOTATION"
    NO_IMAGE_CLASS = "NO_IMAGE_CLASS"


class Mark(StrEnum):
    """What is odd about an annotation, whether it goes in or not."""

    OUTSIDE_IMAGE = "OUTSIDE_IMAGE"
    NO_AREA = "NO_AREA"
    DUPLICATE = "DUPLICATE"
    OTHER_TYPE = "OTHER_TYPE"
    """Of a chosen class, and of a type that the spec does not use."""
    TINY = "TINY"
    """It goes in, and a side has less than TINY_PIXELS where the image is scaled to the training size."""
    HUGE = "HUGE"
    """It goes in, and its box covers more than HUGE_SHARE of the image."""


TINY_PIXELS = 3
"""YOLO's finest cells have 8 pixels; of an object of so few there is next to nothing to be seen."""
HUGE_SHARE = 0.95


@dataclass(slots=True)
class Labelling:
    """The labels of all images, and what did not become one."""

    label_data: bytes
    """All label files one after another, in the order of the images; nothing for classify."""
    label_size: Longs
    """Bytes of each image's label file; 0 where it has none."""
    label_crc32: npt.NDArray[np.uint32]
    image: Longs
    """With `class_id` and `instances`: which image shows which class how often, each pair once, ascending."""
    class_id: Longs
    instances: Longs
    skipped_images: dict[Skip, int]
    skipped_annotations: dict[Skip, int] = field(default_factory=dict)
    types_not_chosen: dict[AnnotationType, int] = field(default_factory=dict)
    """Annotations of a chosen class that were left out for their type."""
    clipped: int = 0
    """Annotations that were clipped to the image and kept."""
    clipped_images: Longs = field(default_factory=lambda: np.empty(0, np.int64))
    """Images that have such, ascending."""
    without_class_images: Longs = field(default_factory=lambda: np.empty(0, np.int64))
    """Images with annotations that have no class, ascending."""
    backgrounds: Longs = field(default_factory=lambda: np.empty(0, np.int64))
    """Images that go in because they are known to show nothing, ascending."""
    marked: dict[Mark, Longs] = field(default_factory=dict)
    """For every annotation with a mark its image, ascending."""


def label(spec: DatasetSpec, images: Images, annotations: Annotations) -> Labelling:
    """Label the images for the spec's task."""
    if spec.task is Task.CLASSIFY:
        return _label_classes(images)
    return _label_shapes(spec, images, annotations)


def _label_classes(images: Images) -> Labelling:
    chosen = np.flatnonzero(images.class_id >= 0)
    return Labelling(
        label_data=b"",
        label_size=np.zeros(len(images), np.int64),
        label_crc32=np.zeros(len(images), np.uint32),
        image=chosen,
        class_id=images.class_id[chosen].astype(np.int64),
        instances=np.ones(len(chosen), np.int64),
        skipped_images=_counted(
            {
                Skip.NO_IMAGE_CLASS: np.count_nonzero(images.class_id == NO_LABEL),
                Skip.CLASS_NOT_CHOSEN: np.count_nonzero(images.class_id == NOT_CHOSEN),
            }
        ),
    )


def _label_shapes(spec: DatasetSpec, images: Images, annotations: Annotations) -> Labelling:
    outlines_of = polygon_outlines if spec.task is Task.SEGMENT else box_outlines
    chosen = annotations.class_id >= 0
    fits = np.isin(annotations.type, [TYPE_CODES[kind] for kind in spec.annotation_types])
    used = chosen & fits
    fates: Counter[int] = Counter()
    # Hands out what was written without another copy of it.
    files = io.BytesIO()
    size = np.zeros(len(images), np.int64)
    crc32 = np.zeros(len(images), np.uint32)
    # image · classes + class, ascending as the images are, and how often each is there.
    pairs: list[Longs] = [np.empty(0, np.int64)]
    times: list[Longs] = [np.empty(0, np.int64)]
    repeated: list[int] = []
    clipped: list[Longs] = []
    marks: dict[Mark, list[npt.NDArray[np.integer[Any]]]] = {mark: [] for mark in Mark}
    classes = len(spec.classes)
    for first, last in _chunks(annotations):
        part = annotations.take(first + np.flatnonzero(used[first:last]))
        width, height = images.width[part.image].astype(float), images.height[part.image].astype(float)
        outlines = outlines_of(part, width, height)
        fates.update(outlines.fate.tolist())
        stays = outlines.fate == Fate.KEPT
        image, class_id = part.image[stays].astype(np.int64), part.class_id[stays].astype(np.int64)
        labelled, rows = np.unique(image, return_counts=True)
        written = write_files(rows.astype(np.int64), class_id, outlines.count[stays], outlines.numbers)
        files.write(written.data)
        size[labelled] = written.size
        crc32[labelled] = written.crc32
        found, often = np.unique(image * classes + class_id, return_counts=True)
        pairs.append(found)
        times.append(often.astype(np.int64))
        repeated.extend(int(labelled[row]) * classes + class_id for row, class_id in written.repeated)
        clipped.append(image[outlines.clipped[stays]])
        marks[Mark.OUTSIDE_IMAGE].append(part.image[outlines.fate == Fate.OUTSIDE_IMAGE])
        marks[Mark.NO_AREA].append(part.image[outlines.fate == Fate.NO_AREA])
        across, down = box_sizes(outlines)
        shown = spec.training_size / np.maximum(width, height)[stays]
        narrow = np.minimum(across * width[stays], down * height[stays])
        marks[Mark.TINY].append(image[narrow * shown < TINY_PIXELS])
        marks[Mark.HUGE].append(image[across * down > HUGE_SHARE])

    shown, instances = np.concatenate(pairs), np.concatenate(times)
    pairs.clear()
    times.clear()
    np.subtract.at(instances, np.searchsorted(shown, np.array(repeated, np.int64)), 1)
    image, class_id = np.divmod(shown, classes)
    del shown
    unlabelled = annotations.class_id == NO_LABEL
    empty = images.reviewed & (images.annotations == 0)
    backgrounds = np.flatnonzero(empty) if spec.backgrounds else np.empty(0, np.int64)
    marks[Mark.DUPLICATE].append(np.array(repeated, np.int64) // classes)
    marks[Mark.OTHER_TYPE].append(annotations.image[chosen & ~fits])
    overhanging = np.concatenate([np.empty(0, np.int64), *clipped])
    return Labelling(
        label_data=files.getvalue(),
        label_size=size,
        label_crc32=crc32,
        image=image,
        class_id=class_id,
        instances=instances,
        skipped_images=_skipped_images(images, annotations, np.append(image, backgrounds)),
        backgrounds=backgrounds,
        skipped_annotations=_counted(
            {
                Skip.WITHOUT_CLASS: np.count_nonzero(unlabelled),
                Skip.CLASS_NOT_CHOSEN: np.count_nonzero(annotations.class_id == NOT_CHOSEN),
                Skip.TYPE_NOT_CHOSEN: np.count_nonzero(chosen & ~fits),
                Skip.OUTSIDE_IMAGE: fates[Fate.OUTSIDE_IMAGE],
                Skip.NO_AREA: fates[Fate.NO_AREA],
                Skip.DUPLICATE_ANNOTATION: len(repeated),
            }
        ),
        types_not_chosen=_types(annotations.type[chosen & ~fits]),
        clipped=len(overhanging),
        clipped_images=np.unique(overhanging),
        without_class_images=np.unique(annotations.image[unlabelled]).astype(np.int64),
        marked={
            mark: np.sort(np.concatenate(found)).astype(np.int64)
            for mark, found in marks.items()
            if any(map(len, found))
        },
    )


def _skipped_images(images: Images, annotations: Annotations, included: Longs) -> dict[Skip, int]:
    annotated, of_chosen_class, goes_in = np.zeros((3, len(images)), np.bool_)
    annotated[annotations.image] = True
    of_chosen_class[annotations.image[annotations.class_id >= 0]] = True
    goes_in[included] = True
    return _counted(
        {
            Skip.UNLABELLED_IMAGE: np.count_nonzero(~annotated & ~goes_in),
            Skip.NO_CHOSEN_CLASS: np.count_nonzero(annotated & ~of_chosen_class),
            Skip.NO_USABLE_ANNOTATION: np.count_nonzero(of_chosen_class & ~goes_in),
        }
    )


def _types(codes: npt.NDArray[np.uint8]) -> dict[AnnotationType, int]:
    found = Counter(codes.tolist())
    return {kind: found[code] for kind, code in TYPE_CODES.items() if found[code]}


def _counted(counts: Mapping[Skip, int | np.integer[Any]]) -> dict[Skip, int]:
    return {reason: int(count) for reason, count in counts.items() if count}


def _chunks(annotations: Annotations) -> Iterator[tuple[int, int]]:
    """Ranges of annotations of about _CHUNK coordinates each that part no image's annotations."""
    if not len(annotations):
        return
    begins = np.flatnonzero(np.diff(annotations.image, prepend=-1))
    before = starts(annotations.count)
    marks = np.arange(_CHUNK, int(before[-1]) + int(annotations.count[-1]), _CHUNK)
    cuts = np.unique(np.searchsorted(before[begins], marks))
    yield from pairwise([0, *begins[cuts[(cuts > 0) & (cuts < len(begins))]].tolist(), len(annotations)])
