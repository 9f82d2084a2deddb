"""Packs: what crashes, other processes, deletions and moves do to them."""

import asyncio
import errno
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog

from annotateforge.runtime import pack_files, packs
from annotateforge.runtime.blobs import BlobStore, blob_key
from annotateforge.runtime.errors import NotFound, ResourceExhausted, Unavailable
from annotateforge.runtime.local_blobs import LocalBlobs
from annotateforge.runtime.pack_files import RECORD_BYTES
from annotateforge.runtime.pack_index import PackIndex
from annotateforge.runtime.pack_writer import PackWriter
from annotateforge.runtime.packs import Packs


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def some(count: int, size: int, seed: int = 0) -> dict[str, bytes]:
    """Blobs of about a size, by digest."""
    chance = random.Random(f"{count} {size} {seed}")
    return {
        digest(data): data for data in (chance.randbytes(chance.randint(1, 2 * size)) for _ in range(count))
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


def open_packs(folder: Path) -> Packs:
    """The packs of a store as another process has them: locks are those of the open file."""
    (folder / "incoming").mkdir(parents=True, exist_ok=True)
    return Packs(folder / "packs", folder / "incoming")


def contents(opened: Packs) -> dict[str, bytes]:
    """All blobs, each of which must be what its digest says."""
    found = {}
    for sha256 in opened.digests():
        data = opened.read_one(sha256)
        assert data is not None
        found[sha256] = bytes(data)
        assert digest(found[sha256]) == sha256
    return found


def room(folder: Path) -> int:
    """Bytes that the packs take on the disk."""
    return sum(path.stat().st_blocks * 512 for path in (folder / "packs").glob("*.pack"))


def only_pack(folder: Path) -> Path:
    (path,) = (folder / "packs").glob("*.pack")
    return path


async def read_all(store: BlobStore, digests: Sequence[str]) -> list[bytes]:
    return [bytes(blob) async for batch in store.read_many(digests) for blob in batch]


# Crashes.

WRITER = """
import hashlib, os, random, sys, threading
from pathlib import Path
from annotateforge.runtime.pack_writer import PackWriter
from annotateforge.runtime.packs import Packs

folder, seed = Path(sys.argv[1]), int(sys.argv[2])
chance = random.Random(seed)
packs = Packs(folder / "packs", folder / "incoming")
there = []
while True:
    batch = [chance.randbytes(chance.randint(0, 30_000)) for _ in range(chance.randint(1, 40))]
    named = [(hashlib.sha256(data).hexdigest(), data) for data in batch]
    packs.put(named)
    there += [name for name, _ in named]
    os.write(1, "".join(f"put {name}\\n" for name, _ in named).encode())
    if chance.random() < 0.3:
        gone = [there.pop(chance.randrange(len(there))) for _ in range(min(10, len(there)))]
        os.write(1, "".join(f"going {name}\\n" for name in gone).encode())
        packs.delete(gone)
        os.write(1, "".join(f"gone {name}\\n" for name in gone).encode())
    if chance.random() < 0.2:
        packs.arrange(sorted(there), threading.Event())
"""


@pytest.mark.parametrize("seed", range(6))
def test_a_writer_killed_at_any_point_loses_nothing_that_it_had_stored(folder: Path, seed: int) -> None:
    (folder / "incoming").mkdir(parents=True)
    chance = random.Random(seed)
    stored: set[str] = set()
    perhaps: set[str] = set()
    for life in range(2):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), str(seed * 100 + life)], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(chance.randint(1, 900))]
        writer.send_signal(signal.SIGKILL)
        # What it had said when it was killed counts too.
        lines += writer.stdout.read().splitlines(keepends=True)
        writer.wait(10)
        writer.stdout.close()
        for line in lines:
            word, name = line.decode().split()
            if word == "put":
                stored.add(name)
            elif word == "going":
                stored.remove(name)
                perhaps.add(name)
            else:
                perhaps.remove(name)
        there = contents(open_packs(folder))
        assert stored <= there.keys()
        # What it was storing when it was killed may be there, whole; what had gone is not.
        assert len(there.keys() - stored - perhaps) <= 40
        stored |= there.keys()
        perhaps.clear()


