"""The fingerprints of images that were taken in before there were any, or by an older version of them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import structlog

from annotateforge.dataset.fingerprints import UNREADABLE
from annotateforge.dataset.inspector import Inspector
from annotateforge.dataset.store.fingerprints import Unseen, next_unseen, renew_fingerprints
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import NotFound
from annotateforge.runtime.sweep import Sweep

_BATCH = 16
"""Images that are held in memory at once."""
_EVERY = 600.0
"""Seconds after which it looks again: images lack a fingerprint only after an upgrade."""

log = structlog.get_logger()


class Backfill:
    """Fills in missing fingerprints: all of them in the background, those of a spec before it is frozen."""

    def __init__(self, pool: Pool, blobs: BlobStore, inspector: Inspector) -> None:
        self._pool = pool
        self._blobs = blobs
        self._inspector = inspector
        self._sweep = Sweep("fingerprint backfill", self._more, _EVERY)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Fill in for the time of the context, a few images at a time."""
        return self._sweep.running()

    async def complete(self, project_ids: Sequence[UUID], done: Callable[[int], None]) -> None:
        """Fill in whatever the images of some projects lack; `done` is told how many have been looked at."""
        after: bytes | None = None
        count = 0
        while unseen := await self._batch(project_ids, after):
            # Goes on after them even if they could not be kept, so that it ends.
            after = unseen[-1].sha256
            count += len(unseen)
            done(count)

    async def _more(self) -> bool:
        return len(await self._batch(None, None)) == _BATCH

    async def _batch(self, project_ids: Sequence[UUID] | None, after: bytes | None) -> list[Unseen]:
        async with self._pool.acquire() as connection:
            unseen = await next_unseen(connection, project_ids, after, _BATCH)
        if unseen:
            found = [(each.sha256, await self._look(each)) for each in unseen]
            async with self._pool.acquire() as connection, connection.transaction():
                await renew_fingerprints(connection, found)
        return unseen

    async def _look(self, unseen: Unseen) -> bytes:
        try:
            data = await self._blobs.get(unseen.sha256.hex())
        except NotFound:
            log.error("an image's bytes are missing", sha256=unseen.sha256.hex())
            return UNREADABLE
        return await self._inspector.look_again(data, unseen.format)
