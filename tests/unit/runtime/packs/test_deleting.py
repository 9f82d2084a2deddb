"""Room that comes back, and readers of what is deleted meanwhile."""

import asyncio
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
import structlog

from annotateforge.runtime import pack_files
from annotateforge.runtime.errors import NotFound
from annotateforge.runtime.local_blobs import LocalBlobs
from annotateforge.runtime.pack_index import PackIndex
from annotateforge.runtime.packs import Packs
from tests.unit.runtime.packs.tools import (
    binary,
    contents,
    digest,
    only_pack,
    open_packs,
    read_all,
    room,
    some,
)


def test_room_comes_back_blob_by_blob(folder: Path) -> None:
    blobs = some(300, 10_000)
    opened = open_packs(folder)
    opened.put(list(blobs.items()))
    names = list(blobs)
    full = room(folder)
    opened.delete(names[::2])
    # Of each, all but what shares a block with a neighbour.
    assert room(folder) < full - sum(len(blobs[name]) for name in names[::2]) + 2 * 4096 * len(names[::2])
    opened.delete(names[1:-1:2])
    # Their neighbours have gone before; what is left is one blob, and not the blocks that they had shared.
    last = blobs[names[-1]]
    assert room(folder) <= len(last) + 3 * 4096
    assert contents(opened) == {names[-1]: last}
    assert contents(open_packs(folder)) == {names[-1]: last}
    opened.delete(names)
    # The last block, of which a part is behind the end.
    assert room(folder) <= 2 * 4096


def test_a_pack_goes_with_its_last_blob(folder: Path) -> None:
    blobs = some(10, 10_000)
    opened = open_packs(folder)
    opened.put(list(blobs.items()))
    del opened
    other = open_packs(folder)
    kept = other.look_up(binary(blobs))
    open_packs(folder).delete(list(blobs))
    assert list((folder / "packs").iterdir()) == []
    assert kept.read(0, 100, 2**30) == [None] * len(blobs)
    assert contents(other) == {}
    other.put(list(blobs.items()))
    assert contents(open_packs(folder)) == blobs


async def test_what_was_in_a_pack_that_was_removed_is_not_found_and_stored_again(folder: Path) -> None:
    store = LocalBlobs(folder)
    blobs = some(3, 5000)
    await store.put_many(list(blobs.items()))
    pack = only_pack(folder)
    pack.unlink()
    pack.with_suffix(".index").unlink()
    await store.put_bytes(b"another", digest(b"another"))
    name = next(iter(blobs))
    assert not await store.exists(name)
    with pytest.raises(NotFound):
        await store.get(name)
    await store.put_many(list(blobs.items()))
    assert contents(open_packs(folder)).keys() == {*blobs, digest(b"another")}


def test_room_that_a_killed_process_had_not_given_back_is_at_the_next_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = some(300, 50_000)
    opened = open_packs(folder)
    opened.put(list(blobs.items()))
    names = list(blobs)
    with monkeypatch.context() as patched:
        patched.setattr(pack_files, "_punch", lambda descriptor, offset, length: True)
        opened.delete(names[1:])
    full = room(folder)
    del opened
    assert contents(open_packs(folder)).keys() == {names[0]}
    assert full > 10_000_000
    assert room(folder) < 200_000


def test_where_files_cannot_have_holes_blobs_are_deleted_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_files, "_punch", lambda descriptor, offset, length: False)
    blobs = some(10, 10_000)
    opened = open_packs(folder)
    opened.put(list(blobs.items()))
    first, *others = blobs
    opened.delete(others)
    assert contents(opened) == contents(open_packs(folder)) == {first: blobs[first]}
    del opened
    open_packs(folder).delete([first])
    assert list((folder / "packs").glob("*.pack")) == []


@pytest.mark.parametrize("who", ["the same process", "another process"])
def test_a_reader_of_what_is_deleted_meanwhile_gets_nothing_and_never_zeros(folder: Path, who: str) -> None:
    blobs = some(100, 10_000)
    one = open_packs(folder)
    one.put(list(blobs.items()))
    reading = one.look_up(binary(blobs))
    gone = list(blobs)[10:50]
    (one if who == "the same process" else open_packs(folder)).delete(gone)
    # To say what has gone, it has to wait for whoever deletes.
    assert reading.read_now(0, 100, 2**30) is None
    read = reading.read(0, 100, 2**30)
    assert read == [None if sha256 in gone else data for sha256, data in blobs.items()]


@pytest.mark.parametrize("size", [4, 2 * 1024 * 1024])
async def test_a_store_that_is_cancelled_has_ended_when_its_caller_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    store = LocalBlobs(folder)
    begun, may_go_on = threading.Event(), threading.Event()
    real = os.fdatasync, os.fsync

    def flush(descriptor: int) -> None:
        begun.set()
        assert may_go_on.wait(10)
        real[0](descriptor)

    monkeypatch.setattr(os, "fdatasync", flush)
    monkeypatch.setattr(os, "fsync", flush)
    name = digest(bytes(size))
    storing = asyncio.create_task(store.put_many([(name, bytes(size))]))
    assert await asyncio.to_thread(begun.wait, 10)
    storing.cancel()
    done, _ = await asyncio.wait({storing}, timeout=0.1)
    assert not done
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await storing
    # Whoever deletes it now, since nobody needs it, finds it.
    await store.delete([name])
    assert not await store.exists(name)


