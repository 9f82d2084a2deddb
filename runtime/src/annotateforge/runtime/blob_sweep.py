"""The sweep of blobs that nothing refers to any more; `blob_claims` tells the life of a blob."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import asyncpg
import structlog

from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool
from annotateforge.runtime.sweep import Sweep

_BATCH = 200
_EVERY = 60.0
_TIMEOUT = 60.0

_EXPIRE = "delete from ingests where expire_time < now()"
_TAKE_LOOSE = """
delete from loose_blobs
where id in (select id from loose_blobs order by id limit $1 for update skip locked)
returning sha256
"""
_UNREFERENCED = "select sha256 from blobs where sha256 = any($1)"
_AND_NOT_IN = " and not exists (select from {table} where {table}.sha256 = blobs.sha256)"
_LOCK = "select from blobs where sha256 = any($1) order by sha256 for update"
_ALONE = "select pg_advisory_xact_lock('{table}'::regclass::oid::bigint)"
_LOCK_TIMEOUT = "set local lock_timeout = '2s'"
_DELETE = "delete from blobs where sha256 = any($1)"

log = structlog.get_logger()


class BlobSweep:
    """Deletes blobs that nothing refers to any more, in the background."""

    def __init__(
        self, pool: Pool, blobs: BlobStore, references: Sequence[str], checked: Sequence[str] = ()
    ) -> None:
        """`references` are the tables whose column sha256 refers to blobs by a foreign key, besides the
        claims; `checked` are those of which triggers do the work of one: who adds rows to them shares, to
        the end of the transaction, the advisory lock of the table's oid.
        """
        self._pool = pool
        self._blobs = blobs
        self._checked = checked
        self._unreferenced = _UNREFERENCED + "".join(
            _AND_NOT_IN.format(table=table) for table in (*references, *checked, "ingest_blobs")
        )
        self._sweep = Sweep("blob sweep", self._more, _EVERY)

    def wake(self) -> None:
        """Look now; to be called when references have gone. Without it the next look is within a minute."""
        self._sweep.wake()

    def sweeping(self) -> AbstractAsyncContextManager[None]:
        """Sweep for the time of the context: at the start, when woken, and every minute."""
        return self._sweep.running()

    async def sweep(self) -> int:
        """Look at the digests that lost a reference first and delete those that have none; answers how many
        it looked at, and 0 where somebody was in the way for long. Claims of ingests whose process died end
        with it.
        """
        try:
            async with asyncio.timeout(_TIMEOUT):
                return await self._sweep_once()
        except asyncpg.LockNotAvailableError:
            log.info("blobs are swept later, because somebody is storing for long")
            return 0

    async def _sweep_once(self) -> int:
        async with (
            self._pool.acquire() as connection,
            # The last look must see what was committed before the locks were had.
            connection.transaction(isolation="read_committed"),
        ):
            await connection.execute(_EXPIRE)
            taken = [row["sha256"] for row in await connection.fetch(_TAKE_LOOSE, _BATCH)]
            # Those in use are not even locked, so that no commit that refers to them is held up.
            seen = [row["sha256"] for row in await connection.fetch(self._unreferenced, taken)]
            if seen:
                # Those who come meanwhile wait, too.
                await connection.execute(_LOCK_TIMEOUT)
                await connection.execute(_LOCK, seen)
                # Who has added rows ends first, and who comes finds the blobs gone. After the rows, in the
                # order in which those take their locks.
                for table in self._checked:
                    await connection.execute(_ALONE.format(table=table))
                # A statement of its own sees what was committed before the locks were had.
                gone = [row["sha256"] for row in await connection.fetch(self._unreferenced, seen)]
                # Bytes before rows: a crash in between leaves rows without bytes, which the rollback of this
                # transaction leaves noted as loose, and which a claim fills again.
                await self._blobs.delete([digest.hex() for digest in gone])
                await connection.execute(_DELETE, gone)
                log.info("blobs deleted", count=len(gone))
            return len(taken)

    async def _more(self) -> bool:
        # Also after a short batch: blobs that have gone may have been what kept others.
        return await self.sweep() > 0
