"""Digests of blobs in SQL: claims of uploads under way, and what nothing refers to any more.

The first migration tells the life of a blob.
"""

from collections.abc import Sequence
from uuid import UUID

from annotateforge.runtime.database import Connection

BEGIN = "INSERT INTO ingests (id, expire_time) VALUES ($1, now() + make_interval(secs => $2))"
RENEW = "UPDATE ingests SET expire_time = now() + make_interval(secs => $2) WHERE id = $1"
END = "DELETE FROM ingests WHERE id = $1"
# DO UPDATE and not DO NOTHING: it waits for a sweep that has locked the row, and inserts it again if that
# deletes it. By digest, so that two ingests of the same images do not wait for each other in a circle.
CLAIM_BLOBS = """
INSERT INTO blobs (sha256, size_bytes)
SELECT DISTINCT ON (sha256) sha256, size_bytes
FROM unnest($1::bytea[], $2::bigint[]) AS claimed (sha256, size_bytes)
ORDER BY sha256
ON CONFLICT (sha256) DO UPDATE SET size_bytes = excluded.size_bytes
"""
CLAIM = """
INSERT INTO ingest_blobs (ingest_id, sha256)
SELECT DISTINCT $1::uuid, sha256 FROM unnest($2::bytea[]) AS claimed (sha256)
ON CONFLICT DO NOTHING
"""

EXPIRE = "DELETE FROM ingests WHERE expire_time < now()"
TAKE_LOOSE = """
DELETE FROM loose_blobs
WHERE id IN (SELECT id FROM loose_blobs ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING sha256
"""
UNREFERENCED = """
SELECT sha256
FROM blobs
WHERE sha256 = ANY($1)
    AND NOT EXISTS (SELECT FROM images WHERE images.sha256 = blobs.sha256)
    AND NOT EXISTS (SELECT FROM dataset_blobs WHERE dataset_blobs.sha256 = blobs.sha256)
    AND NOT EXISTS (SELECT FROM ingest_blobs WHERE ingest_blobs.sha256 = blobs.sha256)
"""
LOCK = "SELECT sha256 FROM blobs WHERE sha256 = ANY($1) ORDER BY sha256 FOR UPDATE"
DELETE = "DELETE FROM blobs WHERE sha256 = ANY($1)"


async def begin_ingest(connection: Connection, ingest_id: UUID, lifetime: float) -> None:
    """Begin an ingest whose claims are void after `lifetime` seconds."""
    await connection.execute(BEGIN, ingest_id, lifetime)


async def claim_blobs(
    connection: Connection, ingest_id: UUID, blobs: Sequence[tuple[bytes, int]], lifetime: float
) -> bool:
    """Claim blobs (digest, size) and renew the ingest; False when it has expired. Call it in a
    transaction.
    """
    if await connection.execute(RENEW, ingest_id, lifetime) != "UPDATE 1":
        return False
    digests = [digest for digest, _ in blobs]
    await connection.execute(CLAIM_BLOBS, digests, [size for _, size in blobs])
    await connection.execute(CLAIM, ingest_id, digests)
    return True


async def end_ingest(connection: Connection, ingest_id: UUID) -> bool:
    """Give the claims of an ingest back; False when it has expired."""
    return await connection.execute(END, ingest_id) == "DELETE 1"


async def take_loose(connection: Connection, limit: int) -> Sequence[bytes]:
    """Take note of digests that lost a reference, and end ingests whose process died. Call it in a
    transaction.
    """
    await connection.execute(EXPIRE)
    return [row["sha256"] for row in await connection.fetch(TAKE_LOOSE, limit)]


async def lock_unreferenced(connection: Connection, digests: Sequence[bytes]) -> Sequence[bytes]:
    """Those of the digests that nothing refers to, locked until the end of the transaction: nothing will
    either.

    Those in use are not even locked, so that the sweep never holds up a commit that refers to them.
    """
    seen = [row["sha256"] for row in await connection.fetch(UNREFERENCED, digests)]
    await connection.execute(LOCK, seen)
    # A statement of its own sees what was committed before the locks were had.
    return [row["sha256"] for row in await connection.fetch(UNREFERENCED, seen)]


async def delete_blobs(connection: Connection, digests: Sequence[bytes]) -> None:
    """Forget digests."""
    await connection.execute(DELETE, digests)
