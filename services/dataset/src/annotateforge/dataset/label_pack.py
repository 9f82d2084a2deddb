"""Label packs in the making: the label files of a data set one after another."""

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from typing import IO

import numpy as np

from annotateforge.dataset.columns import Longs
from annotateforge.dataset.imports.opening import Spool

MOST_IN_MEMORY = 4 * 1024 * 1024
"""Bytes beyond which a pack that has a spool goes to the disk."""
_CHUNK = 1024 * 1024


class LabelPack:
    """Bytes that grow at their end; those of a million annotations would take a fifth of the memory that the
    service may have. Close it to be rid of its file.
    """

    def __init__(self, spool: Spool | None = None) -> None:
        """Without a spool it stays in memory."""
        self._spool = spool
        self._closed = False
        self._parts: list[bytes] = []
        self._file: IO[bytes] | None = None
        """Where the bytes are in place of `_parts` when they are many."""
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._rearranged: LabelPack | None = None

    def __len__(self) -> int:
        return self._size

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes."""
        return self._sha256.digest()

    def append(self, data: bytes) -> None:
        """Add bytes. ResourceExhausted SPOOL_FULL, ValueError when it is closed."""
        self._check_open()
        self._sha256.update(data)
        if self._file is None and self._spool is not None and self._size + len(data) > MOST_IN_MEMORY:
            self._spool.reserve(self._size)
            self._file = self._spool.file()
            self._file.writelines(self._parts)
            self._parts.clear()
        if self._file is None or self._spool is None:
            self._parts.append(data)
        else:
            self._spool.reserve(len(data))
            self._file.seek(self._size)
            self._file.write(data)
        self._size += len(data)

    def read(self, begin: int = 0, end: int | None = None) -> bytes:
        """The bytes from `begin` to `end`, the latter excluded; to be asked for when all have been added.
        ValueError when it is closed.
        """
        self._check_open()
        end = self._size if end is None else end
        if self._file is None:
            if len(self._parts) != 1:
                self._parts = [b"".join(self._parts)]
            return self._parts[0][begin:end]
        self._file.seek(begin)
        return self._file.read(end - begin)

    def chunks(self) -> Iterator[bytes]:
        """All bytes, some at a time."""
        for begin in range(0, self._size, _CHUNK):
            yield self.read(begin, min(begin + _CHUNK, self._size))

    def rearranged(self, begins: Longs, ends: Longs) -> "LabelPack":
        """The parts from `begins` to `ends` one after another, as a pack that closes with this one."""
        pack = self._rearranged = LabelPack(self._spool)
        # What follows one another here is read at once, and some more than a chunk at most.
        apart = np.append(True, begins[1:] != ends[:-1])[: len(begins)]
        full = np.diff((np.cumsum(ends - begins) // _CHUNK), prepend=0) > 0
        first = np.flatnonzero(apart | full)
        for one, last in pairwise([*first.tolist(), len(begins)]):
            pack.append(self.read(int(begins[one]), int(ends[last - 1])))
        return pack

    def close(self) -> None:
        """Forget the bytes."""
        self._closed = True
        self._parts.clear()
        if self._file is not None:
            self._file.close()
        if self._rearranged is not None:
            self._rearranged.close()

    def _check_open(self) -> None:
        # Bytes that are no longer there must not be taken for none.
        if self._closed:
            raise ValueError("The label pack is closed.")