def test_an_index_cut_anywhere_is_mended_from_the_pack(folder: Path, tmp_path: Path) -> None:
    blobs = some(12, 300)
    open_packs(folder).put(list(blobs.items()))
    index = only_pack(folder).with_suffix(".index")
    whole = index.read_bytes()
    for cut in range(0, len(whole), 23):
        copy = tmp_path / "cut"
        shutil.copytree(folder, copy)
        # The kernel may have enlarged the file and not written what was in it.
        (copy / "packs" / index.name).write_bytes(whole[:cut] + b"\0" * (cut % 3 * 50))
        assert contents(open_packs(copy)) == blobs
        assert contents(open_packs(copy)) == blobs
        assert (copy / "packs" / index.name).read_bytes() == whole
        shutil.rmtree(copy)


def test_a_pack_cut_anywhere_has_the_blobs_before_the_cut_and_takes_others(
    folder: Path, tmp_path: Path
) -> None:
    blobs = some(12, 300)
    more = some(3, 300, seed=1)
    open_packs(folder).put(list(blobs.items()))
    pack = only_pack(folder)
    whole = pack.read_bytes()
    ends = np.cumsum([RECORD_BYTES + len(data) for data in blobs.values()]).tolist()
    for cut in range(0, len(whole), 97):
        copy = tmp_path / "cut"
        shutil.copytree(folder, copy)
        (copy / "packs" / pack.name).write_bytes(whole[:cut] + b"\0" * (cut % 3 * 50))
        # Bytes are flushed before the index has them.
        (copy / "packs" / pack.with_suffix(".index").name).write_bytes(b"")
        kept = dict(list(blobs.items())[: sum(end <= cut for end in ends)])
        opened = open_packs(copy)
        assert contents(opened) == kept
        opened.put(list(more.items()))
        assert contents(opened) == kept | more
        assert contents(open_packs(copy)) == kept | more
        shutil.rmtree(copy)


def test_deletions_outlast_an_index_that_loses_what_came_after_them(folder: Path) -> None:
    blobs = some(10, 5000)
    opened = open_packs(folder)
    opened.put(list(blobs.items()))
    gone = list(blobs)[2:7]
    opened.delete(gone)
    index = only_pack(folder).with_suffix(".index")
    flushed = index.stat().st_size
    more = some(4, 5000, seed=1)
    opened.put(list(more.items()))
    del opened
    os.truncate(index, flushed)
    kept = {sha256: data for sha256, data in blobs.items() if sha256 not in gone}
    assert contents(open_packs(folder)) == kept | more


def test_what_a_crash_has_left_in_an_index_holds_up_no_reader(folder: Path) -> None:
    blobs = some(3, 5000)
    open_packs(folder).put(list(blobs.items()))
    index = only_pack(folder).with_suffix(".index")
    with index.open("ab") as file:
        file.write(bytes(1000))
    opened = open_packs(folder)
    assert index.stat().st_size == 3 * RECORD_BYTES
    assert contents(opened) == blobs


@pytest.mark.parametrize("spoilt", [0, 5, 19])
def test_a_record_that_is_spoilt_costs_no_blob(folder: Path, spoilt: int) -> None:
    blobs = some(20, 20_000)
    opened = open_packs(folder)
    opened.put(list(blobs.items()))
    gone = list(blobs)[10:13]
    opened.delete(gone)
    del opened
    with only_pack(folder).with_suffix(".index").open("r+b") as index:
        index.seek(spoilt * RECORD_BYTES + 20)
        index.write(b"rotten")
    left = {name: data for name, data in blobs.items() if name not in gone}
    for _ in range(2):
        assert contents(open_packs(folder)) == left
    opened = open_packs(folder)
    opened.put([(digest(b"new"), b"new")])
    assert contents(open_packs(folder)) == left | {digest(b"new"): b"new"}


