"""Archives as they are sent: read together from the store, and cut into even chunks."""

import hashlib
import random
from pathlib import Path

import pytest

from annotateforge.dataset.archive import LARGE, lay_out
from annotateforge.dataset.spec import Task
from annotateforge.dataset.streaming import stream_archive
from annotateforge.runtime.blobs import CHUNK, blob_key
from annotateforge.runtime.errors import Internal
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


@pytest.mark.parametrize("what", ["missing", "short"])
@pytest.mark.parametrize("which", ["labels", "image", "large image"])
async def test_a_blob_that_is_not_as_the_manifest_says_ends_the_archive(
    which: str, what: str, tmp_path: Path
) -> None:
    contents = [b"%d" % number * 100 for number in range(200)] + [bytes(LARGE + 1)]
    manifest, pack = manifest_of(Task.DETECT, contents)
    spoilt = {"labels": pack, "image": contents[7], "large image": contents[-1]}[which]
    sha256 = hashlib.sha256(spoilt).hexdigest()
    blobs = LocalBlobs(tmp_path)
    stored = {hashlib.sha256(content).hexdigest(): content for content in (*contents, pack)}
    del stored[sha256]
    await blobs.put_many(list(stored.items()))
    if what == "short":
        path = tmp_path / blob_key(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(spoilt[:-1])
    archive = lay_out(manifest)
    with pytest.raises(Internal) as caught:
        async for _ in stream_archive(archive, blobs, 0, archive.size):
            pass
    assert caught.value.reason == "BLOB_MISSING"
    assert caught.value.metadata == {"sha256": sha256}
