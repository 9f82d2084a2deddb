"""Packs that several processes write at once."""

import subprocess
from pathlib import Path

import pytest

from annotateforge.runtime import packs
from annotateforge.runtime.errors import NotFound
from annotateforge.runtime.local_blobs import LocalBlobs
from tests.unit.runtime.packs.tools import ask, contents, open_packs, read_all, some


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
