"""The fingerprints of images that have none yet: those of an import, which would take much longer if it
decoded them, and those that were taken in before there were any, or by an older version of them.

What is missing follows from the tables, so that nothing is forgotten when a process dies.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import structlog

from annotateforge.dataset.fingerprints import UNREADABLE
from annotateforge.dataset.inspector import Inspector
from annotateforge.dataset.store.fingerprints import Unseen, next_unseen, renew_fingerprints
from annotateforge.runtime.blobs import BATCH_BYTES, BlobStore
from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import NotFound
from annotateforge.runtime.sweep import Sweep

_PAGE = 1000
"""Fingerprints that are kept at a time: about a second of work."""
_EVERY = 600.0
"""Seconds after which it looks again without having been woken."""

log = structlog.get_logger()


class Backfill:
    """Fills in missing fingerprints: all of them in the background, those of a spec before it is frozen."""

    def __init__(self, pool: Pool, blobs: BlobStore, inspector: Inspector) -> None:
        self._pool = pool
        self._blobs = blobs
        self._inspector = inspector
        self._sweep = Sweep("fingerprint backfill", self._more, _EVERY)
        self._after = b""
        self._turn = asyncio.Lock()

    def running(self) -> AbstractAsyncContextManager[None]:
        """Fill in for the time of the context, a few images at a time."""
        return self._sweep.running()

    def wake(self) -> None:
        """Say that an import has left images without a fingerprint."""
        self._sweep.wake()

    async def complete(self, project_ids: Sequence[UUID], done: Callable[[int], None]) -> None:
        """Fill in whatever the images of some projects lack; `done` is told how many have been looked at."""
        count = 0

        def tell(more: int) -> None:
            nonlocal count
            count += more
            done(count)

        # Goes on after a page even if its fingerprints could not be kept, so that it ends.
        after: bytes | None = b""
        while after is not None:
            after = await self._fill(project_ids, after, tell)

    async def _more(self) -> bool:
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
            found = []
            async for pieces in self._looks(unseen):
                found += pieces
                tell(len(pieces))
            if found:
                async with self._pool.acquire() as connection, connection.transaction():
                    await renew_fingerprints(connection, found)
        return last

    async def _looks(self, unseen: Sequence[Unseen]) -> AsyncIterator[list[tuple[bytes, bytes]]]:
        """Digests and fingerprints, some at a time, with no more images in memory than a batch has bytes."""
        batch: list[Unseen] = []
        size = 0
        for each in unseen:
            if batch and size + each.size_bytes > BATCH_BYTES:
                yield await self._look(batch)
                batch, size = [], 0
            batch.append(each)
            size += each.size_bytes
        if batch:
            yield await self._look(batch)

    async def _look(self, unseen: Sequence[Unseen]) -> list[tuple[bytes, bytes]]:
        contents = await self._read(unseen)
        found = dict.fromkeys((each.sha256 for each in unseen), UNREADABLE)
        there = [
            (each, content) for each, content in zip(unseen, contents, strict=True) if content is not None
        ]
        looks = await self._inspector.look_again([(content, each.format) for each, content in there])
        found |= {each.sha256: look for (each, _), look in zip(there, looks, strict=True)}
        return list(found.items())

    async def _read(self, unseen: Sequence[Unseen]) -> list[bytes | None]:
        """The images' bytes, or None for those that are missing."""
        try:
            batches = self._blobs.read_many([each.sha256.hex() for each in unseen])
            # Copied where they are parts of a larger buffer, which decoders do not take.
            return [bytes(content) async for batch in batches for content in batch]
        except NotFound:
            return [await self._read_one(each) for each in unseen]

    async def _read_one(self, unseen: Unseen) -> bytes | None:
        try:
            return await self._blobs.get(unseen.sha256.hex())
        except NotFound:
            log.error("an image's bytes are missing", sha256=unseen.sha256.hex())
            return None
