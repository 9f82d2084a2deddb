"""What freezing reads: the images and annotations of a spec's projects as columns, one array per property.

A hundred thousand images with a million annotations are a dozen arrays here, and not a million objects.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.images import ImageFormat

Floats: TypeAlias = npt.NDArray[np.float64]
Longs: TypeAlias = npt.NDArray[np.int64]
Integers: TypeAlias = npt.NDArray[np.integer[Any]]
Flags: TypeAlias = npt.NDArray[np.bool_]

NO_LABEL = -1
"""Class of an annotation or image that nobody has labelled yet."""
NOT_CHOSEN = -2
"""Class of an annotation or image whose label is none of the spec's."""


TYPE_CODES = {kind: number for number, kind in enumerate(AnnotationType, start=1)}
"""Numbers of the annotation types, as AnnotationType in annotation.proto has them."""
FORMAT_CODES = {kind: number for number, kind in enumerate(ImageFormat, start=1)}
"""Numbers of the encodings, as ImageFormat in image.proto has them."""


class Look(IntEnum):
    """What is known of what an image looks like."""

    PENDING = 0
    """Its fingerprint has not been computed yet."""
    KNOWN = 1
    UNREADABLE = 2
    """Its pixels cannot be decoded."""
    TOO_LARGE = 3
    """It is too large to be decoded for a fingerprint."""


@dataclass(frozen=True, slots=True)
class Images:
    """The images of a spec's projects, in any order; every array has one element (or row) per image."""

    id: npt.NDArray[np.uint8]
    """16 bytes each."""
    sha256: npt.NDArray[np.uint8]
    """32 bytes each."""
    crc32: npt.NDArray[np.uint32]
    size: npt.NDArray[np.int64]
    """Bytes."""
    format: npt.NDArray[np.uint8]
    """See FORMAT_CODES."""
    width: npt.NDArray[np.int32]
    """Pixels of the upright image."""
    height: npt.NDArray[np.int32]
    """Pixels of the upright image."""
    class_id: npt.NDArray[np.int16]
    """Class of the whole image: its position in the spec, NO_LABEL or NOT_CHOSEN."""
    group: npt.NDArray[np.int32]
    """Equal numbers above 0 mean the same group of the same project; 0 means no group."""
    annotations: npt.NDArray[np.int32]
    """How many annotations the image has."""
    reviewed: Flags
    """Whether somebody has said that its labels are complete."""
    look: npt.NDArray[np.uint8]
    """What is known of its fingerprint, see Look."""
    fingerprint: npt.NDArray[np.uint8]
    """Fingerprints, SIZE bytes each; zeros where none is known."""

    def __len__(self) -> int:
        return len(self.size)


@dataclass(frozen=True, slots=True)
class Annotations:
    """The annotations of those images, image by image; one element per annotation, but for `numbers`."""

    image: npt.NDArray[np.int32]
    """Index of the image, ascending."""
    class_id: npt.NDArray[np.int16]
    """Position of the label in the spec, NO_LABEL or NOT_CHOSEN."""
    type: npt.NDArray[np.uint8]
    """See TYPE_CODES."""
    count: npt.NDArray[np.int32]
    """Coordinates in `numbers`: circle 3, box 4, rectangle 8, polygon 2 per corner. Of an annotation that
    the spec does not use there may be none."""
    start: Longs
    """Where they begin in `numbers`."""
    numbers: Floats
    """Coordinates in pixels of the upright image."""

    def __len__(self) -> int:
        return len(self.image)

    def take(self, chosen: npt.NDArray[np.intp]) -> "Annotations":
        """The annotations at some indices, in that order, with their coordinates one after another."""
        count = self.count[chosen]
        return Annotations(
            self.image[chosen],
            self.class_id[chosen],
            self.type[chosen],
            count,
            starts(count),
            self.numbers[spread(self.start[chosen], count)],
        )

    def cut(self, first: int, last: int) -> "Annotations":
        """The annotations `first` to `last`, the latter excluded, of some whose coordinates follow one
        another.
        """
        begin, end = (int(self.count[:at].sum()) for at in (first, last))
        return Annotations(
            self.image[first:last],
            self.class_id[first:last],
            self.type[first:last],
            self.count[first:last],
            self.start[first:last] - begin,
            self.numbers[begin:end],
        )


class WholeImages:
    """Puts annotations that come image by image, cut anywhere, into blocks that have all of each image."""

    def __init__(self) -> None:
        # Those of the last image, of which more may come.
        self._waiting: list[Annotations] = []

    def add(self, found: Annotations) -> Annotations:
        """Take the next ones, whose coordinates follow one another; answers those of images that are
        complete.
        """
        if not len(found):
            return joined([])
        last = int(np.searchsorted(found.image, found.image[-1]))
        ready = joined([])
        if last or (self._waiting and self._waiting[-1].image[-1] != found.image[-1]):
            ready = joined([*self._waiting, found.cut(0, last)])
            self._waiting.clear()
        self._waiting.append(found.cut(last, len(found)))
        return ready

    def rest(self) -> Annotations:
        """Those of the last image, when no more come."""
        return joined(self._waiting)


def joined(parts: Sequence[Annotations]) -> Annotations:
    """Annotations one after another, of which the coordinates follow one another in each part."""
    count = np.concatenate([np.empty(0, np.int32), *(part.count for part in parts)])
    return Annotations(
        np.concatenate([np.empty(0, np.int32), *(part.image for part in parts)]),
        np.concatenate([np.empty(0, np.int16), *(part.class_id for part in parts)]),
        np.concatenate([np.empty(0, np.uint8), *(part.type for part in parts)]),
        count,
        starts(count),
        np.concatenate([np.empty(0), *(part.numbers for part in parts)]),
    )


def starts(lengths: npt.NDArray[np.integer[Any]]) -> Longs:
    """Where each of some runs begins when they follow one another: 0, l0, l0 + l1, …"""
    ends = np.cumsum(lengths, dtype=np.int64)
    return ends - lengths


def spread(start: Longs, length: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """All indices of some runs one after another: start0, start0 + 1, …, start1, start1 + 1, …"""
    total = int(length.sum())
    return np.repeat(start - starts(length), length) + np.arange(total, dtype=np.int64)


def distinct(sha256: npt.NDArray[np.uint8]) -> tuple[Longs, Longs]:
    """For digests of 32 bytes, where each different one is there first, in ascending order of the digests,
    and for each digest which of those it is.
    """
    digests = np.ascontiguousarray(sha256).view("S32").ravel()
    if (digests[1:] >= digests[:-1]).all():
        # As the store reads images; sorting them again would take most of the time.
        new = np.append(True, digests[1:] != digests[:-1])[: len(digests)]
        return np.flatnonzero(new), np.cumsum(new) - 1
    _, first, content = np.unique(digests, return_index=True, return_inverse=True)
    return first.astype(np.int64), content.astype(np.int64)
