"""Blobs between the object store and the tables: claims of ingests under way, and the sweep of what nobody
needs.

An ingest claims a digest, then puts the bytes, then commits rows that refer to it and gives the claim back.
The sweep deletes row and bytes under one lock. The first migration tells the whole life of a blob.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import structlog

from annotateforge.dataset.store.blobs import (
    begin_ingest,
    claim_blobs,
    delete_blobs,
    end_ingest,
    lock_unreferenced,
    take_loose,
)
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Connection, Pool
from annotateforge.runtime.errors import Aborted, DomainError
from annotateforge.runtime.ids import new_id

LIFETIME_SECONDS = 2 * 3600.0
"""Seconds after its last claim at which an ingest is taken for dead."""

_BATCH = 200
_SWEEP_EVERY = 60.0
_SWEEP_TIMEOUT = 60.0
_RELEASE_TIMEOUT = 5.0

log = structlog.get_logger()


class Claims:
    """The claims of one ingest: what it has put is not swept before it ends."""

    def __init__(self, pool: Pool, ingest_id: UUID) -> None:
        self._pool = pool
        self._id = ingest_id

    async def claim(self, blobs: Sequence[tuple[bytes, int]]) -> None:
        """Claim blobs (digest, size); to be called before their bytes are put. Aborted INGEST_EXPIRED."""
        async with self._pool.acquire() as connection, connection.transaction():
            if not await claim_blobs(connection, self._id, blobs, LIFETIME_SECONDS):
                raise _expired()

    async def give_back(self, connection: Connection) -> None:
        """End the ingest in the transaction that commits its images. Aborted INGEST_EXPIRED."""
        if not await end_ingest(connection, self._id):
            raise _expired()


@contextlib.asynccontextmanager
async def claiming(pool: Pool) -> AsyncIterator[Claims]:
    """Claims for the time of the context; those that were not given back by then are dropped."""
    ingest_id = new_id()
    async with pool.acquire() as connection:
        await begin_ingest(connection, ingest_id, LIFETIME_SECONDS)
    try:
        yield Claims(pool, ingest_id)
    except BaseException:
        # Also when the caller was cancelled. What cannot be dropped now expires.
        await asyncio.shield(asyncio.ensure_future(_drop(pool, ingest_id)))
        raise


async def _drop(pool: Pool, ingest_id: UUID) -> None:
    try:
        async with asyncio.timeout(_RELEASE_TIMEOUT), pool.acquire() as connection:
            await end_ingest(connection, ingest_id)
    except Exception as error:
        log.warning("claims stay until they expire", error=type(error).__name__)


def _expired() -> Aborted:
    return Aborted("INGEST_EXPIRED", "The upload paused for too long and was given up. Send it again.")


class BlobSweep:
    """Deletes blobs that nothing refers to any more, in the background."""

    def __init__(self, pool: Pool, blobs: BlobStore) -> None:
        self._pool = pool
        self._blobs = blobs
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look now; to be called when references have gone. Without it the next look is within a minute."""
        self._woken.set()

    @contextlib.asynccontextmanager
    async def sweeping(self) -> AsyncIterator[None]:
        """Sweep for the time of the context: at the start, when woken, and every minute."""
        task = asyncio.create_task(self._sweep_for_ever(), name="blob sweep")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def sweep(self) -> int:
        """Look at the digests that lost a reference first and delete those that have none; answers how many
        it looked at.
        """
        async with (
            asyncio.timeout(_SWEEP_TIMEOUT),
            self._pool.acquire() as connection,
            connection.transaction(),
        ):
            taken = await take_loose(connection, _BATCH)
            gone = await lock_unreferenced(connection, taken) if taken else []
            if gone:
                # Bytes before rows: a crash in between leaves rows without bytes, which the rollback of this
                # transaction leaves noted as loose, and which a claim fills again.
                await self._blobs.delete([digest.hex() for digest in gone])
                await delete_blobs(connection, gone)
                log.info("blobs deleted", count=len(gone))
            return len(taken)

    async def _sweep_for_ever(self) -> None:
        while True:
            self._woken.clear()
            try:
                while await self.sweep() == _BATCH:
                    pass
            except Exception as error:
                log.warning("blob sweep waits", error=str(error), exc_info=not isinstance(error, DomainError))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SWEEP_EVERY):
                    await self._woken.wait()
