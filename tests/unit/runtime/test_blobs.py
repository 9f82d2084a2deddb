import asyncio
import errno
import hashlib
import os
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore

from annotateforge.runtime import bucket_blobs, local_blobs
from annotateforge.runtime.blobs import BATCH_BYTES, BlobStore, blob_key
from annotateforge.runtime.bucket_blobs import BucketBlobs
from annotateforge.runtime.errors import InvalidArgument, NotFound, ResourceExhausted, Unavailable

ABSENT = "f" * 64


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def chunks_of(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def local(folder: Path) -> BlobStore:
    return BlobStore.open((folder / "with space ü").as_uri())


def bucket_in_memory(folder: Path) -> BlobStore:
    return BucketBlobs(MemoryStore())


def bucket_in_a_folder(folder: Path) -> BlobStore:
    return BucketBlobs(LocalStore(folder, mkdir=True))


@pytest.fixture(params=[local, bucket_in_memory, bucket_in_a_folder])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """A store of each kind."""
    make: Callable[[Path], BlobStore] = request.param
    return make(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def local_store(folder: Path) -> BlobStore:
    return BlobStore.open(folder.as_uri())


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [0, 1, 1000, 3_000_000])
async def test_bytes_come_back_as_they_were_put(store: BlobStore, size: int) -> None:
    data = os.urandom(size)
    await store.put_bytes(data, digest(data))
    await store.put_bytes(data, digest(data))
    assert await store.exists(digest(data))
    assert await store.get(digest(data)) == data
    assert b"".join([chunk async for chunk in store.stream(digest(data))]) == data


async def test_any_range_is_that_part_of_the_whole(store: BlobStore) -> None:
    data = os.urandom(50_000)
    key = digest(data)
    await store.put_bytes(data, key)
    for offset, length in [
        (0, None),
        (0, 0),
        (0, 1),
        (49_999, 1),
        (10, 20_000),
        (49_000, 9999),
        (50_000, 5),
        (9, None),
    ]:
        part = data[offset:] if length is None else data[offset : offset + length]
        assert await store.get(key, offset, length) == part
        streamed = [chunk async for chunk in store.stream(key, offset, length, chunk_size=777)]
        assert b"".join(streamed) == part
        assert all(len(chunk) == 777 for chunk in streamed[:-1])


async def test_what_is_not_there_is_not_found(store: BlobStore) -> None:
    assert not await store.exists(ABSENT)
    for work in (
        store.get(ABSENT),
        store.get(ABSENT, 1, 2),
        anext(store.stream(ABSENT)),
        anext(store.read_many([bytes.fromhex(ABSENT)])),
    ):
        with pytest.raises(NotFound) as caught:
            await work
        assert caught.value.reason == "BLOB_NOT_FOUND"
        assert caught.value.metadata == {"sha256": ABSENT}


@pytest.mark.parametrize(
    "key", ["", "../../etc/passwd", "F" * 64, "f" * 63, "f" * 65, "g" * 64, "f" * 64 + "\n"]
)
async def test_what_is_no_digest_is_refused(store: BlobStore, key: str) -> None:
    for work in (store.get(key), store.exists(key), store.put_bytes(b"", key), store.delete([key])):
        with pytest.raises(InvalidArgument) as caught:
            await work
        assert caught.value.reason == "INVALID_DIGEST"


async def test_many_blobs_come_in_the_order_asked_for_also_when_repeated(store: BlobStore) -> None:
    blobs = [os.urandom(number * 3000) for number in range(150)]
    await store.put_many([(digest(blob), blob) for blob in blobs])
    wanted = [*blobs, blobs[7], *reversed(blobs), os.urandom(0)]
    batches = [batch async for batch in store.read_many(hashlib.sha256(blob).digest() for blob in wanted)]
    assert [blob for batch in batches for blob in batch] == wanted
    assert all(1 <= len(batch) <= 64 for batch in batches)
    assert all(sum(map(len, batch[:-1])) < BATCH_BYTES for batch in batches)
    assert [batch async for batch in store.read_many([])] == []


async def test_many_small_blobs_come_in_few_batches_however_their_digests_come(store: BlobStore) -> None:
    blobs = [b"%d" % number for number in range(150)]
    await store.put_many([(digest(blob), blob) for blob in blobs])
    digests = [hashlib.sha256(blob).digest() for blob in blobs]
    for blocks in (digests, [b"".join(digests)], [b"".join(digests[:70]), *digests[70:]]):
        batches = [batch async for batch in store.read_many(blocks)]
        assert [blob for batch in batches for blob in batch] == blobs
        assert len(batches) <= 4


async def test_a_stream_is_stored_with_what_was_computed_on_the_way(store: BlobStore) -> None:
    for size in (0, 1, 10_000_000):
        data = os.urandom(size)
        stored = await store.put_stream(chunks_of(data), limit=size)
        assert (stored.sha256, stored.size_bytes, stored.crc32) == (digest(data), size, zlib.crc32(data))
        assert await store.get(stored.sha256) == data


async def test_a_stream_beyond_the_limit_leaves_nothing(store: BlobStore) -> None:
    data = os.urandom(500_000)
    with pytest.raises(ResourceExhausted) as caught:
        await store.put_stream(chunks_of(data), limit=499_999)
    assert caught.value.reason == "BLOB_TOO_LARGE"
    assert not await store.exists(digest(data))


async def test_a_file_is_copied(store: BlobStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    data = os.urandom(9_000_000)
    source.write_bytes(data)
    await store.put_file(source, digest(data))
    await store.put_file(source, digest(data))
    source.write_bytes(b"changed")
    assert await store.get(digest(data)) == data


async def test_deleting_passes_over_what_is_not_there(store: BlobStore) -> None:
    blobs = [b"a", b"b", b"c"]
    await store.put_many([(digest(blob), blob) for blob in blobs])
    await store.delete([digest(b"a"), ABSENT, digest(b"b")])
    assert [await store.exists(digest(blob)) for blob in blobs] == [False, False, True]
    await store.delete([])


async def test_writers_of_the_same_bytes_do_not_disturb_each_other(store: BlobStore) -> None:
    data = os.urandom(200_000)
    await asyncio.gather(*(store.put_bytes(data, digest(data)) for _ in range(20)))
    await asyncio.gather(*(store.put_stream(chunks_of(data), limit=len(data)) for _ in range(5)))
    assert await store.get(digest(data)) == data


async def test_a_local_store_has_large_blobs_in_folders_by_digest(
    local_store: BlobStore, folder: Path
) -> None:
    data = os.urandom(2**20)
    await local_store.put_bytes(data, digest(data))
    assert files_in(folder) == [blob_key(digest(data))]


async def test_a_writer_that_stops_half_way_leaves_nothing(local_store: BlobStore, folder: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 5_000_000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await local_store.put_stream(broken(), limit=10**9)
    assert files_in(folder) == []


async def test_a_writer_that_is_cancelled_leaves_nothing(local_store: BlobStore, folder: Path) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 3_000_000
            begun.set()
            await asyncio.sleep(0)

    writing = asyncio.create_task(local_store.put_stream(endless(), limit=10**12))
    await begun.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert files_in(folder) == []


async def test_a_reader_that_goes_away_leaves_no_open_file(local_store: BlobStore) -> None:
    data = os.urandom(20_000_000)
    await local_store.put_bytes(data, digest(data))

    def open_blobs() -> list[str]:
        links = [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
        return [link for link in links if digest(data) in link]

    for count in range(5):
        stream = local_store.stream(digest(data))
        assert isinstance(stream, AsyncGenerator)
        for _ in range(count):
            await anext(stream)
        await stream.aclose()
    async with asyncio.timeout(10):
        while open_blobs():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "reason"), [(errno.ENOSPC, "STORE_FULL"), (errno.EIO, "STORE_UNAVAILABLE")]
)
async def test_an_error_of_the_disk_is_told_and_leaves_nothing(
    local_store: BlobStore, folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    for work in (local_store.put_bytes(b"x", digest(b"x")), local_store.put_stream(chunks_of(b"x"), limit=1)):
        with pytest.raises((ResourceExhausted, Unavailable)) as caught:
            await work
        assert caught.value.reason == reason
    assert files_in(folder) == []


async def test_what_a_killed_process_had_begun_is_removed_after_a_day(folder: Path) -> None:
    incoming = folder / "incoming"
    incoming.mkdir(parents=True)
    (incoming / "old").touch()
    os.utime(incoming / "old", (0, 0))
    (incoming / "new").touch()
    local_blobs.LocalBlobs(folder)
    assert files_in(folder) == ["incoming/new"]


async def test_reading_does_not_hold_up_the_loop(local_store: BlobStore) -> None:
    data = os.urandom(60_000_000)
    await local_store.put_stream(chunks_of(data, 1_000_000), limit=len(data))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    async for _ in local_store.stream(digest(data)):
        pass
    counting.cancel()
    assert turns > 20


@pytest.mark.parametrize("url", ["", "/a", "file://host/a", "ftp://a/b", "s3://", "file:", "memory://"])
def test_what_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no blob store"):
        BlobStore.open(url)


def test_a_bucket_is_opened_from_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert isinstance(BlobStore.open("s3://bucket/some/prefix"), BucketBlobs)


async def test_a_bucket_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT": "http://127.0.0.1:1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "x",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }.items():
        monkeypatch.setenv(name, value)

    monkeypatch.setattr(bucket_blobs, "RETRIES", {"max_retries": 0})
    store = BlobStore.open("s3://bucket")
    with pytest.raises(Unavailable) as caught:
        await store.get(ABSENT)
    assert caught.value.reason == "STORE_UNAVAILABLE"
    assert "127.0.0.1" not in caught.value.message
