"""Data sets on the worker's disk: brought once, used by every job that has the same digest."""

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import orjson
import structlog

from annotateforge.api.dataset.v1.dataset_pb2 import Dataset
from annotateforge.api.dataset.v1.dataset_service_pb2 import DownloadArchiveRequest
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.trainer.worker.content import Content
from annotateforge.trainer.worker.failures import ContentDamaged
from annotateforge.trainer.worker.unpacking import PackedFile, Unpacker

_UNFINISHED = ".part"
_LIST = ".json"
_DIGEST = re.compile(r"[0-9a-f]{64}")

Progress = Callable[[int, int], None]
"""Told bytes that have come and bytes in all."""

log = structlog.get_logger()


class DatasetCache:
    """A folder of unpacked archives, one below each digest, with a list of its files beside it.

    A folder appears under its digest only when it is complete and every CRC-32 was right.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """`most_bytes` bounds what is kept; the data set that is in use may be larger by itself."""
        self._folder = folder
        self._most_bytes = most_bytes
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(f"*{_UNFINISHED}"):
            shutil.rmtree(leftover, ignore_errors=True)

    async def bring(self, dataset: Dataset, stub: DatasetServiceStub, progress: Progress) -> Path:
        """The folder of the unpacked archive, downloaded unless it is there and unharmed.

        DomainError when the dataset service will not give it, ContentDamaged when it gives something else,
        OSError when it cannot be written.
        """
        if not _DIGEST.fullmatch(dataset.digest):
            raise ContentDamaged(f"the data set has no digest but {dataset.digest!r}")
        folder = self._folder / dataset.digest
        if not await asyncio.to_thread(self._is_whole, folder):
            await asyncio.to_thread(_remove, folder)
            await asyncio.to_thread(self._make_room, dataset.archive_size_bytes)
            await self._download(dataset, stub, folder, progress)
        os.utime(folder)
        return folder

    def _is_whole(self, folder: Path) -> bool:
        """Whether all files are there in their sizes: a crash of the machine may have lost what was written
        last.
        """
        with contextlib.suppress(OSError, orjson.JSONDecodeError):
            files = orjson.loads(_list_of(folder).read_bytes())
            return all((folder / name).stat().st_size == size for name, size in files)
        return False

    def _make_room(self, wanted: int) -> None:
        """Remove the data sets that were used least lately until there is room for `wanted` bytes."""
        kept = sorted(self._kept(), key=lambda folder: folder.stat().st_mtime)
        sizes = {folder: _size_of(folder) for folder in kept}
        for folder in kept:
            if sum(sizes.values()) + wanted <= self._most_bytes:
                return
            log.info("removes a data set that was not used lately", digest=folder.name)
            _remove(folder)
            del sizes[folder]

    def _kept(self) -> Iterable[Path]:
        return [path for path in self._folder.iterdir() if path.is_dir() and _DIGEST.fullmatch(path.name)]

    async def _download(
        self, dataset: Dataset, stub: DatasetServiceStub, folder: Path, progress: Progress
    ) -> None:
        unfinished = folder.with_suffix(_UNFINISHED)
        await asyncio.to_thread(_remove, unfinished)
        unfinished.mkdir()
        content = Content(
            f"the archive of data set {dataset.id}",
            lambda offset: stub.DownloadArchive(DownloadArchiveRequest(dataset_id=dataset.id, offset=offset)),
        )
        try:
            with Unpacker(unfinished) as unpacker:
                async with contextlib.aclosing(content.chunks()) as chunks, _Writing(unpacker) as writing:
                    async for chunk in chunks:
                        await writing.put(chunk)
                        progress(content.received, content.total or content.received)
                unpacker.finish()
            await asyncio.to_thread(_complete, unfinished, folder, unpacker.files)
        finally:
            await asyncio.to_thread(_remove, unfinished)


class _Writing:
    """Unpacks in a thread, one chunk behind the download. Leaving the context waits for the thread."""

    def __init__(self, unpacker: Unpacker) -> None:
        self._unpacker = unpacker
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "_Writing":
        return self

    async def put(self, chunk: bytes) -> None:
        if self._running is not None:
            # Shielded: cancelling the download must not make a running thread look as if it had ended.
            await asyncio.shield(self._running)
        self._running = asyncio.create_task(asyncio.to_thread(self._unpacker.feed, chunk))

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._running is None:
            return
        await asyncio.wait([self._running])
        if kind is None:
            self._running.result()


def _complete(unfinished: Path, folder: Path, files: list[PackedFile]) -> None:
    _list_of(folder).write_bytes(orjson.dumps([[file.name, file.size] for file in files]))
    unfinished.rename(folder)


def _list_of(folder: Path) -> Path:
    return folder.with_suffix(_LIST)


def _size_of(folder: Path) -> int:
    """Bytes of all that lies there: a training may have put decoded images beside the data set's own."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.stat(os.path.join(parent, name)).st_size
    return size


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.suffix != _UNFINISHED:
        _list_of(folder).unlink(missing_ok=True)
