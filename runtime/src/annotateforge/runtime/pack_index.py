"""Where the blobs of packs are: the index in memory, some 50 bytes for each blob."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.pack_files import DELETED, PUT, Pack, Records

Digests = npt.NDArray[np.bytes_]
"""SHA-256, 32 bytes each. Fixed in length, so that numpy's leaving out of zeros at the end changes no
comparison.
"""
Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NOWHERE = -1
"""In place of a pack's number."""
_FEW = 4096
"""Blobs that are kept apart from the many, so that adding some does not copy all."""


class Places(NamedTuple):
    """Where some blobs are, a column each."""

    pack: Longs
    """Number of the pack; NOWHERE for a blob that is in none."""
    offset: Longs
    """First byte in the pack."""
    size: Longs
    """Bytes."""

    def at(self, rows: "npt.NDArray[np.int64] | Flags") -> "Places":
        """Some of the places."""
        return Places(self.pack[rows], self.offset[rows], self.size[rows])


@dataclass(frozen=True, slots=True)
class _Table:
    """Blobs by digest, and those of the same digest in the order in which they were added. A row stays when
    its blob goes, with NOWHERE for its pack.
    """

    digest: Digests
    pack: npt.NDArray[np.int32]
    offset: Longs
    size: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.digest)

    def rows(self, digests: Digests) -> tuple[Longs, Longs]:
        """Indices into `digests`, and the rows of them, all copies."""
        first = np.searchsorted(self.digest, digests, side="left")
        count = np.searchsorted(self.digest, digests, side="right") - first
        which = np.repeat(np.arange(len(digests)), count)
        return which, np.repeat(first + count - np.cumsum(count), count) + np.arange(count.sum())

    def with_more(self, other: "_Table") -> "_Table":
        """Both, without the rows of blobs that have gone."""
        mine, more = self._alive(), other._alive()
        at = np.searchsorted(mine.digest, more.digest, side="right")
        return _Table(
            np.insert(mine.digest, at, more.digest),
            np.insert(mine.pack, at, more.pack),
            np.insert(mine.offset, at, more.offset),
            np.insert(mine.size, at, more.size),
        )

    def _alive(self) -> "_Table":
        alive = self.pack != NOWHERE
        if alive.all():
            return self
        return _Table(self.digest[alive], self.pack[alive], self.offset[alive], self.size[alive])


_EMPTY = _Table(np.zeros(0, "S32"), np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.uint32))


