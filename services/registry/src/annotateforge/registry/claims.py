"""Blobs between the object store and the tables: claims of registrations under way, and the sweep of what
nobody needs.

The migration tells the life of a blob. SQL about blobs is here, SQL about models is in store.py.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import UUID

import structlog

from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Connection, Pool
from annotateforge.runtime.errors import Aborted, DomainError
from annotateforge.runtime.ids import new_id

LIFETIME_SECONDS = 2 * 3600
"""Seconds after which the claims of a registration are void; twice as long as one may take."""

BEGIN = "INSERT INTO registrations (id, expire_time) VALUES ($1, now() + make_interval(secs => $2))"
# DO UPDATE and not DO NOTHING: it waits for a sweep that has locked the row, and inserts it again if that
# deletes it.
CLAIM_BLOB = """
INSERT INTO blobs (sha256, size_bytes) VALUES ($1, $2)
ON CONFLICT (sha256) DO UPDATE SET size_bytes = excluded.size_bytes
"""
CLAIM = """
INSERT INTO registration_blobs (registration_id, sha256) VALUES ($1, $2)
ON CONFLICT DO NOTHING
"""
END = "DELETE FROM registrations WHERE id = $1"

EXPIRE = "DELETE FROM registrations WHERE expire_time < now()"
TAKE_LOOSE = """
DELETE FROM loose_blobs
WHERE id IN (SELECT id FROM loose_blobs ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING sha256
"""
# First the locks, then, in a statement of its own that sees what was committed before they were had, the
# references.
LOCK_BLOBS = "SELECT sha256 FROM blobs WHERE sha256 = ANY($1) ORDER BY sha256 FOR UPDATE"
UNREFERENCED = """
SELECT sha256 FROM blobs
WHERE sha256 = ANY($1)
    AND NOT EXISTS (SELECT FROM artifacts WHERE artifacts.sha256 = blobs.sha256)
    AND NOT EXISTS (SELECT FROM registration_blobs WHERE registration_blobs.sha256 = blobs.sha256)
"""
DELETE_BLOBS = "DELETE FROM blobs WHERE sha256 = ANY($1)"

_BATCH = 100
_SWEEP_EVERY = 60.0
_SWEEP_TIMEOUT = 60.0
_RELEASE_TIMEOUT = 5.0

log = structlog.get_logger()


class Claims:
    """The claims of one registration: what it has put is not swept before it ends."""

    def __init__(self, pool: Pool, registration_id: UUID) -> None:
        self._pool = pool
        self._id = registration_id

    async def claim(self, sha256: str, size_bytes: int) -> None:
        """To be called before the bytes are put."""
        digest = bytes.fromhex(sha256)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(CLAIM_BLOB, digest, size_bytes)
            await connection.execute(CLAIM, self._id, digest)

    async def give_back(self, connection: Connection) -> None:
        """End the registration in the transaction that commits its artifacts.

        Aborted REGISTRATION_EXPIRED when it took so long that the claims are void.
        """
        if await connection.execute(END, self._id) != "DELETE 1":
            raise Aborted("REGISTRATION_EXPIRED", "The registration took too long. Send the model again.")


@contextlib.asynccontextmanager
async def claiming(pool: Pool, sweep: "BlobSweep") -> AsyncIterator[Claims]:
    """Claims for the time of the context; dropped, and what was put swept, when it ends in an exception."""
    registration_id = new_id()
    await pool.execute(BEGIN, registration_id, LIFETIME_SECONDS)
    try:
        yield Claims(pool, registration_id)
    except BaseException:
        # Also when the caller was cancelled. What cannot be dropped now expires.
        await asyncio.shield(asyncio.ensure_future(_drop(pool, registration_id, sweep)))
        raise


async def _drop(pool: Pool, registration_id: UUID, sweep: "BlobSweep") -> None:
    try:
        async with asyncio.timeout(_RELEASE_TIMEOUT):
            await pool.execute(END, registration_id)
        sweep.wake()
    except Exception as error:
        log.warning("claims stay until they expire", error=type(error).__name__)


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

    async def sweep(self) -> int:
        """Look at the oldest loose digests and delete those without a reference; answers how many it looked
        at.
        """
        async with (
            asyncio.timeout(_SWEEP_TIMEOUT),
            self._pool.acquire() as connection,
            connection.transaction(),
        ):
            await connection.execute(EXPIRE)
            taken = [row["sha256"] for row in await connection.fetch(TAKE_LOOSE, _BATCH)]
            if not taken:
                return 0
            await connection.execute(LOCK_BLOBS, taken)
            gone = [row["sha256"] for row in await connection.fetch(UNREFERENCED, taken)]
            if gone:
                # Bytes before rows: a crash in between leaves a row that the next sweep, or the next claim,
                # finds.
                await self._blobs.delete([digest.hex() for digest in gone])
                await connection.execute(DELETE_BLOBS, gone)
                log.info("blobs deleted", count=len(gone))
            return len(taken)
