"""Archives as they are sent: read together from the store, and cut into even chunks."""

import hashlib
import random
from pathlib import Path

import pytest

from annotateforge.dataset.archive import lay_out
from annotateforge.dataset.spec import Task
from annotateforge.dataset.streaming import stream_archive
from annotateforge.runtime.blobs import CHUNK
from annotateforge.runtime.local_blobs import LocalBlobs
from tests.unit.dataset.test_archive import manifest_of, put_together


@pytest.mark.parametrize("task", [Task.DETECT, Task.CLASSIFY])
async def test_any_range_of_an_archive_is_sent_as_it_was_planned(task: Task, tmp_path: Path) -> None:
    # More files than are planned at once, and more texts than are read at once at first.
    contents = [b"%d" % number * (1 + number % 700) for number in range(12_000)]
    manifest, pack = manifest_of(task, contents)
    blobs = LocalBlobs(tmp_path)
    stored = {hashlib.sha256(content).hexdigest(): content for content in (*contents, pack)}
    await blobs.put_many(list(stored.items()))
    archive = lay_out(manifest)
    random.seed(0)
    places = [0, 1, archive.size - 1, archive.size, *(random.randrange(archive.size) for _ in range(20))]
    ranges = [(0, archive.size), *(sorted(random.sample(places, 2)) for _ in range(12))]
    for begin, end in ranges:
        chunks = [b"".join(parts) async for parts in stream_archive(archive, blobs, begin, end)]
        assert [len(chunk) for chunk in chunks[:-1]] == [CHUNK] * (len(chunks) - 1)
        assert b"".join(chunks) == put_together(archive, contents, pack, begin, end)
