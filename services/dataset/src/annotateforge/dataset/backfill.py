"""The fingerprints of images that have none yet: those of an import, which would take much longer if it
decoded them, and those that were taken in before there were any, or by an older version of them.

What is missing follows from the tables, so that nothing is forgotten when a process dies. What an import has
stored is looked at while it goes on, as far as the machine has time for it.
"""

import asyncio
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import structlog

from annotateforge.dataset.fingerprints import UNREADABLE
from annotateforge.dataset.images import ImageFormat
from annotateforge.dataset.lookers import Lookers
from annotateforge.dataset.store.fingerprints import Unseen, lacking_of, next_unseen, renew_fingerprints
from annotateforge.runtime.blobs import BATCH_BYTES, BlobStore, Buffer
from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import NotFound
from annotateforge.runtime.sweep import Sweep

_PAGE = 4000
"""Fingerprints that are kept at a time: about a second of work."""
_BATCH = 128
"""Images that are looked at with one request."""
_EVERY = 600.0
"""Seconds after which it looks again without having been woken."""

log = structlog.get_logger()


class Backfill:
    """Fills in missing fingerprints: all of them in the background, those of a spec before it is frozen."""

    def __init__(self, pool: Pool, blobs: BlobStore, lookers: Lookers) -> None:
        self._pool = pool
        self._blobs = blobs
        self._lookers = lookers
        self._sweep = Sweep("fingerprint backfill", self._more, _EVERY)
        self._after = b""
        self._ahead = _Queue()
        self._turn = asyncio.Lock()
        self._waiting = 0
        """Callers of `complete` under way: what is done in the background is in their way."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Fill in for the time of the context, a few images at a time."""
        return self._sweep.running()

    def look_ahead(self, stored: Iterable[Unseen]) -> None:
        """Say what an import has stored. What of it is not looked at before the import ends, or before this
        process does, is found in the tables.
        """
        self._ahead.append(stored)
        self._sweep.wake()

    async def complete(self, project_ids: Sequence[UUID], done: Callable[[int], None]) -> None:
        """Fill in whatever the images of some projects lack; `done` is told how many have been looked at."""
        count = 0

        def tell(more: int) -> None:
            nonlocal count
            count += more
            done(count)

        self._waiting += 1
        try:
            # Goes on after a page even if its fingerprints could not be kept, so that it ends.
            after: bytes | None = b""
            while after is not None:
                after = await self._fill(project_ids, after, tell)
        finally:
            self._waiting -= 1

    async def _more(self) -> bool:
        if ahead := self._ahead.taken(_PAGE):
            await self._fill_ahead(ahead)
            return True
        after = await self._fill(None, self._after, lambda _: None)
        self._after = after or b""
        return after is not None

    async def _fill(
        self, project_ids: Sequence[UUID] | None, after: bytes, tell: Callable[[int], None]
    ) -> bytes | None:
        """Fill in one page, and answer where the next begins; None after the last."""
        # One at a time: two who need the same would compute it twice.
        async with self._turn:
            async with self._pool.acquire() as connection:
                unseen, last = await next_unseen(connection, project_ids, after, _PAGE)
            await self._keep(await self._look_at(unseen, tell))
        return last

    async def _fill_ahead(self, stored: Sequence[Unseen]) -> None:
        """Fill in for images that no project may have yet, and whose bytes go when none ever has them."""
        async with self._turn:
            async with self._pool.acquire() as connection:
                lacking = await lacking_of(connection, [each.sha256 for each in stored])
            unseen = [each for each in stored if each.sha256 in lacking]
            await self._keep(await self._look_at(unseen, lambda _: None, are_kept=False))

    async def _keep(self, found: Sequence[tuple[bytes, bytes]]) -> None:
        if found:
            async with self._pool.acquire() as connection, connection.transaction():
                await renew_fingerprints(connection, found)

    async def _look_at(
        self, unseen: Sequence[Unseen], tell: Callable[[int], None], *, are_kept: bool = True
    ) -> list[tuple[bytes, bytes]]:
        """Digests and fingerprints. Every process has a batch, and one more is read meanwhile; where nobody
        waits, half of the processes do, because threads of one core slow each other down.

        `are_kept`: whether it is a fault when bytes are missing.
        """
        count = self._lookers.count
        room = asyncio.Semaphore(count + 1 if self._waiting else max(1, count // 2))
        found: list[tuple[bytes, bytes]] = []

        async def take(batch: Sequence[Unseen]) -> None:
            try:
                found.extend(await self._look(batch, are_kept))
                tell(len(batch))
            finally:
                room.release()

        async with asyncio.TaskGroup() as tasks:
            for batch in _batches(unseen):
                await room.acquire()
                tasks.create_task(take(batch))
        return found

    async def _look(self, unseen: Sequence[Unseen], are_kept: bool) -> list[tuple[bytes, bytes]]:
        contents = await self._read(unseen)
        there = [
            (each, content) for each, content in zip(unseen, contents, strict=True) if content is not None
        ]
        images = [(content, each.format) for each, content in there]
        looks = await self._lookers.look(images, patient=not self._waiting)
        found = {each.sha256: look for (each, _), look in zip(there, looks, strict=True)}
        if are_kept:
            for each in unseen:
                if each.sha256 not in found:
                    log.error("an image's bytes are missing", sha256=each.sha256.hex())
                    found[each.sha256] = UNREADABLE
        return list(found.items())

    async def _read(self, unseen: Sequence[Unseen]) -> list[Buffer | None]:
        """The images' bytes, or None for those that are missing."""
        try:
            batches = self._blobs.read_many([b"".join(each.sha256 for each in unseen)])
            return [content async for batch in batches for content in batch]
        except NotFound:
            return [await self._read_one(each) for each in unseen]

    async def _read_one(self, unseen: Unseen) -> Buffer | None:
        try:
            return await self._blobs.get(unseen.sha256.hex())
        except NotFound:
            return None


class _Queue:
    """Images in the order in which they came, in 37 bytes for each; those that are too many are left out."""

    _RECORD = struct.Struct("<32sIB")
    _FORMATS = tuple(ImageFormat)
    _MOST = 200_000

    def __init__(self) -> None:
        self._records = bytearray()

    def append(self, stored: Iterable[Unseen]) -> None:
        """Add images at the end."""
        for each in stored:
            if len(self._records) < self._MOST * self._RECORD.size:
                number = self._FORMATS.index(each.format)
                self._records += self._RECORD.pack(each.sha256, each.size_bytes, number)

    def taken(self, count: int) -> list[Unseen]:
        """Up to so many images from the beginning, which are in it no more."""
        end = count * self._RECORD.size
        head, self._records = self._records[:end], self._records[end:]
        return [
            Unseen(digest, self._FORMATS[number], size)
            for digest, size, number in self._RECORD.iter_unpack(head)
        ]


def _batches(unseen: Sequence[Unseen]) -> Iterator[list[Unseen]]:
    """Some at a time, with no more bytes than a batch may have unless one image alone has more."""
    batch: list[Unseen] = []
    size = 0
    for each in unseen:
        if batch and (size + each.size_bytes > BATCH_BYTES or len(batch) == _BATCH):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.size_bytes
    if batch:
        yield batch
