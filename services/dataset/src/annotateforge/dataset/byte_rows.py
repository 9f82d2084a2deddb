"""Byte strings of different lengths, many at once: a matrix, of which the first bytes of each row count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.columns import Flags, Longs


@dataclass(frozen=True, slots=True)
class ByteRows:
    """A byte string per row: as many of its bytes as it is long."""

    text: npt.NDArray[np.uint8]
    """A matrix of bytes; what stands behind the end of a row is anything."""
    lengths: Longs
    """Bytes of each row."""

    @staticmethod
    def of(strings: Sequence[bytes]) -> "ByteRows":
        """Rows of some strings."""
        lengths = np.array([len(string) for string in strings], np.int64)
        width = int(lengths.max(initial=0))
        padded = b"".join(string.ljust(width, b"\0") for string in strings)
        return ByteRows(np.frombuffer(padded, np.uint8).reshape(len(strings), width), lengths)

    @staticmethod
    def of_structures(structures: npt.NDArray[np.void], there: Flags | None = None) -> "ByteRows":
        """Rows of the bytes of packed structures, all of a row or none of it."""
        width = structures.dtype.itemsize
        text = np.ascontiguousarray(structures).view(np.uint8).reshape(len(structures), width)
        full = np.full(len(structures), width, np.int64)
        return ByteRows(text, full if there is None else full * there)

    def take(self, index: npt.NDArray[np.integer[Any]]) -> "ByteRows":
        """The rows at some indices."""
        # Several times as fast as indexing.
        return ByteRows(np.take(self.text, index, axis=0), np.take(self.lengths, index))

    def join(self) -> bytes:
        """All rows one after another."""
        width = self.text.shape[1]
        if (self.lengths == width).all():
            return self.text.tobytes()
        return self.text[np.arange(width) < self.lengths[:, None]].tobytes()

    def split(self) -> list[bytes]:
        """Each row on its own."""
        text, width = self.text.tobytes(), self.text.shape[1]
        begins = range(0, len(text), width) if width else [0] * len(self.lengths)
        ends = (self.lengths + np.arange(len(self.lengths)) * width).tolist()
        return [text[begin:end] for begin, end in zip(begins, ends, strict=True)]


def beside(first: ByteRows, *others: ByteRows) -> ByteRows:
    """Rows that begin with those of the first part and go on with those of the others."""
    widths = [part.text.shape[1] for part in (first, *others)]
    text = np.zeros((len(first.text), sum(widths)), np.uint8)
    text[:, : widths[0]] = first.text
    at = first.lengths
    for part in others:
        _lay(part.text, text, at)
        at = at + part.lengths
    return ByteRows(text, at)


def _lay(part: npt.NDArray[np.uint8], text: npt.NDArray[np.uint8], at: Longs) -> None:
    """Write a part from some column of each row on; what stands there and behind it is lost."""
    width = part.shape[1]
    # From the right to the left, and at the rightmost place in all rows: what is too much for a row does not
    # count, or is written over, and most rows are alike.
    columns = np.flatnonzero(np.bincount(at)).tolist()
    for number, column in enumerate(reversed(columns)):
        if number == 0:
            text[:, column : column + width] = part
        else:
            rows = np.flatnonzero(at == column)
            text[rows, column : column + width] = part[rows]
