"""Thumbnails that were drawn, in SQL: which blob holds the one of an image's bytes in a size."""

from annotateforge.runtime.database import Connection

FIND = "SELECT sha256 FROM thumbnails WHERE source = $1 AND size = $2 AND etag = $3"
DELETE = "DELETE FROM thumbnails WHERE source = $1 AND size = $2"
INSERT = """
INSERT INTO thumbnails (source, size, etag, sha256) VALUES ($1, $2, $3, $4)
ON CONFLICT (source, size) DO NOTHING
"""


async def find_thumbnail(connection: Connection, source: bytes, size: int, etag: str) -> bytes | None:
    """The digest of a thumbnail that has this entity tag."""
    found: bytes | None = await connection.fetchval(FIND, source, size, etag)
    return found


async def keep_thumbnail(
    connection: Connection, source: bytes, size: int, etag: str, thumbnail: bytes
) -> None:
    """Note the digest of a thumbnail in place of an older one. Call it in a transaction.

    asyncpg.ForeignKeyViolationError when the image's bytes have gone meanwhile.
    """
    await connection.execute(DELETE, source, size)
    await connection.execute(INSERT, source, size, etag, thumbnail)
