"""Blobs in a folder: small ones many to a file (`packs`), each larger one in a file of its own. Older stores
have small ones in files of their own too.

Plain system calls, in a few threads where they wait for the disk: a hop through a library for each small
image would cost more than reading it, and only our own writer can promise that a blob outlasts a crash of the
machine.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple, cast

from annotateforge.runtime.blobs import (
    BATCH_BLOBS,
    BATCH_BYTES,
    CHUNK,
    DIGEST_BYTES,
    BlobStore,
    Buffer,
    Spool,
    blob_key,
    hexadecimal,
    not_found,
)
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.local_files import (
    BlobReader,
    BlobWriter,
    read_file,
    read_whole,
    store_errors,
    sync_folder,
)

if TYPE_CHECKING:
    from annotateforge.runtime.pack_reading import Reading
    from annotateforge.runtime.packs import Packs

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_THREADS = 8
_ABANDONED_AFTER = 24 * 3600
_PACKED = 1024 * 1024
"""Blobs of fewer bytes are packed."""
_WINDOW = 1024
"""Blobs that are looked up at once."""
_READ_AT_ONCE = 2 * CHUNK
"""Bytes that are read between two turns of the event loop, where they are in memory."""


class LocalBlobs(BlobStore):
    """Blobs in a folder of this machine, which it makes where it is missing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="blobs")
        self._remove_abandoned()
        self._opening = threading.Lock()
        self._opened: Packs | None = None
        self._packs()

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

    async def _run_to_the_end(self, *works: Callable[[], None]) -> None:
        """Do some work in threads, and wait until all of it has ended also when one fails or the wait is
        cancelled. Who goes on gives claims back: what is deleted later then may be what others have put
        meanwhile, and what is put later nobody ever deletes.
        """
        begun = [self._threads.submit(work) for work in works]
        try:
            await asyncio.gather(*map(asyncio.wrap_future, begun))
        except BaseException:
            left = [asyncio.wrap_future(each) for each in begun if not each.done()]
            await asyncio.gather(*left, return_exceptions=True)
            raise

    def _writer(self) -> BlobWriter:
        return BlobWriter(self._incoming / str(new_id()))

    def _packs(self) -> "Packs | None":
        """The packs; None while nobody has made any."""
        if self._opened is None and (self._root / "packs").exists():
            return self._open_packs()
        return self._opened

    def _open_packs(self) -> "Packs":
        # Brings numpy, which a service without small blobs does without.
        from annotateforge.runtime.packs import Packs

        with self._opening:
            if self._opened is None:
                self._opened = Packs(self._root / "packs", self._incoming)
            return self._opened

    async def put_many(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        large = [blob for blob in blobs if len(blob[1]) >= _PACKED]
        small = [blob for blob in blobs if len(blob[1]) < _PACKED]
        # Each file waits for the disk, and disks serve several waiting writers at once.
        lanes = min(_THREADS, len(large))
        works = [partial(self._write, large[lane::lanes]) for lane in range(lanes)]
        if small:
            works.append(partial(self._pack, small))
        with store_errors():
            await self._run_to_the_end(*works)

    def _pack(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        self._open_packs().put([blob for blob in blobs if not self._path(blob[0]).exists()])

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
            await self._run_to_the_end(partial(self._copy, path, sha256))

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
            return await self._run(self._get, sha256, offset, length)

    def _get(self, sha256: str, offset: int, length: int | None) -> bytes:
        data = self._read_packed(sha256)
        if data is not None:
            return bytes(_part(data, offset, length))
        return read_file(self._path(sha256), offset, length)

    def _read_packed(self, sha256: str) -> memoryview | None:
        """The bytes of a blob that is in a pack; None when it is in none, or there is a file of it."""
        path = self._path(sha256)
        if (packs := self._packs()) is None:
            return None
        data = packs.read_one(sha256)
        while data is None and not path.exists():
            # Another process may have put it, or moved it.
            packs.refresh()
            if not packs.has(sha256):
                return None
            data = packs.read_one(sha256)
        return data

    async def stream(
        self, sha256: str, offset: int = 0, length: int | None = None, chunk_size: int = CHUNK
    ) -> AsyncIterator[bytes]:
        with store_errors(sha256):
            reader = await self._run(self._open, sha256)
        if not isinstance(reader, BlobReader):
            data = _part(reader, offset, length)
            for start in range(0, len(data), chunk_size):
                yield bytes(data[start : start + chunk_size])
            return
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

    def _open(self, sha256: str) -> BlobReader | memoryview:
        data = self._read_packed(sha256)
        return BlobReader(self._path(sha256)) if data is None else data

    async def read_many(self, digests: Iterable[bytes]) -> AsyncIterator[list[Buffer]]:
        coming = _windows(digests)
        ahead: asyncio.Future[list[Buffer]] | None = None
        window, at = self._look_up(coming), 0
        try:
            while window is not None:
                # What is in memory is there sooner than a thread is awake; reading it ahead gains nothing.
                batch = self._read_now(window, at) if ahead is None else None
                waited = batch is None
                if batch is None:
                    with store_errors():
                        batch = await (ahead or self._run(self._read_batch, window, at))
                    ahead = None
                at += len(batch)
                if at == len(window):
                    window, at = self._look_up(coming), 0
                if waited and window is not None:
                    ahead = self._run(self._read_batch, window, at)
                yield batch
        finally:
            _drop(ahead)

    def _look_up(self, coming: Iterator[bytes]) -> "_Window | None":
        digests = next(coming, None)
        return None if digests is None else _Window(digests, self._opened)

    def _read_now(self, window: "_Window", at: int) -> list[Buffer] | None:
        """Blobs from a place on; None when reading them would take time."""
        if window.packed is None:
            return None
        with store_errors():
            return cast("list[Buffer] | None", window.packed.read_now(at, BATCH_BLOBS, _READ_AT_ONCE))

    def _read_batch(self, window: "_Window", at: int) -> list[Buffer]:
        digests = window.digests(at, at + BATCH_BLOBS)
        packed: Sequence[memoryview | None] = [None] * len(digests)
        if window.packed is not None:
            packed = window.packed.read(at, BATCH_BLOBS, BATCH_BYTES)
        batch: list[Buffer] = []
        size = 0
        for sha256, found in zip(digests, packed, strict=False):
            data: Buffer = self._read_alone(sha256) if found is None else found
            batch.append(data)
            size += len(data)
            if size >= BATCH_BYTES:
                break
        return batch

    def _read_alone(self, sha256: str) -> Buffer:
        try:
            return read_whole(f"{self._root}/{blob_key(sha256)}")
        except FileNotFoundError as error:
            if (data := self._read_packed(sha256)) is None:
                raise not_found(sha256) from error
            return data

    async def arrange(self, digests: Sequence[str]) -> None:
        stop = threading.Event()

        def work() -> None:
            if (packs := self._packs()) is not None:
                packs.arrange(digests, stop)

        try:
            with store_errors():
                await self._run(work)
        finally:
            stop.set()

    async def exists(self, sha256: str) -> bool:
        with store_errors():
            return await self._run(self._exists, sha256)

    def _exists(self, sha256: str) -> bool:
        if self._path(sha256).exists():
            return True
        if (packs := self._packs()) is None:
            return False
        if packs.has(sha256):
            return True
        packs.refresh()
        return packs.has(sha256)

    async def delete(self, digests: Sequence[str]) -> None:
        with store_errors():
            await self._run_to_the_end(partial(self._delete, digests))

    def _delete(self, digests: Sequence[str]) -> None:
        for path in [self._path(sha256) for sha256 in digests]:
            path.unlink(missing_ok=True)
        if (packs := self._packs()) is not None:
            packs.delete(digests)


class _Window:
    """Blobs that are looked up together."""

    def __init__(self, digests: bytes, packs: "Packs | None") -> None:
        """`digests` has 32 bytes for each."""
        self._digests = digests
        self.packed: Reading | None = packs.look_up(digests) if packs is not None else None
        """Those that are in packs."""

    def __len__(self) -> int:
        return len(self._digests) // DIGEST_BYTES

    def digests(self, first: int, last: int) -> Sequence[str]:
        """The digests `first` to `last`, the latter excluded, or up to the end, in hexadecimal."""
        return hexadecimal(self._digests[first * DIGEST_BYTES : last * DIGEST_BYTES])


def _windows(digests: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks of digests, put together where they are short, in pieces that are looked up at once."""
    waiting = b""
    for block in digests:
        waiting += block
        if len(waiting) < BATCH_BLOBS * DIGEST_BYTES:
            continue
        for at in range(0, len(waiting), _WINDOW * DIGEST_BYTES):
            yield waiting[at : at + _WINDOW * DIGEST_BYTES]
        waiting = b""
    if waiting:
        yield waiting


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
            await self._store._run_to_the_end(settle)


def _part(data: memoryview, offset: int, length: int | None) -> memoryview:
    return data[offset:] if length is None else data[offset : offset + length]


def _drop(ahead: "asyncio.Future[list[T]] | None") -> None:
    """Nobody wants what is being read ahead any more, nor its error."""
    if ahead is not None and not ahead.cancel() and not ahead.cancelled():
        ahead.exception()
