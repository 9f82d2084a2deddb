"""Fingerprints in SQL: one for each content, whatever the number of images that have it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from annotateforge.dataset.fingerprints import VERSION
from annotateforge.dataset.images import ImageFormat
from annotateforge.runtime.database import Connection

# In order, so that two that write the same do not wait for each other in a circle.
PUT = """
INSERT INTO fingerprints (sha256, fingerprint)
SELECT new.sha256, fingerprint
FROM unnest($1::bytea[], $2::bytea[]) AS new (sha256, fingerprint)
JOIN blobs ON blobs.sha256 = new.sha256
ORDER BY new.sha256
ON CONFLICT (sha256) DO UPDATE SET fingerprint = excluded.fingerprint
    WHERE fingerprints.fingerprint <> excluded.fingerprint
"""
# Locks them in order, as everybody who changes a project.
RENEW = """
WITH seen AS (
    SELECT id FROM projects
    WHERE id IN (SELECT project_id FROM images WHERE sha256 = ANY($1::bytea[]))
    ORDER BY id
    FOR NO KEY UPDATE
)
UPDATE projects SET revision = revision + 1 FROM seen WHERE projects.id = seen.id
"""
# A part of the images is read in the order of an index and whatever it lacks, so that going through all of
# them neither sorts them nor reads those again that lack nothing.
NEXT_LACKING = f"""
WITH part AS MATERIALIZED (
    SELECT DISTINCT ON (sha256) sha256, format, size_bytes
    FROM images
    WHERE sha256 > $2 AND ($1::uuid[] IS NULL OR project_id = ANY($1))
    ORDER BY sha256
    LIMIT $3
),
lacking AS (
    SELECT part.*
    FROM part
    LEFT JOIN fingerprints ON fingerprints.sha256 = part.sha256
    WHERE fingerprints.sha256 IS NULL
        OR octet_length(fingerprint) > 0 AND get_byte(fingerprint, 0) <> {VERSION}
    ORDER BY part.sha256
    LIMIT $4
)
SELECT bounds.*, lacking.*
FROM (
    SELECT
        (SELECT count(*) FROM part) AS part_size,
        (SELECT sha256 FROM part ORDER BY sha256 DESC LIMIT 1) AS last
) AS bounds
LEFT JOIN lacking ON true
ORDER BY lacking.sha256
"""
LACKING_OF = f"""
SELECT sha256
FROM unnest($1::bytea[]) AS asked (sha256)
WHERE NOT EXISTS (
    SELECT FROM fingerprints
    WHERE fingerprints.sha256 = asked.sha256
        AND (octet_length(fingerprint) = 0 OR get_byte(fingerprint, 0) = {VERSION})
)
"""
_PART = 20_000


@dataclass(frozen=True, slots=True)
class Unseen:
    """The content of images that have no fingerprint of the present version."""

    sha256: bytes
    format: ImageFormat
    size_bytes: int


async def put_fingerprints(connection: Connection, found: Sequence[tuple[bytes, bytes]]) -> None:
    """Keep fingerprints by digest; blobs that have gone meanwhile are passed over."""
    await connection.execute(PUT, [digest for digest, _ in found], [each for _, each in found])


async def renew_fingerprints(connection: Connection, found: Sequence[tuple[bytes, bytes]]) -> None:
    """The same for images that projects have already, whose health it changes. Call it in a transaction."""
    await put_fingerprints(connection, found)
    await connection.execute(RENEW, [digest for digest, _ in found])


async def lacking_of(connection: Connection, digests: Sequence[bytes]) -> set[bytes]:
    """Those of some contents that have no fingerprint of the present version."""
    rows = await connection.fetch(LACKING_OF, digests)
    return {row["sha256"] for row in rows}


async def next_unseen(
    connection: Connection, project_ids: Sequence[UUID] | None, after: bytes, limit: int
) -> tuple[list[Unseen], bytes | None]:
    """The next contents without a fingerprint by digest, and the digest after which to go on; None where
    there are no more. Of all projects where none is named.
    """
    rows = await connection.fetch(NEXT_LACKING, project_ids, after, _PART, limit)
    unseen = [
        Unseen(row["sha256"], ImageFormat(row["format"]), row["size_bytes"])
        for row in rows
        if row["sha256"] is not None
    ]
    if len(unseen) == limit:
        return unseen, unseen[-1].sha256
    return unseen, rows[0]["last"] if rows[0]["part_size"] == _PART else None
