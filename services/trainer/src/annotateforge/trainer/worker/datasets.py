"""Data sets on the worker's disk: folders that share the images that they have in common."""

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog

from annotateforge.api.dataset.v1.dataset_pb2 import Dataset
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.trainer.worker.blob_cache import BlobCache
from annotateforge.trainer.worker.dataset_download import DatasetDownload, Progress
from annotateforge.trainer.worker.dataset_files import DatasetFile, DatasetFiles
from annotateforge.trainer.worker.dataset_folder import cut, own_bytes, put_together, unsound
from annotateforge.trainer.worker.failures import ContentDamaged

_DIGEST = re.compile(r"[0-9a-f]{64}")
_LIST, _COMPLETE = ".json", ".complete"
_NEIGHBOURS = 4
"""Data sets, those used last, in which labels are looked for that a new one shares with them."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()


class DatasetCache:
    """A folder of data sets: below `blobs` each image once, and for each data set a folder of links to
    them under its digest, its list of files (`.json`) and a mark that it is complete (`.complete`).

    What is there can be used whatever has happened before: a process that is killed leaves files in
    `incoming` and a folder without the mark, which is made anew. The mark names the start of the machine;
    after another one everything is hashed before it is used.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """`most_bytes` bounds what is kept; the data set that is in use may be larger by itself."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._incoming = folder / "incoming"
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(parents=True)
        self._blobs = BlobCache(folder / "blobs", self._incoming)
        self._boot = _boot()
        self._working = threading.Lock()
        # One at a time: what one attempt has brought so far, another one would take for loose.
        self._bringing = asyncio.Lock()
        self._used: Counter[str] = Counter()
        # Those that were complete since this process has started.
        self._given: set[str] = set()
        for path in self._kept():
            if not _list_of(path).exists():
                _remove(path)

    async def bring(self, dataset: Dataset, stub: DatasetServiceStub, progress: Progress) -> Path:
        """The folder of the data set; what of it is not there in full is downloaded.

        DomainError when the dataset service will not give it, ContentDamaged when it gives something else,
        OSError when it cannot be written.
        """
        if not _DIGEST.fullmatch(dataset.digest):
            raise ContentDamaged(f"the data set has no digest but {dataset.digest!r}")
        folder = self._folder / dataset.digest
        # What is complete waits for nobody's download.
        if not (await self._look(folder))[1]:
            async with self._bringing:
                # Whoever was before us may have brought it.
                files, whole = await self._look(folder)
                if not whole:
                    download = DatasetDownload(dataset, stub, progress)
                    await self._complete(folder, files or await download.files(), download)
        os.utime(folder)
        self._given.add(folder.name)
        return folder

    @contextlib.contextmanager
    def in_use(self, digest: str) -> Iterator[None]:
        """Remove nothing of a data set, which is there or will be brought, for the time of the context."""
        self._used[digest] += 1
        try:
            yield
        finally:
            self._used[digest] -= 1

    async def _work(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something in a thread, when what an attempt that was cancelled still does there has ended."""

        def one_at_a_time() -> T:
            with self._working:
                return work(*args, **kwargs)

        return await asyncio.to_thread(one_at_a_time)

    async def _look(self, folder: Path) -> tuple[DatasetFiles | None, bool]:
        """The list of a data set, if it is here, and whether its folder is complete."""
        files = await self._work(DatasetFiles.load, _list_of(folder))
        return files, files is not None and await self._work(self._is_whole, folder, files)

    def _is_whole(self, folder: Path, files: DatasetFiles) -> bool:
        """Whether the folder was complete since the machine has started, and nothing in it has changed."""
        return self._is_marked(folder) and not unsound(folder, files)

    def _is_marked(self, folder: Path) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return _mark_of(folder).read_text() == self._boot
        return False

    async def _complete(self, folder: Path, files: DatasetFiles, download: DatasetDownload) -> None:
        await self._work(self._reset, folder)
        lacking = await self._work(self._blobs.lacking, files.images)
        texts = await self._work(self._known_texts, folder, files)
        sizes = {number: file.size for number, file in files.texts.items()}
        wanted = {number: size for number, size in sizes.items() if number not in texts}
        download.total = sum(lacking.values()) + sum(wanted.values())
        texts |= await download.texts(wanted)
        if len(wanted) < len(sizes) and _labels_sha256(files, texts) != files.labels_sha256:
            # One that was here is another label of its image, of the same size and CRC-32.
            texts = await download.texts(sizes)
        files = await self._work(self._keep_texts, folder, files, texts)
        await self._work(self._make_room, folder, files, sum(lacking.values()))
        async with contextlib.aclosing(download.images(lacking)) as batches, _OneBehind() as behind:
            async for batch in batches:
                await behind.run(self._blobs.write, batch)
        await self._work(put_together, folder, files, self._blobs)
        await self._work(_mark_of(folder).write_text, self._boot)

    def _reset(self, folder: Path) -> None:
        """Make a folder ready to be completed. What is in one that was not complete, or was so before the
        machine has started, goes: nobody knows whether it has reached the disk. One of this start is mended
        file by file, and stays marked meanwhile: another training may be reading it.
        """
        if self._is_marked(folder) or (folder.name in self._given and self._used[folder.name] > 1):
            return
        shutil.rmtree(folder, ignore_errors=True)
        _mark_of(folder).unlink(missing_ok=True)

    def _known_texts(self, folder: Path, files: DatasetFiles) -> dict[int, bytes]:
        """The texts that are on this disk already, by position: those of the data set itself, and labels
        that other ones have of the same image with the same size and CRC-32.
        """
        known: dict[tuple[str, int, int], bytes] = {}
        others = reversed([path for path in self._by_use() if path != folder])
        for path in [folder, *islice(others, _NEIGHBOURS)]:
            kept = DatasetFiles.load(_list_of(path))
            texts = self._blobs.read(kept.texts_sha256) if kept else None
            if kept is None or texts is None:
                continue
            with contextlib.suppress(ContentDamaged):
                for file, text in zip(kept.texts.values(), cut(texts, kept), strict=True):
                    known.setdefault(_key(file), text)
        return {number: known[_key(file)] for number, file in files.texts.items() if _key(file) in known}

    def _keep_texts(self, folder: Path, files: DatasetFiles, texts: Mapping[int, bytes]) -> DatasetFiles:
        """Keep the texts, which are all there, and the list. ContentDamaged when they are not those of the
        data set.
        """
        if _labels_sha256(files, texts) != files.labels_sha256:
            raise ContentDamaged("the labels do not have the digest of the data set's labels")
        joined = b"".join(texts[number] for number in files.texts)
        for _ in cut(joined, files):
            pass
        files = replace(files, texts_sha256=hashlib.sha256(joined).hexdigest())
        self._blobs.write([(files.texts_sha256, joined)])
        folder.mkdir(exist_ok=True)
        files.save(_list_of(folder), self._incoming / _list_of(folder).name)
        return files

    def _make_room(self, folder: Path, files: DatasetFiles, needed: int) -> None:
        """Remove blobs that no data set needs, and then data sets, those used least lately first, until there
        is room for `needed` bytes. What belongs to `folder` stays, and what a job uses.
        """
        kept_folders = [path for path in self._by_use() if path != folder]
        own = {path: own_bytes(path) for path in kept_folders}
        sizes = self._blobs.sizes()
        used = sum(sizes.values()) + sum(own.values()) + own_bytes(folder) + needed
        if used <= self._most_bytes:
            return
        blobs = {path: kept.blobs for path in kept_folders if (kept := DatasetFiles.load(_list_of(path)))}
        others = [path for path in kept_folders if not self._used[path.name]]
        of_jobs = [blobs.get(path, frozenset()) for path in kept_folders if self._used[path.name]]
        for count in range(len(others) + 1):
            for path in others[count - 1 : count] if count else []:
                log.info("removes a data set that was not used lately", digest=path.name)
                _remove(path)
                used -= own[path]
            needed_by = [files.blobs, *of_jobs, *(blobs.get(path, frozenset()) for path in others[count:])]
            loose = sizes.keys() - frozenset().union(*needed_by)
            self._blobs.remove(loose)
            used -= sum(sizes.pop(sha256) for sha256 in loose)
            if used <= self._most_bytes:
                return
        log.warning("the data set needs more than is allowed for all", bytes=used, allowed=self._most_bytes)

    def _by_use(self) -> list[Path]:
        """The folders of data sets, those used least lately first."""
        return sorted(self._kept(), key=lambda path: path.stat().st_mtime)

    def _kept(self) -> Iterable[Path]:
        return [path for path in self._folder.iterdir() if path.is_dir() and _DIGEST.fullmatch(path.name)]