def test_nobody_writes_over_what_stands_behind_a_record_that_is_spoilt(folder: Path) -> None:
    blobs = some(20, 5000)
    owner = open_packs(folder)
    owner.put(list(blobs.items()))
    with only_pack(folder).with_suffix(".index").open("r+b") as index:
        index.seek(5 * RECORD_BYTES + 20)
        index.write(b"rotten")
    other = open_packs(folder)
    with pytest.raises(OSError, match="spoilt"):
        other.delete(list(blobs)[:2])
    owner.put([(digest(b"new"), b"new")])
    del owner, other
    assert contents(open_packs(folder)) == blobs | {digest(b"new"): b"new"}


def test_a_deletion_behind_what_a_crash_has_left_is_read(folder: Path) -> None:
    blobs = some(5, 5000)
    owner = open_packs(folder)
    owner.put(list(blobs.items()))
    with only_pack(folder).with_suffix(".index").open("ab") as index:
        index.write(b"\0" * 200)
    gone = next(iter(blobs))
    open_packs(folder).delete([gone])
    assert owner.read_one(gone) is None
    assert contents(open_packs(folder)).keys() == blobs.keys() - {gone}


async def test_a_flush_that_fails_stores_nothing_and_the_next_one_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalBlobs(folder)
    first, second, third = (some(3, 5000, seed) for seed in range(3))
    await store.put_many(list(first.items()))
    for number, kind in ((errno.ENOSPC, ResourceExhausted), (errno.EIO, Unavailable)):

        def fails(descriptor: int, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", fails)
            with pytest.raises(kind):
                await store.put_many(list(second.items()))
        assert not any([await store.exists(sha256) for sha256 in second])
    await store.put_many(list(third.items()))
    assert contents(open_packs(folder)) == first | third
    await store.put_many(list(second.items()))
    assert contents(open_packs(folder)) == first | second | third


def test_a_write_that_fails_half_way_is_written_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_packs(folder)
    blobs = some(6, 5000)
    real = os.pwritev

    def full(descriptor: int, parts: list[bytes], offset: int) -> int:
        real(descriptor, parts[:3], offset)
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwritev", full)
        with pytest.raises(OSError, match="full"):
            opened.put(list(blobs.items()))
    assert contents(opened) == {}
    opened.put(list(blobs.items()))
    assert contents(opened) == contents(open_packs(folder)) == blobs


@pytest.mark.parametrize("whole", [0, 2, 6])
def test_an_index_that_takes_only_some_records_has_their_blobs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, whole: int
) -> None:
    opened, other = open_packs(folder), open_packs(folder)
    first, second = some(1, 5000), some(6, 5000, seed=1)
    opened.put(list(first.items()))
    real = os.pwritev
    index = only_pack(folder).with_suffix(".index").stat().st_ino

    def full(descriptor: int, parts: list[bytes], offset: int) -> int:
        if os.fstat(descriptor).st_ino != index:
            return real(descriptor, parts, offset)
        real(descriptor, [bytes(parts[0])[: whole * RECORD_BYTES + 10]], offset)
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwritev", full)
        with pytest.raises(OSError, match="No space"):
            opened.put(list(second.items()))
    assert len(contents(opened)) == len(contents(other)) == 1 + whole
    opened.put(list(second.items()))
    assert contents(opened) == contents(other) == contents(open_packs(folder)) == first | second


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs fallocate")
def test_deletions_take_no_new_room_on_the_disk(folder: Path) -> None:
    blobs = some(1200, 100)
    opened = open_packs(folder)
    names = list(blobs)
    for at in range(0, 1200, 50):
        opened.put([(name, blobs[name]) for name in names[at : at + 50]])
    index = only_pack(folder).with_suffix(".index")
    before = index.stat().st_blocks
    for at in range(0, 1000, 50):
        opened.delete(names[at : at + 50])
    assert index.stat().st_size == 2200 * RECORD_BYTES
    assert index.stat().st_blocks == before
    assert contents(open_packs(folder)).keys() == set(names[1000:])


