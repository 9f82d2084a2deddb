"""Small blobs in a folder of packs, which several processes may share. Everything here blocks.

Each process appends to a pack of its own and learns of the others' blobs from their indexes. A blob may be in
several packs, when two processes put the same bytes or one of them died while it moved some.
"""

import contextlib
import fcntl
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from annotateforge.runtime.heap import trim_heap
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.local_files import sync_folder
from annotateforge.runtime.pack_files import (
    DELETED,
    INDEX,
    PACK,
    RECORD_BYTES,
    Buffer,
    Pack,
    make_pack,
    read_records,
    write_record,
)
from annotateforge.runtime.pack_index import NOWHERE, Digests, Flags, Longs, PackIndex, Places, as_digests
from annotateforge.runtime.pack_reading import Reading
from annotateforge.runtime.pack_writer import PackWriter

PACK_BYTES = 512 * 1024 * 1024
"""Bytes of a pack after which another one is begun."""

_MOVED_AT_ONCE = 8 * 1024 * 1024
"""Bytes that are moved with one flush."""
_LEAST_MOVED = 256
"""Blobs; of fewer, the order makes no difference."""
_FORWARDS = 32
"""Steps forwards for each step backwards that are good enough."""
_FEW_PACKS = 4
"""Packs that are read in turn without loss."""
_UNFREED = 4 * 1024 * 1024
"""Bytes of a pack that are not worth looking for room that was not given back."""


