"""A folder of blobs, and another process on it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


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
