"""Blobs that are laid in the order in which they are read."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from annotateforge.runtime.pack_writer import PackWriter
from tests.unit.runtime.packs.tools import binary, contents, digest, open_packs, room, some


def test_scattered_blobs_are_laid_in_order_and_their_old_room_comes_back(folder: Path) -> None:
    blobs = some(2000, 3000)
    opened = open_packs(folder)
    opened.put(list(blobs.items()))
    before = room(folder)
    other = open_packs(folder)
    reading = other.look_up(binary(sorted(blobs)))
    assert opened.arrange(sorted(blobs), threading.Event()) == len(blobs)
    assert reading.read(0, 10, 2**30) == [None] * 10
    assert contents(other) == contents(opened) == contents(open_packs(folder)) == blobs
    assert room(folder) < 1.1 * before
    # In order now, and so for any part of them.
    assert opened.arrange(sorted(blobs), threading.Event()) == 0
    assert opened.arrange(sorted(blobs)[::3], threading.Event()) == 0
    # A few more make no difference; many are laid beside those that stay where they are.
    few, many = some(20, 3000, seed=1), some(500, 3000, seed=2)
    opened.put(list(few.items()))
    assert opened.arrange(sorted([*blobs, *few]), threading.Event()) == 0
    opened.put(list(many.items()))
    everything = blobs | few | many
    assert opened.arrange(sorted(everything), threading.Event()) == len(few) + len(many)
    assert contents(opened) == contents(open_packs(folder)) == everything
    opened.delete(list(everything))
    assert contents(open_packs(folder)) == {}


def test_only_one_process_moves_blobs_and_it_stops_when_told(folder: Path) -> None:
    blobs = some(600, 3000)
    one, other = open_packs(folder), open_packs(folder)
    one.put(list(blobs.items()))
    with one._only_mover() as alone:
        assert alone
        assert other.arrange(sorted(blobs), threading.Event()) == 0
        assert one.arrange(sorted(blobs), threading.Event()) == 0
    told = threading.Event()
    told.set()
    assert one.arrange(sorted(blobs), told) == 0
    assert other.arrange(sorted(blobs), threading.Event()) == len(blobs)
    assert contents(one) == blobs


def test_what_is_deleted_while_it_is_moved_is_gone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = some(600, 3000)
    mover, other = open_packs(folder), open_packs(folder)
    mover.put(list(blobs.items()))
    gone = list(blobs)[100:400]
    deleting = threading.Thread(target=other.delete, args=(gone,))
    real = PackWriter.put

    def put(self: PackWriter, batch: Sequence[tuple[bytes, memoryview]]) -> bool:
        # It has looked where they are, and waits for the lock that the mover holds.
        deleting.start()
        deleting.join(0.2)
        assert deleting.is_alive()
        return real(self, batch)

    monkeypatch.setattr(PackWriter, "put", put)
    assert mover.arrange(sorted(blobs), threading.Event()) == len(blobs)
    deleting.join(10)
    kept = {sha256: data for sha256, data in blobs.items() if sha256 not in gone}
    assert contents(mover) == contents(other) == contents(open_packs(folder)) == kept


def test_the_index_takes_little_memory(folder: Path) -> None:
    opened = open_packs(folder)
    opened.put([(digest(data), data) for data in (b"%d" % number for number in range(20_000))])
    for _ in range(3):
        tables = opened._index._tables
        columns = [
            column for table in tables for column in (table.digest, table.pack, table.offset, table.size)
        ]
        assert sum(column.nbytes for column in columns) < 60 * 20_000
        opened = open_packs(folder)
