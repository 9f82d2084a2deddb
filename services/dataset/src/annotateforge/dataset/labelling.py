"""From the annotations of all images to their label files, with a count of everything that is left out."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.columns import (
    NO_LABEL,
    NOT_CHOSEN,
    TYPE_CODES,
    Annotations,
    Images,
    Integers,
    Longs,
    starts,
)
from annotateforge.dataset.label_pack import LabelPack
from annotateforge.dataset.labels import write_files
from annotateforge.dataset.shapes import Fate, box_outlines, box_sizes, polygon_outlines
from annotateforge.dataset.spec import DatasetSpec, Task

_NONE = np.empty(0, np.int32)
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

    pack: LabelPack
    """All label files one after another, in the order of the images; nothing for classify."""
    label_size: Longs
    """Bytes of each image's label file; 0 where it has none."""
    label_crc32: npt.NDArray[np.uint32]
    image: Integers
    """With `class_id` and `instances`: which image shows which class how often, each pair once, ascending."""
    class_id: Integers
    instances: Integers
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
    marked: dict[Mark, Integers] = field(default_factory=dict)
    """For every annotation with a mark its image, ascending."""


def label(spec: DatasetSpec, images: Images, annotations: Annotations) -> Labelling:
    """Label the images for the spec's task."""
    labeller = Labeller(spec, images, LabelPack())
    labeller.add(annotations)
    return labeller.finish()