async def test_a_deletion_that_is_cancelled_has_ended_when_its_caller_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalBlobs(folder)
    await store.put_bytes(b"some", digest(b"some"))
    begun, may_go_on = threading.Event(), threading.Event()
    real = Packs.delete

    def delete(opened: Packs, digests: Sequence[str]) -> None:
        begun.set()
        assert may_go_on.wait(10)
        real(opened, digests)

    monkeypatch.setattr(Packs, "delete", delete)
    deleting = asyncio.create_task(store.delete([digest(b"some")]))
    assert await asyncio.to_thread(begun.wait, 10)
    deleting.cancel()
    done, _ = await asyncio.wait({deleting}, timeout=0.1)
    assert not done
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await deleting
    # Whoever puts it again now finds it gone, and stores it.
    await store.put_bytes(b"some", digest(b"some"))
    assert await store.get(digest(b"some")) == b"some"


@pytest.mark.parametrize("who", ["the same process", "another process"])
def test_what_is_looked_up_just_before_it_leaves_the_index_is_not_read_as_zeros(
    folder: Path, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    blobs = some(3, 50_000)
    one = open_packs(folder)
    one.put(list(blobs.items()))
    gone = list(blobs)[1]
    real = PackIndex._remove
    readings = []

    def remove(index: PackIndex, *args: Any) -> None:
        if index is one._index:
            readings.append(one.look_up(binary([gone])))
        real(index, *args)

    monkeypatch.setattr(PackIndex, "_remove", remove)
    (one if who == "the same process" else open_packs(folder)).delete([gone])
    one.refresh()
    (reading,) = readings
    assert reading.read(0, 1, 1) == [None]


def test_what_is_read_while_its_deletion_is_learned_is_not_read_as_zeros(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = some(20, 50_000)
    writer = open_packs(folder)
    writer.put(list(blobs.items()))
    reader = open_packs(folder)
    gone = list(blobs)[5:15]
    writer.delete(gone)
    learning, going_on = threading.Event(), threading.Event()
    real = PackIndex._remove

    def remove(*arguments: Any) -> None:
        learning.set()
        assert going_on.wait(20)
        real(*arguments)

    monkeypatch.setattr(PackIndex, "_remove", remove)
    with ThreadPoolExecutor(2) as threads:
        refreshing = threads.submit(reader.refresh)
        assert learning.wait(20)
        reading = threads.submit(reader.read_one, gone[4])
        # It waits for the other thread, which has seen the deletion and not taken it over yet.
        wait([reading], timeout=0.3)
        going_on.set()
        assert reading.result() is None
        refreshing.result()


def test_what_another_process_moves_during_a_look_at_the_packs_is_found_and_deleted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = some(600, 300)
    open_packs(folder).put(list(blobs.items()))
    reader, mover = open_packs(folder), open_packs(folder)
    real = pack_files.Pack.has_news
    looked: list[pack_files.Pack] = []

    def has_news(pack: pack_files.Pack) -> bool:
        if pack in reader._packs.values() and not looked:
            looked.append(pack)
            # To a pack that was not there when the folder was listed.
            assert mover.arrange(sorted(blobs), threading.Event()) == len(blobs)
        return real(pack)

    monkeypatch.setattr(pack_files.Pack, "has_news", has_news)
    reader.delete(list(blobs))
    assert looked
    assert contents(open_packs(folder)) == {}


def test_the_log_says_once_that_files_cannot_have_holes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_files, "_punch", lambda descriptor, offset, length: False)
    blobs = some(100, 10_000)
    opened = open_packs(folder)
    opened.put(list(blobs.items()))
    with structlog.testing.capture_logs() as lines:
        opened.delete(list(blobs)[::2])
    assert len(lines) == 1


async def test_blobs_that_come_and_go_are_whole_or_not_found(folder: Path) -> None:
    reader, writer = LocalBlobs(folder), LocalBlobs(folder)
    staying = some(40, 10_000)
    coming = some(40, 10_000, seed=1)
    await writer.put_many(list(staying.items()))
    done = asyncio.Event()

    async def churn() -> None:
        for _ in range(25):
            await writer.put_many(list(coming.items()))
            await writer.arrange(sorted([*staying, *coming]))
            await writer.delete(list(coming))
        done.set()

    async def read() -> int:
        found = 0
        mixed = [name for pair in zip(staying, coming, strict=True) for name in pair]
        while not done.is_set():
            assert await read_all(reader, list(staying)) == list(staying.values())
            for name in mixed:
                try:
                    assert digest(await reader.get(name)) == name
                    found += name in coming
                except NotFound:
                    assert name in coming
        return found

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(churn())
        readers = [group.create_task(read()) for _ in range(2)]
    assert sum(reader.result() for reader in readers) > 0
