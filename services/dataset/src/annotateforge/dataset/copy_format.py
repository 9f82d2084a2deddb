"""Postgres' binary COPY format, read into arrays and written from them ("COPY", section "Binary Format", in
the Postgres manual).
"""

import struct
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
BEGIN = SIGNATURE + bytes(8)
"""What precedes all rows."""
END = b"\xff\xff"
"""What follows them."""
NULL = b"\xff\xff\xff\xff"
"""A field without a value."""
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

    def finish(self) -> None:
        """Check that the server has sent all: no row is cut off. ValueError."""
        if self._rest != END:
            raise ValueError("This binary COPY stream does not end where its rows do.")


class CopyReader:
    """Reads rows of fields of fixed width. Feed it what the server sends; take the rows that are whole."""

    def __init__(self, columns: Columns) -> None:
        self._row = _row_type(columns)
        self._stream = CopyStream()

    def rows(self, data: bytes) -> npt.NDArray[np.void]:
        """The rows that `data` completes."""
        data = self._stream.take(data)
        # The trailer, which is shorter than any row, stays over.
        count = len(data) // self._row.itemsize
        self._stream.give_back(data[count * self._row.itemsize :])
        return np.frombuffer(data, self._row, count)

    def finish(self) -> None:
        """Check that nothing is left over. ValueError when the last row or what follows it is cut off."""
        self._stream.finish()


def write_rows(columns: Columns, values: Mapping[str, npt.ArrayLike], count: int) -> npt.NDArray[np.void]:
    """So many rows of fields of fixed width; a value that all rows share is given once."""
    rows = np.zeros(count, _row_type(columns))
    rows["fields"] = len(columns)
    for name in columns:
        rows[_length_of(name)] = rows.dtype[name].itemsize
        rows[name] = values[name]
    return rows


def _row_type(columns: Columns) -> np.dtype[np.void]:
    fields: list[tuple[str, str] | tuple[str, str, int]] = [("fields", ">i2")]
    for name, kind in columns.items():
        fields.append((_length_of(name), ">i4"))
        fields.append((name, kind) if isinstance(kind, str) else (name, *kind))
    return np.dtype(fields)


def _length_of(column: str) -> str:
    return f"length of {column}"


def anywhere(data: bytes, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """What there would be at each byte of some data."""
    return np.ndarray((max(len(data) - kind.itemsize + 1, 0),), kind, data, strides=(1,))
