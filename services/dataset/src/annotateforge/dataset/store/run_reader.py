"""Rows of `annotation_runs`, as COPY sends them, read into columns of annotations."""

import struct
from array import array
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.columns import NO_LABEL, NOT_CHOSEN, Annotations, Longs, starts
from annotateforge.dataset.copy_format import FLOAT8, INT2, INT4, CopyStream, anywhere

_BEFORE_ID = 6
"""Bytes of a row before the image's id: the number of fields, and the length of the id."""
_BEFORE_LABELS = _BEFORE_ID + 16
"""Bytes of a row before the length of its labels."""
_LENGTH = struct.Struct(">i")
_LENGTHS = np.dtype(">i4")
_ID = np.dtype("S16")
"""Of equal length, so that it does not matter that zeros at the end are not compared."""
_ARRAY_HEADER = 20
"""Bytes of an array of one dimension before its elements; one without elements has fewer."""


class RunReader:
    """Reads rows of the columns image_id, class_labels, class_numbers, types, ends and coordinates, of which
    the last may be empty. Feed it what the server sends; take the rows that are whole.
    """

    def __init__(self, images: npt.NDArray[np.uint8], classes: Sequence[str], kinds: Sequence[int]) -> None:
        """`images` are the ids of images by their index, 16 bytes each, `classes` the labels by their class
        id, `kinds` the types of which coordinates are wanted.
        """
        ids = np.ascontiguousarray(images).view(_ID).ravel()
        self._by_id = np.argsort(ids).astype(np.int32)
        self._ids = ids[self._by_id]
        self._classes: Mapping[str, int] = {"": NO_LABEL} | {
            label: number for number, label in enumerate(classes)
        }
        self._kinds = kinds
        self._stream = CopyStream()

    def annotations(self, data: bytes) -> Annotations:
        """The annotations of the rows that `data` completes; of those that have no chosen class, and of types
        that are not wanted, without coordinates.
        """
        data = self._stream.take(data)
        rows = self._find_rows(data)
        self._stream.give_back(data[rows.end :])
        begins = np.frombuffer(rows.begins, np.int64)
        labels = begins + _BEFORE_LABELS
        class_numbers = labels + _LENGTH.size + _lengths(data, labels)
        count = (_lengths(data, class_numbers) - _ARRAY_HEADER) // INT2.itemsize
        place = np.arange(int(count.sum())) - np.repeat(starts(count), count)

        def elements(begins: Longs, kind: np.dtype[np.void]) -> npt.NDArray[np.int64]:
            at = np.repeat(begins, count) + place * kind.itemsize
            values: npt.NDArray[np.int64] = anywhere(data, kind)["value"][at].astype(np.int64)
            return values

        # Of each row the elements of its arrays follow one another, with a length and a header between two.
        class_numbers += _LENGTH.size + _ARRAY_HEADER
        types = class_numbers + count * INT2.itemsize + _LENGTH.size + _ARRAY_HEADER
        ends = types + count * INT2.itemsize + _LENGTH.size + _ARRAY_HEADER
        coordinates = ends + count * INT4.itemsize + _LENGTH.size + _ARRAY_HEADER
        first_label = np.repeat(np.frombuffer(rows.labels, np.int64), count)
        class_id = np.array(rows.class_ids, np.int16)[first_label + elements(class_numbers, INT2) - 1]
        kind = elements(types, INT2)
        end = elements(ends, INT4)
        before = np.where(place > 0, np.roll(end, 1), 0)
        size = np.where((class_id >= 0) & np.isin(kind, self._kinds), end - before, 0)
        first = np.repeat(coordinates, count) + before * FLOAT8.itemsize
        # Number n of all is the (n - starts)th of its annotation.
        at = np.repeat(first - starts(size) * FLOAT8.itemsize, size)
        image_id = anywhere(data, _ID)[begins + _BEFORE_ID]
        image = self._by_id[np.searchsorted(self._ids, image_id)]
        numbers = anywhere(data, FLOAT8)["value"][at + np.arange(len(at)) * FLOAT8.itemsize]
        return Annotations(
            np.repeat(image, count),
            class_id,
            kind.astype(np.uint8),
            size.astype(np.int32),
            starts(size),
            numbers.astype(np.float64),
        )

    def finish(self) -> None:
        """Check that nothing is left over. ValueError when the last row or what follows it is cut off."""
        self._stream.finish()

    def _find_rows(self, data: bytes) -> "_Rows":
        """The whole rows in some data."""
        rows = _Rows()
        known: dict[bytes, int] = {}
        length_of = _LENGTH.unpack_from
        available = len(data)
        at = 0
        while True:
            try:
                labels = at + _BEFORE_LABELS + _LENGTH.size
                class_numbers = labels + length_of(data, labels - _LENGTH.size)[0]
                size = length_of(data, class_numbers)[0]
                count = (size - _ARRAY_HEADER) // INT2.itemsize
                ends_size = _ARRAY_HEADER + count * INT4.itemsize
                coordinates = class_numbers + 2 * (_LENGTH.size + size) + _LENGTH.size + ends_size
                end = coordinates + _LENGTH.size + length_of(data, coordinates)[0]
            except struct.error:
                # A length that has not come, as after the last row and in the trailer.
                break
            if end > available:
                break
            if end <= at:
                raise ValueError("These are no rows of annotation_runs.")
            names = data[labels:class_numbers]
            if (first := known.get(names)) is None:
                first = known[names] = len(rows.class_ids)
                rows.class_ids += self._class_ids(names)
            rows.begins.append(at)
            rows.labels.append(first)
            at = end
        rows.end = at
        return rows

    def _class_ids(self, labels: bytes) -> list[int]:
        """The class ids of an array of labels."""
        found = []
        at = _ARRAY_HEADER
        while at < len(labels):
            begin = at + _LENGTH.size
            at = begin + _LENGTH.unpack_from(labels, at)[0]
            found.append(self._classes.get(labels[begin:at].decode(), NOT_CHOSEN))
        return found


def _lengths(data: bytes, at: Longs) -> Longs:
    """The lengths that stand at some places."""
    lengths: Longs = anywhere(data, _LENGTHS)[at].astype(np.int64)
    return lengths


class _Rows:
    """Where rows are; an element per row unless said otherwise."""

    def __init__(self) -> None:
        self.begins = array("q")
        """Where each begins in the data."""
        self.class_ids: list[int] = []
        """The class ids of all labels of rows one after another; equal sets of labels are there once."""
        self.labels = array("q")
        """Where those of a row begin in `class_ids`."""
        self.end = 0
        """Where the last row ends."""
