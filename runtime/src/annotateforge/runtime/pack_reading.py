"""Reading blobs from packs: neighbours together, and without waiting where that is asked for."""

import errno
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import cast

import numpy as np

from annotateforge.runtime.pack_files import Pack
from annotateforge.runtime.pack_index import Digests, PackIndex

_GAP = 4096
"""Bytes between two blobs that are rather read than the second one sought."""
_PACK_SHIFT = 48
"""Packs and offsets are put into one number, so that blobs of two packs are never neighbours."""
_NOT_WAITING = getattr(os, "RWF_NOWAIT", 0)


class Reading:
    """Some blobs, looked up all at once, to be read part by part."""

    def __init__(self, packs: Sequence[Pack], index: PackIndex, digests: Digests) -> None:
        # In this order: what is deleted after the counting is found to be.
        self._packs = {pack.number: pack for pack in packs}
        self._deletions = {pack.number: pack.deletions for pack in packs}
        self._index = index
        self._digests = digests
        self._places = index.find(digests)
        at, size = self._places.pack << _PACK_SHIFT | self._places.offset, np.maximum(self._places.size, 0)
        self._at: list[int] = at.tolist()
        self._sizes: list[int] = size.tolist()
        self._total: list[int] = np.cumsum(size).tolist()
        """Bytes of the blobs up to each one."""
        gap = at[1:] - (at + size)[:-1]
        self._apart: list[int] = (np.flatnonzero((gap < 0) | (gap > _GAP)) + 1).tolist()
        """Those that do not lie right behind the one before."""
        self._backwards: list[int] = (np.flatnonzero(gap < 0) + 1).tolist()
        """Those that lie before it, or are nowhere."""

    def read_now(self, first: int, most_blobs: int, most_bytes: int) -> list[memoryview] | None:
        """The blobs from `first` on, until there are so many of them or so many bytes; None when one is not
        there, or when the disk, or somebody who changes a pack, would have to be waited for.
        """
        # All of them, when it is a list.
        return cast("list[memoryview] | None", self._read(first, most_blobs, most_bytes, wait=False))

    def read(self, first: int, most_blobs: int, most_bytes: int) -> list[memoryview | None]:
        """The blobs from `first` on, until there are so many of them or so many bytes; None for one that was
        not there or has been deleted or moved.
        """
        return self._read(first, most_blobs, most_bytes, wait=True) or []

    def _read(
        self, first: int, most_blobs: int, most_bytes: int, *, wait: bool
    ) -> list[memoryview | None] | None:
        last = self._last(first, most_blobs, most_bytes)
        found: list[memoryview | None] = [None] * (last - first)
        used = set()
        there = 0
        for run in self._runs(first, last):
            base = self._at[run[0]]
            number, offset = divmod(base, 1 << _PACK_SHIFT)
            # A pack that has come since the packs were listed counts the next time.
            if (pack := self._packs.get(number)) is None:
                continue
            data = _read(pack, offset, self._at[run[-1]] + self._sizes[run[-1]] - base, wait)
            if data is None:
                return None
            used.add(number)
            there += len(run)
            if isinstance(run, range):
                # Most of the time; whatever is done for each of so many small blobs counts.
                places = zip(self._at[run.start : run.stop], self._sizes[run.start : run.stop], strict=True)
                found[run.start - first : run.stop - first] = [
                    data[at - base : at - base + size] for at, size in places
                ]
            else:
                for row in run:
                    start = self._at[row] - base
                    found[row - first] = data[start : start + self._sizes[row]]
        if not wait and there < len(found):
            return None
        for number in used:
            if not self._leave_out_deleted(number, first, found, wait):
                return None
        return found

    def _last(self, first: int, most_blobs: int, most_bytes: int) -> int:
        """Behind the blobs from `first` on, so many or so many bytes of them."""
        before = self._total[first - 1] if first else 0
        enough = bisect_left(self._total, before + most_bytes, first) + 1
        return min(first + most_blobs, enough, len(self._at))

    def _runs(self, first: int, last: int) -> Iterator[Sequence[int]]:
        """The blobs `first` to `last`, the latter excluded, in runs of neighbours, each read at once; without
        those that are nowhere.
        """
        if first == last:
            return
        step = bisect_right(self._backwards, first)
        if self._at[first] >= 0 and (step == len(self._backwards) or self._backwards[step] >= last):
            cuts = self._apart[bisect_right(self._apart, first) : bisect_left(self._apart, last)]
            yield from (range(begin, end) for begin, end in pairwise((first, *cuts, last)))
            return
        # Neighbours perhaps, but in another order.
        run: list[int] = []
        stop = 0
        for row in sorted(range(first, last), key=self._at.__getitem__):
            if self._at[row] < 0:
                continue
            if run and self._at[row] - stop > _GAP:
                yield run
                run = []
            run.append(row)
            stop = self._at[row] + self._sizes[row]
        if run:
            yield run

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