class _OneBehind:
    """Works in a thread, one step behind whoever brings the work. Leaving the context waits for it."""

    def __init__(self) -> None:
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "_OneBehind":
        return self

    async def run(self, work: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Begin a step when the one before has ended; raises what that one has raised."""
        if self._running is not None:
            # Shielded: cancelling the download must not make a running thread look as if it had ended.
            await asyncio.shield(self._running)
        self._running = asyncio.create_task(asyncio.to_thread(work, *args, **kwargs))

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._running is None:
            return
        await asyncio.wait([self._running])
        if kind is None:
            self._running.result()


def _labels_sha256(files: DatasetFiles, texts: Mapping[int, bytes]) -> str:
    """SHA-256 of all labels one after another; `texts` has every text. data.yaml is none of them."""
    joined = hashlib.sha256()
    for number, file in files.texts.items():
        if "/" in file.name:
            joined.update(texts[number])
    return joined.hexdigest()


def _key(file: DatasetFile) -> tuple[str, int, int]:
    """What texts that are very probably the same have in common; a label is named after its image."""
    return os.path.basename(file.name), file.size, file.crc32


def _boot() -> str:
    """What tells one start of the machine from another; where it does not say so, one of the worker."""
    with contextlib.suppress(OSError):
        return _BOOT_ID.read_text().strip()
    return str(uuid.uuid4())


def _list_of(folder: Path) -> Path:
    return folder.with_suffix(_LIST)


def _mark_of(folder: Path) -> Path:
    return folder.with_suffix(_COMPLETE)


def _remove(folder: Path) -> None:
    _mark_of(folder).unlink(missing_ok=True)
    _list_of(folder).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
