"""Blobs in an object store, through obstore."""

import asyncio
import contextlib
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from annotateforge.runtime.blobs import (
    BATCH_BLOBS,
    BATCH_BYTES,
    CHUNK,
    BlobStore,
    Buffer,
    Spool,
    blob_key,
    hexadecimal,
    not_found,
)
from annotateforge.runtime.errors import Unavailable

if TYPE_CHECKING:
    from obstore import Bytes
    from obstore.store import ObjectStore, RetryConfig

RETRIES: "RetryConfig" = {"max_retries": 5, "retry_timeout": timedelta(seconds=30)}
"""How long a request is tried again before the store counts as away."""
PARALLEL = 16
"""Requests that one call has under way at a time."""
STREAM_AHEAD = 3
"""Requests of about 4 MiB that a stream has under way at a time."""


class BucketBlobs(BlobStore):
    """Blobs in any store that obstore speaks to."""

    def __init__(self, store: "ObjectStore") -> None:
        self._store = store

    @classmethod
    def of_s3(cls, url: str) -> "BucketBlobs":
        """`s3://bucket/prefix`; credentials, region and endpoint come from the usual AWS_ variables."""
        return cls(
            S3Store.from_url(
                url,
                client_options={"connect_timeout": timedelta(seconds=5), "timeout": timedelta(seconds=120)},
                retry_config=RETRIES,
            )
        )

    async def put_many(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        gate = asyncio.Semaphore(PARALLEL)

        async def put(sha256: str, data: bytes) -> None:
            async with gate:
                if not await self.exists(sha256):
                    await obstore.put_async(self._store, blob_key(sha256), data)

        with _store_errors():
            await asyncio.gather(*(put(sha256, data) for sha256, data in blobs))

    async def put_file(self, path: Path, sha256: str) -> None:
        if not await self.exists(sha256):
            with _store_errors():
                await obstore.put_async(self._store, blob_key(sha256), path)

    @contextlib.asynccontextmanager
    async def _spool(self) -> AsyncIterator[Spool]:
        # Object stores name an object before its first byte, and the name follows from the last one.
        with tempfile.NamedTemporaryFile(prefix="annotateforge-") as file:
            yield _FileSpool(self, file)

    async def get(self, sha256: str, offset: int = 0, length: int | None = None) -> bytes:
        key = blob_key(sha256)
        if length == 0:
            return b""
        with _store_errors(sha256):
            if offset == 0 and length is None:
                return bytes(await (await obstore.get_async(self._store, key)).bytes_async())
            size = (await obstore.head_async(self._store, key))["size"]
            end = size if length is None else min(size, offset + length)
            if offset >= end:
                return b""
        return bytes(await self._range(sha256, offset, end))

    async def stream(
        self, sha256: str, offset: int = 0, length: int | None = None, chunk_size: int = CHUNK
    ) -> AsyncIterator[bytes]:
        key = blob_key(sha256)
        with _store_errors(sha256):
            size = (await obstore.head_async(self._store, key))["size"]
            end = size if length is None else min(size, offset + length)
        # One request at a time would wait for the store's first byte again and again.
        ahead: deque[asyncio.Task[Bytes]] = deque()
        position, hop = offset, chunk_size
        try:
            while position < end or ahead:
                while position < end and len(ahead) < STREAM_AHEAD:
                    stop = min(end, position + hop)
                    ahead.append(asyncio.create_task(self._range(sha256, position, stop)))
                    position, hop = stop, max(1, BATCH_BYTES // chunk_size) * chunk_size
                piece = memoryview(await ahead.popleft())
                for start in range(0, len(piece), chunk_size):
                    yield bytes(piece[start : start + chunk_size])
        finally:
            await _abandon(ahead)

    async def _range(self, sha256: str, start: int, end: int) -> "Bytes":
        with _store_errors(sha256):
            return await obstore.get_range_async(self._store, blob_key(sha256), start=start, end=end)

    async def read_many(self, digests: Iterable[bytes]) -> AsyncIterator[list[Buffer]]:
        ahead: deque[asyncio.Task[bytes]] = deque()
        waiting = chain.from_iterable(map(hexadecimal, digests))
        batch: list[Buffer] = []
        size = 0
        try:
            while True:
                while len(ahead) < PARALLEL and (sha256 := next(waiting, None)) is not None:
                    ahead.append(asyncio.create_task(self.get(sha256)))
                if not ahead:
                    break
                batch.append(await ahead.popleft())
                size += len(batch[-1])
                if size >= BATCH_BYTES or len(batch) >= BATCH_BLOBS:
                    yield batch
                    batch, size = [], 0
            if batch:
                yield batch
        finally:
            await _abandon(ahead)

    async def exists(self, sha256: str) -> bool:
        with _store_errors():
            try:
                await obstore.head_async(self._store, blob_key(sha256))
            except (NotFoundError, FileNotFoundError):
                return False
        return True

    async def delete(self, digests: Sequence[str]) -> None:
        keys = [blob_key(sha256) for sha256 in digests]
        with _store_errors():
            for start in range(0, len(keys), 1000):
                try:
                    await obstore.delete_async(self._store, keys[start : start + 1000])
                except (NotFoundError, FileNotFoundError):
                    # Stores differ in whether deleting nothing is an error, and one error ends the request.
                    await asyncio.gather(*(self._delete_one(key) for key in keys[start : start + 1000]))

    async def _delete_one(self, key: str) -> None:
        with contextlib.suppress(NotFoundError, FileNotFoundError):
            await obstore.delete_async(self._store, key)


class _FileSpool(Spool):
    """A temporary file that is uploaded once its digest is known."""

    def __init__(self, store: BucketBlobs, file: "IO[bytes]") -> None:
        self._store = store
        self._file = file

    async def write(self, chunk: bytes) -> None:
        await asyncio.to_thread(self._file.write, chunk)

    async def keep(self, sha256: str) -> None:
        await asyncio.to_thread(self._file.flush)
        await self._store.put_file(Path(self._file.name), sha256)


async def _abandon(ahead: "Collection[asyncio.Task[Any]]") -> None:
    for task in ahead:
        task.cancel()
    await asyncio.gather(*ahead, return_exceptions=True)


@contextlib.contextmanager
def _store_errors(sha256: str | None = None) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        if sha256 is None:
            raise
        raise not_found(sha256) from error
    except (BaseError, TimeoutError, OSError) as error:
        raise Unavailable(
            "STORE_UNAVAILABLE", "The blob store does not answer. Try again in a moment."
        ) from error