def test_a_pack_whose_index_found_no_room_is_filled_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_packs(folder)
    first, second = some(3, 5000), some(3, 5000, seed=1)
    opened.put(list(first.items()))
    late = []

    def full(descriptor: int, mode: int, offset: int, length: int) -> bool:
        writer = opened._writer
        assert writer is not None
        # Somebody who is to be settled next.
        writer._append([(bytes(32), b"late")])
        late.append(writer)
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(pack_files, "_fallocated", full)
        patched.setattr(pack_files, "_DELETIONS_BYTES", 2**30)
        for _ in range(3):
            with pytest.raises(OSError, match="No space"):
                opened.put(list(second.items()))
    assert contents(opened) == first
    writer = opened._open_writer()
    writer._append([(bytes.fromhex(name), data) for name, data in second.items()])
    for one in late:
        one.retire()
    writer._settle()
    assert only_pack(folder).exists()
    assert contents(opened) == contents(open_packs(folder)) == first | second


async def test_a_batch_takes_one_flush(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalBlobs(folder)
    await store.put_bytes(b"first", digest(b"first"))
    flushes = []
    real = os.fdatasync

    def counted(descriptor: int) -> None:
        flushes.append(1)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", counted)
    blobs = some(64, 5000)
    await store.put_many(list(blobs.items()))
    assert len(flushes) == 1


def test_callers_at_once_share_a_flush(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_packs(folder)
    opened.put([(digest(b"first"), b"first")])
    flushing, go = threading.Event(), threading.Event()
    flushes = []
    real = os.fdatasync

    def slow(descriptor: int) -> None:
        flushes.append(1)
        flushing.set()
        go.wait(10)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    blobs = some(20, 5000)
    end = only_pack(folder).stat().st_size + sum(RECORD_BYTES + len(data) for data in blobs.values())
    callers = [threading.Thread(target=opened.put, args=([blob],)) for blob in blobs.items()]
    callers[0].start()
    assert flushing.wait(10)
    for caller in callers[1:]:
        caller.start()
    # All have written while the first one flushes; the next flush is for all of them.
    while only_pack(folder).stat().st_size < end:
        pass
    go.set()
    for caller in callers:
        caller.join(10)
    assert len(flushes) == 2
    assert contents(open_packs(folder)) == blobs | {digest(b"first"): b"first"}


# Other processes.

COMPANION = """
import asyncio, hashlib, sys
from pathlib import Path
from annotateforge.runtime.errors import NotFound
from annotateforge.runtime.local_blobs import LocalBlobs

async def main():
    store = LocalBlobs(Path(sys.argv[1]))
    for line in sys.stdin:
        word, *values = line.split()
        if word == "put":
            blobs = map(bytes.fromhex, values)
            await store.put_many([(hashlib.sha256(data).hexdigest(), data) for data in blobs])
            answer = "done"
        elif word == "delete":
            await store.delete(values)
            answer = "done"
        else:
            try:
                answer = "x" + (await store.get(values[0])).hex()
            except NotFound:
                answer = "not found"
        print(answer, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def companion(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process on the same folder."""
    started = subprocess.Popen(
        [sys.executable, "-c", COMPANION, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield started
    started.communicate(timeout=10)


async def ask(process: "subprocess.Popen[str]", *words: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(" ".join(words) + "\n")
    process.stdin.flush()
    async with asyncio.timeout(20):
        return (await asyncio.to_thread(process.stdout.readline)).strip()


async def test_two_processes_see_what_the_other_puts_and_deletes(
    folder: Path, companion: "subprocess.Popen[str]"
) -> None:
    store = LocalBlobs(folder)
    mine, theirs = some(5, 5000), some(5, 5000, seed=1)
    await store.put_many(list(mine.items()))
    assert await ask(companion, "put", *[data.hex() for data in theirs.values()]) == "done"
    assert await read_all(store, [*theirs, *mine]) == [*theirs.values(), *mine.values()]
    for sha256, data in mine.items():
        assert await ask(companion, "get", sha256) == "x" + data.hex()
    # Each of them writes to a pack of its own, and deletes from the other's.
    assert len(list((folder / "packs").glob("*.pack"))) == 2
    lost, left, *_ = mine
    assert await ask(companion, "delete", lost) == "done"
    with pytest.raises(NotFound):
        await store.get(lost)
    assert await store.get(left) == mine[left]
    lost, left, *_ = theirs
    await store.delete([lost])
    assert await ask(companion, "get", lost) == "not found"
    assert await ask(companion, "get", left) == "x" + theirs[left].hex()
    # Put again by the one that has not seen it go.
    await store.put_bytes(theirs[lost], lost)
    assert await ask(companion, "get", lost) == "x" + theirs[lost].hex()


def test_what_another_process_has_deleted_is_stored_again(folder: Path) -> None:
    one, other = open_packs(folder), open_packs(folder)
    blobs = some(5, 5000)
    one.put(list(blobs.items()))
    other.delete(list(blobs))
    one.put(list(blobs.items()))
    assert contents(other) == contents(one) == blobs


def test_a_pack_that_is_given_up_is_filled_on_by_the_next_process(folder: Path) -> None:
    first, second = some(5, 5000), some(5, 5000, seed=1)
    opened = open_packs(folder)
    opened.put(list(first.items()))
    del opened
    opened = open_packs(folder)
    opened.put(list(second.items()))
    assert len(list((folder / "packs").glob("*.pack"))) == 1
    assert contents(opened) == first | second


def test_a_full_pack_is_followed_by_another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "PACK_BYTES", 20_000)
    blobs = some(40, 5000)
    opened = open_packs(folder)
    for blob in blobs.items():
        opened.put([blob])
    assert len(list((folder / "packs").glob("*.pack"))) > 5
    assert contents(opened) == contents(open_packs(folder)) == blobs


# Deleting.


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
    kept = other.look_up(list(blobs))
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
    reading = one.look_up(list(blobs))
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
            readings.append(one.look_up([gone]))
        real(index, *args)

    monkeypatch.setattr(PackIndex, "_remove", remove)
    (one if who == "the same process" else open_packs(folder)).delete([gone])
    one.refresh()
    (reading,) = readings
    assert reading.read(0, 1, 1) == [None]


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


# Reading.


async def test_a_store_with_a_file_for_each_blob_is_read_on(folder: Path) -> None:
    old, new = some(20, 5000), some(20, 5000, seed=1)
    for sha256, data in old.items():
        path = folder / blob_key(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    store = LocalBlobs(folder)
    await store.put_many([*old.items(), *new.items()])
    # What is in a file stays there.
    assert contents(open_packs(folder)) == new
    mixed = [name for pair in zip(old, new, strict=True) for name in pair]
    assert await read_all(store, mixed) == [(old | new)[name] for name in mixed]
    await store.delete(mixed[:10])
    assert [await store.exists(name) for name in mixed] == [False] * 10 + [True] * 30


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EOPNOTSUPP])
async def test_what_is_not_in_memory_is_read_by_threads(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    store = LocalBlobs(folder)
    blobs = some(300, 5000)
    await store.put_many(list(blobs.items()))
    real = os.preadv
    threads = set()

    def cold(descriptor: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
        if flags:
            raise OSError(number, os.strerror(number))
        threads.add(threading.current_thread())
        return real(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", cold)
    assert await read_all(store, list(blobs)) == list(blobs.values())
    assert threads
    assert threading.main_thread() not in threads


async def test_neighbours_are_read_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalBlobs(folder)
    blobs = some(640, 5000)
    await store.put_many(list(blobs.items()))
    reads = []
    real = os.preadv

    def counted(descriptor: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
        reads.append(offset)
        return real(descriptor, buffers, offset, flags)

    monkeypatch.setattr(os, "preadv", counted)
    assert await read_all(store, list(blobs)) == list(blobs.values())
    assert len(reads) <= 20


# Order.


def test_scattered_blobs_are_laid_in_order_and_their_old_room_comes_back(folder: Path) -> None:
    blobs = some(2000, 3000)
    opened = open_packs(folder)
    opened.put(list(blobs.items()))
    before = room(folder)
    other = open_packs(folder)
    reading = other.look_up(sorted(blobs))
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
