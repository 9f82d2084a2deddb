"""How blobs are read out of packs."""

import errno
import os
import threading
from pathlib import Path

import pytest

from annotateforge.runtime.blobs import blob_key
from annotateforge.runtime.local_blobs import LocalBlobs
from tests.unit.runtime.packs.tools import contents, open_packs, read_all, some


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
