"""What crashes and full disks do to packs."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from annotateforge.runtime import pack_files
from annotateforge.runtime.errors import ResourceExhausted, Unavailable
from annotateforge.runtime.local_blobs import LocalBlobs
from annotateforge.runtime.pack_files import RECORD_BYTES
from tests.unit.runtime.packs.tools import contents, digest, only_pack, open_packs, some

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


def spoil(folder: Path, record: int) -> None:
    """Overwrite a part of a record of the only index."""
    with only_pack(folder).with_suffix(".index").open("r+b") as index:
        index.seek(record * RECORD_BYTES + 20)
        index.write(b"rotten")


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
    spoil(folder, spoilt)
    left = {name: data for name, data in blobs.items() if name not in gone}
    for _ in range(2):
        assert contents(open_packs(folder)) == left
    opened = open_packs(folder)
    opened.put([(digest(b"new"), b"new")])
    assert contents(open_packs(folder)) == left | {digest(b"new"): b"new"}


@pytest.mark.parametrize("spoilt", [20, 21, 22])
def test_a_deletion_that_is_spoilt_brings_no_zeros_back(folder: Path, spoilt: int) -> None:
    blobs = some(20, 50_000)
    opened = open_packs(folder)
    opened.put(list(blobs.items()))
    gone = list(blobs)[10:13]
    for name in gone:
        opened.delete([name])
    del opened
    spoil(folder, spoilt)
    left = {name: data for name, data in blobs.items() if name not in gone}
    for _ in range(2):
        assert contents(open_packs(folder)) == left
    opened = open_packs(folder)
    again = gone[spoilt - 20]
    opened.put([(again, blobs[again])])
    assert contents(open_packs(folder)) == left | {again: blobs[again]}


def test_nobody_writes_over_what_stands_behind_a_record_that_is_spoilt(folder: Path) -> None:
    blobs = some(20, 5000)
    owner = open_packs(folder)
    owner.put(list(blobs.items()))
    spoil(folder, 5)
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
