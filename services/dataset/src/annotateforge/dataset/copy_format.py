"""Postgres' binary COPY format, read into arrays ("COPY", section "Binary Format", in the Postgres
manual).
"""

import struct
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
INT2 = np.dtype([("length", ">i4"), ("value", ">i2")])
"""An element of an array after the length of its bytes, as INT4 and FLOAT8."""
INT4 = np.dtype([("length", ">i4"), ("value", ">i4")])
FLOAT8 = np.dtype([("length", ">i4"), ("value", ">f8")])
_HEADER = struct.Struct(">11sII")

Columns: TypeAlias = Mapping[str, str | tuple[str, int]]
"""Names and big-endian numpy types of columns; (type, n) for n of them in one field. None may be null."""


class CopyStream:
    """What the server sends, cut anywhere, put together again."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False

    def take(self, data: bytes) -> bytes:
        """All bytes of rows that have come and were not used up; give back what is not now."""
        data = self._rest + data
        self._rest = b""
        if self._begun:
            return data
        if len(data) < _HEADER.size:
            self._rest = data
            return b""
        signature, _, extension = _HEADER.unpack_from(data)
        if signature != SIGNATURE or extension:
            raise ValueError("This is no binary COPY stream.")
        self._begun = True
        return data[_HEADER.size :]

    def give_back(self, rest: bytes) -> None:
        """Keep the beginning of a row, or the trailer, for the next time."""
        self._rest += rest


class CopyReader:
    """Reads rows of fields of fixed width. Feed it what the server sends; take the rows that are whole."""

    def __init__(self, columns: Columns) -> None:
        fields: list[tuple[str, str] | tuple[str, str, int]] = [("fields", ">i2")]
        for name, kind in columns.items():
            fields.append((f"length of {name}", ">i4"))
            fields.append((name, kind) if isinstance(kind, str) else (name, *kind))
        self._row = np.dtype(fields)
        self._stream = CopyStream()

    def rows(self, data: bytes) -> npt.NDArray[np.void]:
        """The rows that `data` completes."""
        data = self._stream.take(data)
        # The trailer, which is shorter than any row, stays over.
        count = len(data) // self._row.itemsize
        self._stream.give_back(data[count * self._row.itemsize :])
        return np.frombuffer(data, self._row, count)


def anywhere(data: bytes, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """What there would be at each byte of some data."""
    return np.ndarray((max(len(data) - kind.itemsize + 1, 0),), kind, data, strides=(1,))
