"""What the tests of packs share: blobs, and packs as one process and another have them."""

import asyncio
import hashlib
import random
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.packs import Packs


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def some(count: int, size: int, seed: int = 0) -> dict[str, bytes]:
    """Blobs of about a size, by digest."""
    chance = random.Random(f"{count} {size} {seed}")
    return {
        digest(data): data for data in (chance.randbytes(chance.randint(1, 2 * size)) for _ in range(count))
    }


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
    return [bytes(blob) async for batch in store.read_many([binary(digests)]) for blob in batch]


def binary(digests: Iterable[str]) -> bytes:
    """Digests as they are looked up many at once."""
    return bytes.fromhex("".join(digests))


async def ask(process: "subprocess.Popen[str]", *words: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(" ".join(words) + "\n")
    process.stdin.flush()
    async with asyncio.timeout(20):
        return (await asyncio.to_thread(process.stdout.readline)).strip()
