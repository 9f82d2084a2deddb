"""Byte strings of different lengths, many at once: a matrix of bytes of which some are not there."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.columns import Flags, Longs


@dataclass(frozen=True, slots=True)
class ByteRows:
    """A byte string per row: its bytes that are there, from left to right."""

    text: npt.NDArray[np.uint8]
    """A matrix of bytes."""
    there: Flags
    """Which of them count."""

    @staticmethod
    def of(strings: Sequence[bytes]) -> "ByteRows":
        """Rows of some strings."""
        length = np.array([len(string) for string in strings], np.int64)
        width = int(length.max(initial=0))
        padded = b"".join(string.ljust(width, b"\0") for string in strings)
        text = np.frombuffer(padded, np.uint8).reshape(len(strings), width)
        return ByteRows(text, np.arange(width) < length[:, None])

    @staticmethod
    def of_structures(structures: npt.NDArray[np.void], there: Flags | None = None) -> "ByteRows":
        """Rows of the bytes of packed structures, all of a row or none of it."""
        width = structures.dtype.itemsize
        text = np.ascontiguousarray(structures).view(np.uint8).reshape(len(structures), width)
        shown = np.ones(len(structures), np.bool_) if there is None else there
        return ByteRows(text, np.broadcast_to(shown[:, None], text.shape))

    def take(self, index: npt.NDArray[np.integer[Any]]) -> "ByteRows":
        """The rows at some indices."""
        # Several times as fast as indexing.
        return ByteRows(np.take(self.text, index, axis=0), np.take(self.there, index, axis=0))

    @property
    def lengths(self) -> Longs:
        """Bytes of each row."""
        lengths: Longs = self.there.sum(axis=1, dtype=np.int64)
        return lengths

    def join(self) -> bytes:
        """All rows one after another."""
        return self.text[self.there].tobytes()

    def split(self) -> list[bytes]:
        """Each row on its own."""
        text, cuts = self.join(), [0, *np.cumsum(self.lengths).tolist()]
        return [text[begin:end] for begin, end in pairwise(cuts)]


def beside(*parts: ByteRows) -> ByteRows:
    """Rows that begin with those of the first part and go on with those of the others."""
    return ByteRows(np.hstack([part.text for part in parts]), np.hstack([part.there for part in parts]))
