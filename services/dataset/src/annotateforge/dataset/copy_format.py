"""Postgres' binary COPY format, read into arrays ("COPY", section "Binary Format", in the Postgres
manual).
"""

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.columns import Floats, starts

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HEADER = struct.Struct(">11sII")
_LENGTH = struct.Struct(">i")
_ARRAY_HEADER = 20
"""Bytes of an array of one dimension before its elements; an empty one has 12 and no elements."""
_ELEMENT = np.dtype([("length", ">i4"), ("value", ">f8")])
_BIG_INTEGER = np.dtype(">i4")
_ALIKE = 16
"""Rows of one length after which more of them are expected."""

Columns = Mapping[str, str | tuple[str, int]]
"""Names and big-endian numpy types of columns; (type, n) for n of them in one field. None may be null."""


class CopyReader:
    """Reads rows of fields of fixed width, of which the last may be an array of double precision.

    Feed it what the server sends, cut anywhere; take the rows that are whole.
    """

    def __init__(self, columns: Columns, *, array: bool = False) -> None:
        fields: list[tuple[str, str] | tuple[str, str, int]] = [("fields", ">i2")]
        for name, kind in columns.items():
            fields.append((f"length of {name}", ">i4"))
            fields.append((name, kind) if isinstance(kind, str) else (name, *kind))
        self._row = np.dtype(fields)
        self._array = array
        self._rest = b""
        self._begun = False

    def rows(self, data: bytes) -> tuple[npt.NDArray[np.void], npt.NDArray[np.int32], Floats]:
        """The rows that `data` completes: their fixed fields, the lengths of their arrays, and all the
        arrays' elements one after another.
        """
        data = self._rest + data
        if not self._begun:
            if len(data) < _HEADER.size:
                self._rest = data
                return self._none()
            signature, _, extension = _HEADER.unpack_from(data)
            if signature != SIGNATURE or extension:
                raise ValueError("This is no binary COPY stream.")
            data = data[_HEADER.size :]
            self._begun = True
        begins, end = self._find_rows(data)
        self._rest = data[end:]
        if not len(begins):
            return self._none()
        fixed = _anywhere(data, self._row)[begins]
        if not self._array:
            return fixed, np.zeros(len(fixed), np.int32), np.empty(0)
        ends = np.append(begins[1:], end)
        first = begins + self._row.itemsize + 4 + _ARRAY_HEADER
        count = np.maximum(ends - first, 0) // _ELEMENT.itemsize
        place = np.arange(int(count.sum())) - np.repeat(starts(count), count)
        values = _anywhere(data, _ELEMENT)["value"][np.repeat(first, count) + place * _ELEMENT.itemsize]
        return fixed, count.astype(np.int32), values.astype(np.float64)

    def _none(self) -> tuple[npt.NDArray[np.void], npt.NDArray[np.int32], Floats]:
        return np.empty(0, self._row), np.empty(0, np.int32), np.empty(0)

    def _find_rows(self, data: bytes) -> tuple[npt.NDArray[np.int64], int]:
        """Where the whole rows in `data` begin, and where the last of them ends."""
        width = self._row.itemsize
        if not self._array:
            # The trailer, which is shorter than any row, stays over.
            count = len(data) // width
            return np.arange(count, dtype=np.int64) * width, count * width
        begins: list[npt.NDArray[np.int64]] = []
        alone: list[int] = []
        at, last = 0, len(data) - width - 4
        length_of = _LENGTH.unpack_from
        lengths = _anywhere(data, _BIG_INTEGER)
        before = alike = 0
        reach = _ALIKE
        while at <= last:
            row = width + 4 + length_of(data, at + width)[0]
            if at + row > len(data):
                break
            alike = alike + 1 if row == before else 0
            before = row
            if alike < _ALIKE:
                alone.append(at)
                at += row
                continue
            # Most shapes are boxes: rows of one length after another are found at once. Where that has
            # helped, it is tried with more.
            run = np.arange(at, min(len(data) - row + 1, at + reach * row), row)
            others = np.flatnonzero(lengths[run + width] != row - width - 4)
            reach = _ALIKE if len(others) else 8 * reach
            run = run[: others[0]] if len(others) else run
            begins += [np.array(alone, np.int64), run]
            alone = []
            at += len(run) * row
            # Goes on with it unless another length follows.
            alike = _ALIKE
        begins.append(np.array(alone, np.int64))
        return np.concatenate(begins), at


def _anywhere(data: bytes, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """What there would be at each byte of some data."""
    return np.ndarray((max(len(data) - kind.itemsize + 1, 0),), kind, data, strides=(1,))