class Labeller:
    """Labels images for the task of a spec, from blocks of their annotations: all columns of a million
    annotations are never there at once.
    """

    def __init__(self, spec: DatasetSpec, images: Images, pack: LabelPack) -> None:
        """`pack` is where the label files go."""
        self._spec = spec
        self._images = images
        self._pack = pack
        self._outlines_of = polygon_outlines if spec.task is Task.SEGMENT else box_outlines
        self._kinds = [TYPE_CODES[kind] for kind in spec.annotation_types]
        self._size = np.zeros(len(images), np.int64)
        self._crc32 = np.zeros(len(images), np.uint32)
        self._annotated, self._of_chosen_class = np.zeros((2, len(images)), np.bool_)
        # Which image shows which class, ascending as the images are, and how often.
        self._shows: list[Integers] = [_NONE]
        self._shown: list[Integers] = [_NONE.astype(np.uint16)]
        self._often: list[Integers] = [_NONE]
        self._fates = np.zeros(len(Fate), np.int64)
        self._skipped: Counter[Skip] = Counter()
        self._types: Counter[int] = Counter()
        self._clipped: list[Integers] = [_NONE]
        self._without_class: list[Integers] = [_NONE]
        self._marks: dict[Mark, list[Integers]] = {mark: [] for mark in Mark}

    def add(self, annotations: Annotations) -> None:
        """Label images from all their annotations; those of the images before have been added before."""
        if self._spec.task is Task.CLASSIFY:
            return
        chosen = annotations.class_id >= 0
        fits = np.isin(annotations.type, self._kinds)
        unlabelled = annotations.class_id == NO_LABEL
        self._annotated[annotations.image] = True
        self._of_chosen_class[annotations.image[chosen]] = True
        self._skipped[Skip.WITHOUT_CLASS] += int(np.count_nonzero(unlabelled))
        self._skipped[Skip.CLASS_NOT_CHOSEN] += int(np.count_nonzero(annotations.class_id == NOT_CHOSEN))
        self._skipped[Skip.TYPE_NOT_CHOSEN] += int(np.count_nonzero(chosen & ~fits))
        self._types.update(annotations.type[chosen & ~fits].tolist())
        self._without_class.append(np.unique(annotations.image[unlabelled]))
        self._marks[Mark.OTHER_TYPE].append(annotations.image[chosen & ~fits])
        used = chosen & fits
        for first, last in _chunks(annotations):
            self._write(annotations.take(first + np.flatnonzero(used[first:last])))

    def _write(self, part: Annotations) -> None:
        """Label images from those of their annotations that the spec uses."""
        width = self._images.width[part.image].astype(float)
        height = self._images.height[part.image].astype(float)
        outlines = self._outlines_of(part, width, height)
        self._fates += np.bincount(outlines.fate, minlength=len(Fate))
        stays = outlines.fate == Fate.KEPT
        image, class_id = part.image[stays], part.class_id[stays].astype(np.int64)
        labelled, rows = _runs(image)
        written = write_files(rows, class_id, outlines.count[stays], outlines.numbers)
        self._pack.append(written.data)
        self._size[labelled] = written.size
        self._crc32[labelled] = written.crc32
        classes = len(self._spec.classes)
        found, often = _runs(np.sort(image.astype(np.int64) * classes + class_id))
        if written.repeated:
            row, repeated = np.array(written.repeated, np.int64).T
            image_of = labelled[row].astype(np.int64)
            np.subtract.at(often, np.searchsorted(found, image_of * classes + repeated), 1)
            self._marks[Mark.DUPLICATE].append(labelled[row])
            self._skipped[Skip.DUPLICATE_ANNOTATION] += len(row)
        shows, shown = np.divmod(found, classes)
        self._shows.append(shows.astype(np.int32))
        self._shown.append(shown.astype(np.uint16))
        self._often.append(often.astype(np.int32))
        self._clipped.append(image[outlines.clipped[stays]])
        marks = self._marks
        marks[Mark.OUTSIDE_IMAGE].append(part.image[outlines.fate == Fate.OUTSIDE_IMAGE])
        marks[Mark.NO_AREA].append(part.image[outlines.fate == Fate.NO_AREA])
        across, down = box_sizes(outlines)
        scale = self._spec.training_size / np.maximum(width, height)[stays]
        narrow = np.minimum(across * width[stays], down * height[stays])
        marks[Mark.TINY].append(image[narrow * scale < TINY_PIXELS])
        marks[Mark.HUGE].append(image[across * down > HUGE_SHARE])

    def finish(self) -> Labelling:
        """The labels of all images. To be called once, when the annotations of all have been added."""
        if self._spec.task is Task.CLASSIFY:
            return self._label_classes()
        image, class_id, instances = map(_joined, (self._shows, self._shown, self._often))
        empty = self._images.reviewed & (self._images.annotations == 0)
        backgrounds = np.flatnonzero(empty) if self._spec.backgrounds else np.empty(0, np.int64)
        overhanging = np.concatenate(self._clipped)
        return Labelling(
            pack=self._pack,
            label_size=self._size,
            label_crc32=self._crc32,
            image=image,
            class_id=class_id,
            instances=instances,
            skipped_images=self._skipped_images(image, backgrounds),
            backgrounds=backgrounds,
            skipped_annotations=_counted(
                {
                    Skip.WITHOUT_CLASS: self._skipped[Skip.WITHOUT_CLASS],
                    Skip.CLASS_NOT_CHOSEN: self._skipped[Skip.CLASS_NOT_CHOSEN],
                    Skip.TYPE_NOT_CHOSEN: self._skipped[Skip.TYPE_NOT_CHOSEN],
                    Skip.OUTSIDE_IMAGE: self._fates[Fate.OUTSIDE_IMAGE],
                    Skip.NO_AREA: self._fates[Fate.NO_AREA],
                    Skip.DUPLICATE_ANNOTATION: self._skipped[Skip.DUPLICATE_ANNOTATION],
                }
            ),
            types_not_chosen={
                kind: self._types[code] for kind, code in TYPE_CODES.items() if self._types[code]
            },
            clipped=len(overhanging),
            clipped_images=np.unique(overhanging).astype(np.int64),
            without_class_images=np.concatenate(self._without_class).astype(np.int64),
            marked={
                mark: np.sort(np.concatenate(found))
                for mark, found in self._marks.items()
                if any(map(len, found))
            },
        )

    def _label_classes(self) -> Labelling:
        class_id = self._images.class_id
        chosen = np.flatnonzero(class_id >= 0)
        return Labelling(
            pack=self._pack,
            label_size=self._size,
            label_crc32=self._crc32,
            image=chosen,
            class_id=class_id[chosen].astype(np.int64),
            instances=np.ones(len(chosen), np.int64),
            skipped_images=_counted(
                {
                    Skip.NO_IMAGE_CLASS: np.count_nonzero(class_id == NO_LABEL),
                    Skip.CLASS_NOT_CHOSEN: np.count_nonzero(class_id == NOT_CHOSEN),
                }
            ),
        )

    def _skipped_images(self, labelled: Integers, backgrounds: Longs) -> dict[Skip, int]:
        goes_in = np.zeros(len(self._images), np.bool_)
        goes_in[labelled] = True
        goes_in[backgrounds] = True
        return _counted(
            {
                Skip.UNLABELLED_IMAGE: np.count_nonzero(~self._annotated & ~goes_in),
                Skip.NO_CHOSEN_CLASS: np.count_nonzero(self._annotated & ~self._of_chosen_class),
                Skip.NO_USABLE_ANNOTATION: np.count_nonzero(self._of_chosen_class & ~goes_in),
            }
        )


def _runs(values: Integers) -> tuple[Integers, Longs]:
    """The different ones of ascending values, and how often each is there."""
    begins = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
    return values[begins], np.diff(begins, append=len(values))


def _joined(parts: list[Integers]) -> Integers:
    """Parts one after another; they are not needed any more."""
    whole = np.concatenate(parts)
    parts.clear()
    return whole


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
