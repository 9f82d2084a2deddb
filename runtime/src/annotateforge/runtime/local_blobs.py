"""Blobs in a folder. Plain system calls in a few threads: a hop through a library for each small image would
cost more than reading it, and only our own writer can promise that a blob outlasts a crash of the machine.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from annotateforge.runtime.blobs import BATCH_BLOBS, BATCH_BYTES, CHUNK, BlobStore, Spool, blob_key, not_found
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.local_files import (
    BlobReader,
    BlobWriter,
    read_file,
    read_whole,
    store_errors,
    sync_folder,
)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_THREADS = 8
_ABANDONED_AFTER = 24 * 3600


class LocalBlobs(BlobStore):
    """Blobs in a folder of this machine, which it makes where it is missing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="blobs")
        self._remove_abandoned()

    def _remove_abandoned(self) -> None:
        """What a process that was killed had begun to write."""
        for path in self._incoming.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                    path.unlink()

    def _path(self, sha256: str) -> Path:
        return self._root / blob_key(sha256)

    def _run(self, work: Callable[[*Ts], T], *args: *Ts) -> "asyncio.Future[T]":
        return asyncio.get_running_loop().run_in_executor(self._threads, work, *args)

    def _writer(self) -> BlobWriter:
        return BlobWriter(self._incoming / str(new_id()))

    async def put_many(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        # Each write waits for the disk, and disks serve several waiting writers at once.
        lanes = min(_THREADS, len(blobs))
        with store_errors():
            await asyncio.gather(*(self._run(self._write, blobs[lane::lanes]) for lane in range(lanes)))

    def _write(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        folders = set()
        for sha256, data in blobs:
            target = self._path(sha256)
            if not target.exists():
                with contextlib.closing(self._writer()) as writer:
                    writer.write([data])
                    writer.rename(target)
                folders.add(target.parent)
        for folder in folders:
            sync_folder(folder)

    async def put_file(self, path: Path, sha256: str) -> None:
        with store_errors():
            await self._run(self._copy, path, sha256)

    def _copy(self, path: Path, sha256: str) -> None:
        target = self._path(sha256)
        if target.exists():
            return
        with open(path, "rb", buffering=0) as source, contextlib.closing(self._writer()) as writer:
            while chunk := source.read(BATCH_BYTES):
                writer.write([chunk])
            writer.rename(target)
        sync_folder(target.parent)

    @contextlib.asynccontextmanager
    async def _spool(self) -> AsyncIterator[Spool]:
        with store_errors():
            writer = await self._run(self._writer)
        try:
            yield _LocalSpool(self, writer)
        finally:
            # The thread closes it even when this wait is cancelled.
            await asyncio.shield(self._run(writer.close))

    async def get(self, sha256: str, offset: int = 0, length: int | None = None) -> bytes:
        with store_errors(sha256):
            return await self._run(read_file, self._path(sha256), offset, length)

    async def stream(
        self, sha256: str, offset: int = 0, length: int | None = None, chunk_size: int = CHUNK
    ) -> AsyncIterator[bytes]:
        with store_errors(sha256):
            reader = await self._run(BlobReader, self._path(sha256))
        ahead: asyncio.Future[list[bytes]] | None = None
        try:
            end = reader.size if length is None else min(reader.size, offset + length)
            # The first chunk alone, so that it leaves at once; then enough at a time to make thread hops
            # cheap.
            position, hop = offset, chunk_size
            while position < end or ahead is not None:
                with store_errors(sha256):
                    chunks = await ahead if ahead is not None else []
                ahead = None
                if position < end:
                    stop = min(end, position + hop)
                    ahead = self._run(reader.read, position, stop, chunk_size)
                    position, hop = stop, max(1, BATCH_BYTES // chunk_size) * chunk_size
                for chunk in chunks:
                    yield chunk
        finally:
            _drop(ahead)
            self._threads.submit(reader.close)

    async def read_many(self, digests: Iterable[str]) -> AsyncIterator[list[bytes]]:
        coming = iter(digests)
        waiting: list[str] = []
        ahead: asyncio.Future[list[bytes]] | None = None
        try:
            while True:
                with store_errors():
                    batch = await ahead if ahead is not None else []
                del waiting[: len(batch)]
                waiting += islice(coming, BATCH_BLOBS - len(waiting))
                ahead = self._run(self._read_batch, waiting[:]) if waiting else None
                if batch:
                    yield batch
                if ahead is None:
                    break
        finally:
            _drop(ahead)

    def _read_batch(self, digests: Sequence[str]) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        for sha256 in digests:
            try:
                data = read_whole(f"{self._root}/{blob_key(sha256)}")
            except FileNotFoundError as error:
                raise not_found(sha256) from error
            batch.append(data)
            size += len(data)
            if size >= BATCH_BYTES:
                break
        return batch

    async def exists(self, sha256: str) -> bool:
        with store_errors():
            return await self._run(self._path(sha256).exists)

    async def delete(self, digests: Sequence[str]) -> None:
        with store_errors():
            await self._run(_unlink, [self._path(sha256) for sha256 in digests])


class _LocalSpool(Spool):
    """A temporary file that is written in few thread hops, the next bytes coming in meanwhile."""

    def __init__(self, store: LocalBlobs, writer: BlobWriter) -> None:
        self._store = store
        self._writer = writer
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._writing: asyncio.Future[None] | None = None

    async def write(self, chunk: bytes) -> None:
        self._waiting.append(chunk)
        self._waiting_bytes += len(chunk)
        if self._waiting_bytes >= BATCH_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        with store_errors():
            if self._writing is not None:
                await self._writing
            waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
            self._writing = self._store._run(self._writer.write, waiting)

    async def keep(self, sha256: str) -> None:
        await self._flush()
        target = self._store._path(sha256)

        def settle() -> None:
            self._writer.rename(target)
            sync_folder(target.parent)

        with store_errors():
            if self._writing is not None:
                await self._writing
            await self._store._run(settle)


def _unlink(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _drop(ahead: "asyncio.Future[list[bytes]] | None") -> None:
    """Nobody wants what is being read ahead any more, nor its error."""
    if ahead is not None and not ahead.cancel() and not ahead.cancelled():
        ahead.exception()