class PackIndex:
    """Where blobs are. Threads may change and read it at once; who reads sees a change that is under way or
    does not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Replaced as a whole; only a row's pack is changed in place.
        self._tables = (_EMPTY, _EMPTY)

    def __len__(self) -> int:
        return sum(int(np.count_nonzero(table.pack != NOWHERE)) for table in self._tables)

    def learn(self, pack: Pack) -> None:
        """Take over what others have put into a pack and deleted from it."""
        with pack.lock:
            self.note(pack, pack.news())

    def note(self, pack: Pack, records: Records) -> None:
        """Take over what new records of a pack's index say. To be called under the lock of the pack, and
        before anything else is learned of it.
        """
        put = records[records["kind"] == PUT]
        deleted = records[records["kind"] == DELETED]
        if len(deleted):
            # A place is used once: only a deletion is ever later than the blob there.
            put = put[~np.isin(put["offset"], deleted["offset"])]
        with self._lock:
            if len(put):
                self._add(pack.number, put)
            if len(deleted):
                self._remove(deleted["digest"].copy(), pack.number, deleted["offset"].astype(np.int64))
        if len(deleted):
            # Even again: who looked up meanwhile may have found what goes.
            pack.deletions += 1

    def _add(self, pack: int, put: Records) -> None:
        """Add blobs. One that is there already is there twice then, and the new copy is the one found."""
        put = put[np.argsort(put["digest"], kind="stable")]
        many, few = self._tables
        few = few.with_more(
            _Table(
                put["digest"].copy(),
                np.full(len(put), pack, np.int32),
                put["offset"].astype(np.int64),
                put["size"].astype(np.uint32),
            )
        )
        if len(few) > max(_FEW, len(many) // 8):
            many, few = many.with_more(few), _EMPTY
        self._tables = many, few

    def remove(self, digests: Digests, pack: int, offsets: Longs) -> None:
        """Forget the copies of blobs that are at these places."""
        with self._lock:
            self._remove(digests, pack, offsets)

    def forget(self, pack: int) -> None:
        """Forget all blobs of a pack that is no longer there."""
        with self._lock:
            for table in self._tables:
                table.pack[table.pack == pack] = NOWHERE

    def _remove(self, digests: Digests, pack: int, offsets: Longs) -> None:
        for table in self._tables:
            which, rows = table.rows(digests)
            gone = rows[(table.pack[rows] == pack) & (table.offset[rows] == offsets[which])]
            table.pack[gone] = NOWHERE

    def find(self, digests: Digests) -> Places:
        """Where each blob is."""
        found = Places(*(np.full(len(digests), NOWHERE, np.int64) for _ in Places._fields))
        for table in self._tables:
            if not len(table):
                continue
            rows = np.searchsorted(table.digest, digests, side="right") - 1
            hits = np.flatnonzero((rows >= 0) & (table.digest[rows] == digests))
            rows = rows[hits]
            pack = table.pack[rows]
            if (pack == NOWHERE).any():
                # The last copy has gone; an earlier one may be there.
                which, rows = table.rows(digests)
                alive = table.pack[rows] != NOWHERE
                hits, rows = which[alive], rows[alive]
                pack = table.pack[rows]
            found.pack[hits], found.offset[hits], found.size[hits] = (
                pack,
                table.offset[rows],
                table.size[rows],
            )
        return found

    def copies(self, digests: Digests) -> tuple[Longs, Places]:
        """Indices into `digests`, and where all their copies are."""
        found = []
        # Without a lock, one that is moved meanwhile could be missed in either place.
        with self._lock:
            for table in self._tables:
                which, rows = table.rows(digests)
                pack = table.pack[rows].astype(np.int64)
                alive = pack != NOWHERE
                rows = rows[alive]
                size = table.size[rows].astype(np.int64)
                found.append((which[alive], pack[alive], table.offset[rows], size))
        which, *places = (np.concatenate(column) for column in zip(*found, strict=True))
        return which, Places(*places)

    def are_at(self, digests: Digests, places: Places) -> Flags:
        """Whether there is a copy of each blob at its place."""
        there = np.zeros(len(digests), np.bool_)
        which, copies = self.copies(digests)
        same = (copies.pack == places.pack[which]) & (copies.offset == places.offset[which])
        there[which[same]] = True
        return there

    def of_pack(self, pack: int) -> tuple[Longs, Longs]:
        """Offsets and sizes of all blobs in a pack, by offset."""
        found = []
        for table in self._tables:
            rows = np.flatnonzero(table.pack == pack)
            found.append((table.offset[rows], table.size[rows].astype(np.int64)))
        offsets, sizes = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.argsort(offsets, kind="stable")
        return offsets[order], sizes[order]

    def digests(self) -> set[str]:
        """The digests of all blobs, in hexadecimal."""
        return {
            digest.ljust(32, b"\0").hex()
            for table in self._tables
            for digest in table.digest[table.pack != NOWHERE].tolist()
        }


def as_digests(digests: Sequence[str]) -> Digests:
    """Digests from hexadecimal. InvalidArgument INVALID_DIGEST."""
    text = "".join(digests)
    try:
        found = bytes.fromhex(text)
        # fromhex passes over white space and takes capitals, and 63 digits may stand beside 65.
        if found.hex() == text and all(len(digest) == 64 for digest in digests):
            return np.frombuffer(found, "S32")
    except ValueError:
        pass
    raise InvalidArgument("INVALID_DIGEST", "A digest is a SHA-256 in 64 lower-case hexadecimal digits.")
