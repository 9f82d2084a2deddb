"""How blobs are read out of packs."""

import errno
import os
import random
import threading
from pathlib import Path

import pytest

from annotateforge.runtime.blobs import blob_key
from annotateforge.runtime.local_blobs import LocalBlobs
from tests.unit.runtime.packs.tools import binary, contents, open_packs, read_all, some


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


async def test_blobs_in_any_order_are_read_with_those_that_are_nowhere(folder: Path) -> None:
    blobs = some(200, 3000)
    store = LocalBlobs(folder)
    for part in (0, 1):
        await store.put_many(list(blobs.items())[part::2])
    packs = open_packs(folder)
    assert packs.look_up(b"").read(0, 10, 1) == packs.look_up(b"").read_now(0, 10, 1) == []
    chance = random.Random(0)
    for _ in range(200):
        begin = chance.randrange(150)
        # Mostly in the order in which they lie there, with gaps, repeated ones and strange ones.
        names = [*list(blobs)[::2], *list(blobs)[1::2]][begin : begin + chance.randrange(1, 50)]
        for _ in range(chance.randrange(4)):
            names[chance.randrange(len(names))] = chance.choice([*blobs, "0" * 64])
        reading = packs.look_up(binary(names))
        most_bytes = chance.choice([1, 20_000, 10**9])
        for wait in (True, False):
            first = chance.randrange(len(names))
            found = (reading.read if wait else reading.read_now)(first, 30, most_bytes)
            wanted = [blobs.get(name) for name in names[first : first + 30]]
            if found is None:
                # Blobs that were just stored are in memory.
                assert not wait
                assert None in wanted
                continue
            assert found == wanted[: len(found)]
            sizes = [len(data or b"") for data in wanted]
            assert len(found) == len(wanted) or sum(sizes[: len(found)]) >= most_bytes
            assert sum(sizes[: len(found) - 1]) < most_bytes
