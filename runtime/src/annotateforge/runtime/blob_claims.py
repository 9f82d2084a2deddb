"""Claims on blobs whose bytes are being put: what an ingest under way has written is not swept before it
commits.

An ingest claims a digest, then puts the bytes, then commits rows that refer to it and gives the claims back.
Every use of a blob has a foreign key to `blobs`, or triggers that do the same for many rows at once (see
`BlobSweep`). For every table with such a column `sha256` a trigger notes in `loose_blobs` the digests that
lost a reference; `BlobSweep` deletes row and bytes of those that nothing refers to any more. So bytes that a
committed row needs are always there, and bytes that nobody needs go, however a process dies.

The service's first migration makes the tables:

    create table blobs (
        sha256 bytea primary key check (octet_length(sha256) = 32),
        size_bytes bigint not null check (size_bytes >= 0),
        create_time timestamptz not null default now()
    );
    create table ingests (id uuid primary key, expire_time timestamptz not null);
    create table ingest_blobs (
        ingest_id uuid not null references ingests on delete cascade,
        sha256 bytea not null references blobs,
        primary key (ingest_id, sha256)
    );
    create index on ingest_blobs (sha256);
    create table loose_blobs (
        id bigint generated always as identity primary key,
        sha256 bytea not null
    );
    create function note_loose_blobs() returns trigger language plpgsql set search_path from current as $$
    begin
        insert into loose_blobs (sha256) select distinct sha256 from gone;
        return null;
    end
    $$;
    create trigger ingest_blobs_note_loose_blobs after delete on ingest_blobs
        referencing old table as gone for each statement execute function note_loose_blobs();
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from uuid import UUID

import structlog

from annotateforge.runtime.database import Connection, Pool
from annotateforge.runtime.errors import Aborted
from annotateforge.runtime.ids import new_id

LIFETIME_SECONDS = 2 * 3600.0
"""Seconds after its last claim at which an ingest is taken for dead."""

_DROP_TIMEOUT = 5.0

_BEGIN = "insert into ingests (id, expire_time) values ($1, now() + make_interval(secs => $2))"
_RENEW = "update ingests set expire_time = now() + make_interval(secs => $2) where id = $1"
_END = "delete from ingests where id = $1"
# "do update" and not "do nothing": it waits for a sweep that has locked the row, and inserts it again if that
# deletes it. By digest, so that two ingests of the same bytes do not wait for each other in a circle.
_ADD_BLOBS = """
insert into blobs (sha256, size_bytes)
select distinct on (sha256) sha256, size_bytes
from unnest($1::bytea[], $2::bigint[]) as claimed (sha256, size_bytes)
order by sha256
on conflict (sha256) do update set size_bytes = excluded.size_bytes
"""
_CLAIM = """
insert into ingest_blobs (ingest_id, sha256)
select distinct $1::uuid, sha256 from unnest($2::bytea[]) as claimed (sha256)
on conflict do nothing
"""

log = structlog.get_logger()


class Claims:
    """The claims of one ingest; made by `claiming`."""

    def __init__(self, pool: Pool, ingest_id: UUID) -> None:
        self._pool = pool
        self._id = ingest_id

    @property
    def pool(self) -> Pool:
        """Where the claims are; what else is known of the blobs is kept there, too."""
        return self._pool

    async def claim(self, blobs: Sequence[tuple[bytes, int]]) -> None:
        """Claim blobs (digest, size); to be called before their bytes are put. Aborted INGEST_EXPIRED."""
        digests = [digest for digest, _ in blobs]
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.execute(_RENEW, self._id, LIFETIME_SECONDS) != "UPDATE 1":
                raise _expired()
            await connection.execute(_ADD_BLOBS, digests, [size for _, size in blobs])
            await connection.execute(_CLAIM, self._id, digests)

    async def give_back(self, connection: Connection) -> None:
        """End the ingest in the transaction that commits the rows that refer to its blobs. Aborted
        INGEST_EXPIRED.
        """
        if await connection.execute(_END, self._id) != "DELETE 1":
            raise _expired()


@contextlib.asynccontextmanager
async def claiming(pool: Pool, dropped: Callable[[], None] | None = None) -> AsyncIterator[Claims]:
    """Claims for the time of the context; those that were not given back are dropped when an exception ends
    it, and `dropped`, such as `BlobSweep.wake`, is called then.
    """
    ingest_id = new_id()
    await pool.execute(_BEGIN, ingest_id, LIFETIME_SECONDS)
    try:
        yield Claims(pool, ingest_id)
    except BaseException:
        # Also when the caller was cancelled. What cannot be dropped now expires.
        await asyncio.shield(asyncio.ensure_future(_drop(pool, ingest_id, dropped)))
        raise


async def _drop(pool: Pool, ingest_id: UUID, dropped: Callable[[], None] | None) -> None:
    try:
        async with asyncio.timeout(_DROP_TIMEOUT):
            await pool.execute(_END, ingest_id)
    except Exception as error:
        log.warning("claims stay until they expire", error=type(error).__name__)
    else:
        if dropped is not None:
            dropped()


def _expired() -> Aborted:
    return Aborted("INGEST_EXPIRED", "The upload paused for too long and was given up. Send it again.")
