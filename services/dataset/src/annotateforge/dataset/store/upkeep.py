"""What Postgres knows of the tables, in SQL."""

from annotateforge.runtime.database import Connection

# Not in a transaction. Who is there first, autovacuum or another service, is left to it.
VACUUM = "VACUUM (ANALYZE, SKIP_LOCKED) images, image_labels, fingerprints"
# Only what is joined and filtered by: statistics of coordinates would cost more than all else.
ANALYZE = "ANALYZE (SKIP_LOCKED) annotation_runs (image_id)"
_TIMEOUT = 600.0


async def see_to_tables(connection: Connection) -> None:
    """Count what is in the tables, and note which of their pages everybody sees alike."""
    await connection.execute(VACUUM, timeout=_TIMEOUT)
    await connection.execute(ANALYZE, timeout=_TIMEOUT)
