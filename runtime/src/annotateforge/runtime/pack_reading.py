"""Reading blobs from packs: neighbours together, and without waiting where that is asked for."""

import errno
import os
from collections.abc import Sequence

import numpy as np

from annotateforge.runtime.pack_files import Pack
from annotateforge.runtime.pack_index import PackIndex, as_digests

_GAP = 4096
"""Bytes between two blobs that are rather read than the second one sought."""
_PACK_SHIFT = 48
"""Packs and offsets are put into one number, so that blobs of two packs are never neighbours."""
_NOT_WAITING = getattr(os, "RWF_NOWAIT", 0)


class Reading:
    """Some blobs, looked up all at once, to be read part by part."""

    def __init__(self, packs: Sequence[Pack], index: PackIndex, digests: Sequence[str]) -> None:
        # In this order: what is deleted after the counting is found to be.
        self._packs = {pack.number: pack for pack in packs}
        self._deletions = {pack.number: pack.deletions for pack in packs}
        self._index = index
        self._digests = as_digests(digests)
        self._places = index.find(self._digests)
        self._at: list[int] = (self._places.pack << _PACK_SHIFT | self._places.offset).tolist()
        self._sizes: list[int] = self._places.size.tolist()

    def read_now(self, first: int, most_blobs: int, most_bytes: int) -> list[memoryview] | None:
        """The blobs from `first` on, until there are so many of them or so many bytes; None when one is not
        there, or when the disk, or somebody who changes a pack, would have to be waited for.
        """
        found = self._read(first, most_blobs, most_bytes, wait=False)
        if found is None:
            return None
        there = [data for data in found if data is not None]
        return there if len(there) == len(found) else None

    def read(self, first: int, most_blobs: int, most_bytes: int) -> list[memoryview | None]:
        """The blobs from `first` on, until there are so many of them or so many bytes; None for one that was
        not there or has been deleted or moved.
        """
        return self._read(first, most_blobs, most_bytes, wait=True) or []

    def _read(
        self, first: int, most_blobs: int, most_bytes: int, *, wait: bool
    ) -> list[memoryview | None] | None:
        at, sizes = self._at, self._sizes
        last, total = first, 0
        most = min(len(at), first + most_blobs)
        while last < most and total < most_bytes:
            total += sizes[last]
            last += 1
        found: list[memoryview | None] = [None] * (last - first)
        rows = sorted(range(first, last), key=at.__getitem__)
        run: list[int] = []
        stop = 0
        used = set()
        for row in (*rows, None):
            if run and (row is None or at[row] - stop > _GAP):
                base = at[run[0]]
                number, offset = divmod(base, 1 << _PACK_SHIFT)
                # A pack that has come since the packs were listed counts the next time.
                if (pack := self._packs.get(number)) is not None:
                    data = _read(pack, offset, stop - base, wait)
                    if data is None:
                        return None
                    for each in run:
                        start = at[each] - base
                        found[each - first] = data[start : start + sizes[each]]
                    used.add(number)
                run = []
            if row is not None and at[row] >= 0:
                run.append(row)
                stop = at[row] + sizes[row]
        for number in used:
            if not self._leave_out_deleted(number, first, found, wait):
                return None
        return found

    def _leave_out_deleted(self, number: int, first: int, found: list[memoryview | None], wait: bool) -> bool:
        """A deletion is in the index before bytes go: what was read is right where there is none now, and
        none is being learned. False when that cannot be told without waiting.
        """
        pack = self._packs[number]
        if not pack.has_news() and pack.deletions == self._deletions[number] and pack.deletions % 2 == 0:
            return True
        if not wait:
            return False
        with pack.lock:
            self._index.learn(pack)
            rows = first + np.flatnonzero(self._places.pack[first : first + len(found)] == number)
            there = self._index.are_at(self._digests[rows], self._places.at(rows))
        for row in rows[~there].tolist():
            found[row - first] = None
        return True


def _read(pack: Pack, offset: int, length: int, wait: bool) -> memoryview | None:
    """Bytes of a pack; None when they would have to be waited for."""
    data = np.empty(length, np.uint8).data
    if not wait:
        # A kernel or file system that cannot tell whether it waits gets a thread to wait in.
        try:
            if _NOT_WAITING and os.preadv(pack.descriptor, [data], offset, _NOT_WAITING) == length:
                return data
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EOPNOTSUPP):
                raise
        return None
    rest = data
    while rest:
        count = os.preadv(pack.descriptor, [rest], offset)
        if not count:
            raise OSError(errno.EIO, "a pack is shorter than it was")
        rest, offset = rest[count:], offset + count
    return data