class Packs:
    """The packs of one folder."""

    def __init__(self, folder: Path, incoming: Path) -> None:
        """The folder is made where it is missing; new packs come about in `incoming`. What processes that
        died have left is mended.
        """
        self._folder = folder
        self._incoming = incoming
        self._index = PackIndex()
        self._packs: dict[int, Pack] = {}
        self._known: dict[str, int] = {}
        self._count = 0
        self._lock = threading.RLock()
        """Held while `_packs` and `_known` change."""
        self._opening = threading.Lock()
        self._moving = threading.Lock()
        self._writer: PackWriter | None = None
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
        self.refresh()
        for pack in self._all():
            if self._own(pack):
                self._tidy(pack)
        self._remove_stray()
        # The indexes as they were read.
        trim_heap()

    def _all(self) -> list[Pack]:
        with self._lock:
            return list(self._packs.values())

    def _remove_stray(self) -> None:
        """Indexes of packs that have gone; a pack comes before its index."""
        for path in self._folder.glob(f"*{INDEX}"):
            if not path.with_suffix(PACK).exists():
                path.unlink(missing_ok=True)

    # What is there.

    def refresh(self) -> None:
        """Learn what other processes have put and deleted."""
        # What was moved is in another pack, perhaps in one that was looked at before it was.
        while self._learn_of_deletions():
            pass

    def _learn_of_deletions(self) -> bool:
        """Look once at what other processes have done; answers whether they have deleted something."""
        deleted = False
        names = {name for name in os.listdir(self._folder) if name.endswith(PACK)}
        with self._lock:
            for name in sorted(names - self._known.keys()):
                with contextlib.suppress(FileNotFoundError):
                    self._count += 1
                    self._add(Pack(self._folder / name, self._count))
            packs = list(self._packs.values())
        for pack in packs:
            if pack.has_news():
                deletions = pack.deletions
                self._index.learn(pack)
                deleted |= pack.deletions > deletions
            if pack.path.name not in names and pack.has_gone():
                self._forget(pack)
        return deleted

    def _add(self, pack: Pack) -> None:
        with self._lock:
            self._packs[pack.number] = pack
            self._known[pack.path.name] = pack.number

    def _forget(self, pack: Pack) -> None:
        with self._lock:
            self._packs.pop(pack.number, None)
            self._known.pop(pack.path.name, None)
        # Nothing, unless it was removed by hand.
        self._index.forget(pack.number)

    def has(self, sha256: str) -> bool:
        """Whether a blob is there, as far as this process knows."""
        return bool(self._index.find(as_digests([sha256])).pack[0] != NOWHERE)

    def digests(self) -> set[str]:
        """All blobs, in hexadecimal."""
        self.refresh()
        return self._index.digests()

    def look_up(self, digests: bytes) -> Reading:
        """Some blobs, to be read where they are now; their digests have 32 bytes each."""
        return Reading(self._all(), self._index, np.frombuffer(digests, "S32"))

    def read_one(self, sha256: str) -> memoryview | None:
        """The bytes of a blob; None when it is not there as far as this process knows, or is deleted or moved
        while it is read.
        """
        return self.look_up(as_digests([sha256]).tobytes()).read(0, 1, 1)[0]

    # Writing.

    def put(self, blobs: Sequence[tuple[str, Buffer]]) -> None:
        """Store blobs that are not there yet; they will outlast a crash of the machine when it returns."""
        digests = as_digests([sha256 for sha256, _ in blobs])
        self.refresh()
        there = self._index.find(digests).pack != NOWHERE
        fresh = {
            sha256: data for (sha256, data), known in zip(blobs, there.tolist(), strict=True) if not known
        }
        named = [(bytes.fromhex(sha256), data) for sha256, data in fresh.items()]
        while named and not self._open_writer().put(named):
            pass

    def _open_writer(self) -> PackWriter:
        with self._opening:
            writer = self._writer
            if writer is not None and (writer.end >= PACK_BYTES or writer.pack.has_gone()):
                writer.retire()
            if writer is None or writer.retired:
                self._writer = writer = PackWriter(self._pack_to_fill(()), self._index)
            return writer

    def _pack_to_fill(self, others_than: Sequence[int]) -> Pack:
        """A pack that this process owns from now on: one with room that nobody owns, or a new one."""
        for pack in self._all():
            if pack.number not in others_than and pack.end < PACK_BYTES and self._own(pack):
                return pack
        with self._lock:
            self._count += 1
            name = str(new_id())
            pack = make_pack(self._incoming / name, self._folder / (name + PACK), self._count)
            self._add(pack)
        sync_folder(self._folder)
        return pack

    def _own(self, pack: Pack) -> bool:
        """Own a pack and mend what its last owner has left."""
        if not pack.own():
            return False
        with pack.changing():
            self._index.learn(pack)
            self._index.note(pack, pack.recover())
        return True

    def _tidy(self, pack: Pack) -> None:
        """Give a pack that is owned up, free what somebody did not get to freeing, and remove it when nothing
        is in it.
        """
        offsets, sizes = self._index.of_pack(pack.number)
        if not len(offsets):
            pack.remove()
            self._forget(pack)
            return
        needed = int(sizes.sum()) + RECORD_BYTES * len(sizes)
        if pack.allocated() > needed + 2 * len(sizes) * 4096 + _UNFREED:
            self._free(pack, np.zeros(0, np.int64), everything=True)
        pack.disown()

    # Deleting.

    def delete(self, digests: Sequence[str]) -> None:
        """Delete blobs and give their room back."""
        wanted = as_digests(digests)
        while True:
            self.refresh()
            which, places = self._index.copies(wanted)
            if not len(which):
                return
            # Somebody may move a blob meanwhile: it is gone when no copy is left.
            for number in np.unique(places.pack).tolist():
                mine = places.pack == number
                self._drop(number, wanted[which[mine]], places.at(mine))

    def _drop(self, number: int, digests: Digests, places: Places) -> None:
        pack = self._packs.get(number)
        if pack is None:
            self._index.remove(digests, number, places.offset)
            return
        with pack.changing():
            self._index.learn(pack)
            offsets = self._bury(pack, digests, places)
        self._free(pack, offsets)

    def _bury(self, pack: Pack, digests: Digests, places: Places) -> Longs:
        """Note deletions in the index of a pack that is `changing`; answers the offsets of the blobs that
        were there.
        """
        there = self._index.are_at(digests, places)
        offsets, sizes = places.offset[there], places.size[there]
        names = [digest.ljust(32, b"\0") for digest in digests[there].tolist()]
        columns = zip(names, offsets.tolist(), sizes.tolist(), strict=True)
        if records := b"".join([write_record(DELETED, *column, 0) for column in columns]):
            pack.append_records(records, flush=True)
            self._index.note(pack, read_records(records))
        return offsets

    def _free(self, pack: Pack, gone: Longs, *, everything: bool = False) -> None:
        """Give back the room of blobs that have gone, with the dead bytes on both sides: blocks of the disk
        are larger than the gaps between blobs.
        """
        with pack.lock:
            offsets, sizes = self._index.of_pack(pack.number)
            known_end = pack.end
        if not everything and not len(offsets) and self._own(pack):
            self._tidy(pack)
            return
        # Before, between and behind the blobs that are there; after the last known one, bytes are being put.
        begins = np.append(0, offsets + sizes)
        ends = np.append(offsets - RECORD_BYTES, known_end)
        holes = (
            np.arange(len(begins)) if everything else np.unique(np.searchsorted(begins, gone, "right") - 1)
        )
        for hole in holes.tolist():
            if not pack.free(int(begins[hole]), int(ends[hole])):
                break

    # Order.

    def arrange(self, digests: Sequence[str], stop: threading.Event) -> int:
        """Lay blobs that will be read in this order side by side, but for those that nearly are; answers how
        many were moved. Nothing is moved while another process does so or the disk is nearly full.
        """
        wanted = as_digests(digests)
        with self._only_mover() as alone:
            if not alone:
                return 0
            self.refresh()
            places = self._index.find(wanted)
            there = places.pack != NOWHERE
            wanted, places = wanted[there], places.at(there)
            rows = scattered(places)
            wanted, places = wanted[rows], places.at(rows)
            if not len(wanted) or shutil.disk_usage(self._folder).free < 2 * int(places.size.sum()):
                return 0
            return self._move(wanted, places, stop)

    @contextlib.contextmanager
    def _only_mover(self) -> Iterator[bool]:
        """Whether nobody else moves blobs: who does holds the locks of several packs."""
        if not self._moving.acquire(blocking=False):
            yield False
            return
        try:
            descriptor = os.open(self._folder / "moving", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
            finally:
                os.close(descriptor)
        finally:
            self._moving.release()

    def _move(self, digests: Digests, places: Places, stop: threading.Event) -> int:
        sources = np.unique(places.pack).tolist()
        groups = np.cumsum(places.size) // _MOVED_AT_ONCE
        moved = 0
        target: PackWriter | None = None
        gone: dict[int, list[Longs]] = {number: [] for number in sources}
        try:
            for group in np.unique(groups).tolist():
                if stop.is_set():
                    break
                if target is None or target.end >= PACK_BYTES:
                    if target is not None:
                        target.retire()
                    target = PackWriter(self._pack_to_fill(sources), self._index)
                mine = groups == group
                moved += self._move_group(digests[mine], places.at(mine), target, gone)
        finally:
            if target is not None:
                target.retire()
            for number, offsets in gone.items():
                pack = self._packs.get(number)
                if pack is not None and offsets:
                    self._free(pack, np.concatenate(offsets))
        return moved

    def _move_group(
        self, digests: Digests, places: Places, target: PackWriter, gone: dict[int, list[Longs]]
    ) -> int:
        """Copy some blobs to another pack and delete them where they were. Nobody deletes one of them
        meanwhile, or the copy would stay.
        """
        packs = [self._packs.get(number) for number in np.unique(places.pack).tolist()]
        with contextlib.ExitStack() as locks:
            for pack in packs:
                if pack is not None:
                    locks.enter_context(pack.changing())
                    self._index.learn(pack)
            there = self._index.are_at(digests, places)
            digests, places = digests[there], places.at(there)
            names = [digest.ljust(32, b"\0") for digest in digests.tolist()]
            data = self.look_up(digests.tobytes()).read(0, len(names), 2 * _MOVED_AT_ONCE)
            blobs = [(name, part) for name, part in zip(names, data, strict=True) if part is not None]
            if len(blobs) < len(names):
                return 0
            if not target.put(blobs):
                return 0
            for pack in packs:
                if pack is not None:
                    mine = places.pack == pack.number
                    gone[pack.number].append(self._bury(pack, digests[mine], places.at(mine)))
        return len(blobs)


def scattered(places: Places) -> Flags:
    """Which of some blobs, read in this order, had better be moved: those of packs that would be read
    forwards and backwards, or all when they are in many packs.
    """
    if not len(places.pack):
        return np.zeros(0, np.bool_)
    packs, which, count = np.unique(places.pack, return_inverse=True, return_counts=True)
    order = np.argsort(which, kind="stable")
    pack, offset = which[order], places.offset[order]
    backwards = (pack[1:] == pack[:-1]) & (offset[1:] < offset[:-1])
    often = np.bincount(pack[1:][backwards], minlength=len(packs)) * _FORWARDS > count
    many = len(packs) > _FEW_PACKS + 2 * int(places.size.sum()) // PACK_BYTES
    rows: Flags = (often | many)[which]
    return rows if np.count_nonzero(rows) >= _LEAST_MOVED else np.zeros(len(rows), np.bool_)
