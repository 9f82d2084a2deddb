"""The table of what trainings print: all of its SQL, and nothing else. See `store` for the others."""

from dataclasses import dataclass
from uuid import UUID

from annotateforge.api.trainer.v1.event_pb2 import Log
from annotateforge.runtime.database import Connection

CHUNK_BYTES = 8 * 1024
"""A row that is smaller takes further lines; each addition writes it anew."""

# Holds off the end of the attempt, and whoever else appends to it, until the transaction ends.
LOCK_OPEN_ATTEMPT = """
SELECT 1 FROM attempts WHERE job_id = $1 AND number = $2 AND outcome IS NULL FOR NO KEY UPDATE
"""

READ_LOG_ENDS = """
SELECT
    coalesce(max(last_number) FILTER (WHERE attempt < $2), 0) AS before,
    coalesce(max(last_number) FILTER (WHERE attempt = $2), 0) AS newest
FROM log_chunks
WHERE job_id = $1
"""

# Of serialised messages one after the other, the lines are joined: that is how protobuf merges them.
EXTEND_LOG_CHUNK = """
UPDATE log_chunks SET last_number = $3, bytes = bytes + $4, lines = lines || $5
WHERE job_id = $1 AND attempt = $2 AND bytes < $6
    AND first_number = (SELECT max(first_number) FROM log_chunks WHERE job_id = $1 AND attempt = $2)
RETURNING first_number
"""

INSERT_LOG_CHUNK = """
INSERT INTO log_chunks (job_id, attempt, first_number, last_number, bytes, lines)
VALUES ($1, $2, $3, $4, $5, $6)
"""

DELETE_OLD_LOG_CHUNKS = """
DELETE FROM log_chunks
WHERE job_id = $1 AND first_number IN (
    SELECT first_number
    FROM (
        SELECT first_number, sum(bytes) OVER (ORDER BY first_number DESC) AS bytes_from_here
        FROM log_chunks
        WHERE job_id = $1 AND attempt = $2
    ) AS chunks
    WHERE bytes_from_here > $3
)
"""

LIST_LOG_CHUNKS = """
SELECT lines
FROM log_chunks
WHERE job_id = $1 AND last_number > $2 AND ($3::integer = 0 OR attempt = $3)
ORDER BY first_number
LIMIT $4
"""

LIST_NEWEST_LOG_CHUNKS = """
SELECT lines FROM log_chunks WHERE job_id = $1 ORDER BY first_number DESC LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class LogEnds:
    """Where the log of a job stands, as an attempt goes on with it."""

    before: int
    """Number of the last line of the attempts before; 0 when there is none."""
    newest: int
    """Number of the attempt's own last line; 0 when there is none."""


async def lock_open_attempt(connection: Connection, job_id: UUID, attempt: int) -> bool:
    """Whether the attempt is open; if so it stays open until the transaction ends."""
    return await connection.fetchval(LOCK_OPEN_ATTEMPT, job_id, attempt) is not None


async def read_log_ends(connection: Connection, job_id: UUID, attempt: int) -> LogEnds:
    """Where the log stands."""
    row = await connection.fetchrow(READ_LOG_ENDS, job_id, attempt)
    assert row is not None
    return LogEnds(**row)


async def append_log(
    connection: Connection, job_id: UUID, attempt: int, first: int, last: int, lines: bytes, keep: int
) -> None:
    """Write lines `first` to `last` behind those of an attempt that is locked, and delete its oldest beyond
    `keep` bytes.
    """
    extended = await connection.fetchval(
        EXTEND_LOG_CHUNK, job_id, attempt, last, len(lines), lines, CHUNK_BYTES
    )
    if extended is None:
        await connection.execute(INSERT_LOG_CHUNK, job_id, attempt, first, last, len(lines), lines)
        await connection.execute(DELETE_OLD_LOG_CHUNKS, job_id, attempt, keep)


async def list_log_chunks(
    connection: Connection, job_id: UUID, after: int, attempt: int, limit: int
) -> list[bytes]:
    """Up to `limit` serialised Logs with lines after a number, of one attempt or, for 0, of all, in order."""
    return [row["lines"] for row in await connection.fetch(LIST_LOG_CHUNKS, job_id, after, attempt, limit)]


async def read_log_tail(connection: Connection, job_id: UUID, most: int) -> list[str]:
    """The last lines of a job's log, the oldest first, over all attempts."""
    lines: list[str] = []
    for row in await connection.fetch(LIST_NEWEST_LOG_CHUNKS, job_id, most):
        lines[:0] = [line.text for line in Log.FromString(row["lines"]).lines]
        if len(lines) >= most:
            break
    return lines[-most:]
