"""The tables of sweeps: their SQL, and nothing else. Transactions are the caller's, as in `store`."""

from collections.abc import Sequence
from uuid import UUID

from annotateforge.api.trainer.v1.job_pb2 import Epoch
from annotateforge.api.trainer.v1.sweep_pb2 import Sweep
from annotateforge.runtime.database import Connection
from annotateforge.trainer.request_keys import Made, RequestKey

INSERT_SWEEP = """
INSERT INTO sweeps (id, request_id, request_digest, message)
VALUES ($1, $2, $3, $4)
ON CONFLICT (request_id) DO NOTHING
RETURNING id
"""

INSERT_SWEEP_JOBS = """
INSERT INTO sweep_jobs (sweep_id, number, job_id)
SELECT $1, number, job_id FROM unnest($2::uuid[]) WITH ORDINALITY AS new (job_id, number)
"""

FIND_SWEEP = "SELECT id, request_digest FROM sweeps WHERE request_id = $1"

READ_SWEEP = "SELECT message FROM sweeps WHERE id = $1"

LIST_SWEEPS = """
SELECT
    sweeps.message,
    ARRAY (SELECT job_id FROM sweep_jobs WHERE sweep_id = sweeps.id ORDER BY number) AS job_ids
FROM sweeps
WHERE $1::uuid IS NULL OR id < $1
ORDER BY id DESC
LIMIT $2
"""

LIST_SWEEP_JOBS = "SELECT job_id FROM sweep_jobs WHERE sweep_id = $1 ORDER BY number"

LIST_EPOCHS_BACKWARDS = "SELECT message FROM epochs WHERE job_id = $1 ORDER BY epoch DESC"


async def insert_sweep(
    connection: Connection, sweep_id: UUID, request: RequestKey | None, message: bytes
) -> bool:
    """Write a sweep; False, and nothing is written, when its request id is taken."""
    key = (None, None) if request is None else (request.id, request.digest)
    return await connection.fetchval(INSERT_SWEEP, sweep_id, *key, message) is not None


async def insert_sweep_jobs(connection: Connection, sweep_id: UUID, job_ids: Sequence[UUID]) -> None:
    """Write which jobs a sweep has, in their order."""
    await connection.execute(INSERT_SWEEP_JOBS, sweep_id, list(job_ids))


async def find_sweep(connection: Connection, request_id: str) -> Made | None:
    """The sweep that was made with this request id."""
    row = await connection.fetchrow(FIND_SWEEP, request_id)
    return None if row is None else Made(row["id"], row["request_digest"])


async def read_sweep(connection: Connection, sweep_id: UUID) -> bytes | None:
    """A serialised sweep without its jobs; None when there is none."""
    found: bytes | None = await connection.fetchval(READ_SWEEP, sweep_id)
    return found


async def list_sweeps(connection: Connection, before: UUID | None, limit: int) -> list[Sweep]:
    """Sweeps with those of their jobs that are still there, the newest first, with ids below `before`."""
    found = []
    for row in await connection.fetch(LIST_SWEEPS, before, limit):
        sweep = Sweep.FromString(row["message"])
        sweep.job_ids.extend(map(str, row["job_ids"]))
        found.append(sweep)
    return found


async def list_sweep_jobs(connection: Connection, sweep_id: UUID) -> list[UUID]:
    """The jobs of a sweep that are still there, in the order in which they were made."""
    return [row["job_id"] for row in await connection.fetch(LIST_SWEEP_JOBS, sweep_id)]


async def read_best_epoch(connection: Connection, job_id: UUID) -> Epoch | None:
    """The best complete epoch: the newest one that was best when it was measured. None before there is one.

    Must be in a transaction. Seldom reads many rows, because training ends when none was best for long.
    """
    async for row in connection.cursor(LIST_EPOCHS_BACKWARDS, job_id, prefetch=20):
        epoch = Epoch.FromString(row["message"])
        if epoch.best:
            return epoch
    return None
