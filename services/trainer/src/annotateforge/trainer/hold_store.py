"""The table of holds on data sets: its SQL, and nothing else. Transactions are the caller's, see `store`."""

from collections.abc import Sequence
from uuid import UUID

from annotateforge.runtime.database import Connection
from annotateforge.trainer.records import DatasetHold

# Unconfirmed holds of jobs that have ended meanwhile are only released.
JOBS_WITHOUT_HOLD = """
SELECT id, dataset
FROM jobs
WHERE end_time IS NULL AND NOT EXISTS (SELECT FROM dataset_holds WHERE job_id = jobs.id)
LIMIT $1
"""
ADD_HOLDS = """
INSERT INTO dataset_holds (job_id, dataset_id)
SELECT job_id, dataset_id FROM unnest($1::uuid[], $2::text[]) AS new (job_id, dataset_id)
ORDER BY job_id
ON CONFLICT DO NOTHING
"""
UNCONFIRMED_HOLDS = """
SELECT job_id, dataset_id
FROM dataset_holds
WHERE NOT confirmed AND EXISTS (SELECT FROM jobs WHERE id = job_id AND end_time IS NULL)
LIMIT $1
"""
HOLDS_OF_ENDED_JOBS = """
SELECT job_id, dataset_id
FROM dataset_holds
WHERE NOT EXISTS (SELECT FROM jobs WHERE id = job_id AND end_time IS NULL)
LIMIT $1
"""
# Who asks the dataset service for a hold, or to let go of one, has its row locked. Else a slow process would
# ask for the hold of a job that has ended, after another one has released it, and nobody would know.
LOCK_HOLD = """
SELECT 1 FROM dataset_holds
WHERE job_id = $1 AND NOT ($2 AND confirmed)
    AND $2 = EXISTS (SELECT FROM jobs WHERE id = dataset_holds.job_id AND end_time IS NULL)
FOR UPDATE SKIP LOCKED
"""
CONFIRM_HOLD = "UPDATE dataset_holds SET confirmed = true WHERE job_id = $1"
DELETE_HOLD = "DELETE FROM dataset_holds WHERE job_id = $1"


async def list_jobs_without_hold(connection: Connection, limit: int) -> list[tuple[UUID, bytes]]:
    """Jobs that have not ended and hold no data set yet, with their Dataset messages."""
    return [(row["id"], row["dataset"]) for row in await connection.fetch(JOBS_WITHOUT_HOLD, limit)]


async def add_holds(connection: Connection, holds: Sequence[tuple[UUID, str]]) -> None:
    """Write down which data sets (by job) are about to be held."""
    if holds:
        await connection.execute(ADD_HOLDS, [job_id for job_id, _ in holds], [each for _, each in holds])


async def list_unconfirmed_holds(connection: Connection, limit: int) -> list[DatasetHold]:
    """Holds of jobs that have not ended of which the dataset service may not know."""
    return [DatasetHold(**row) for row in await connection.fetch(UNCONFIRMED_HOLDS, limit)]


async def list_holds_of_ended_jobs(connection: Connection, limit: int) -> list[DatasetHold]:
    """Holds that are not needed any more."""
    return [DatasetHold(**row) for row in await connection.fetch(HOLDS_OF_ENDED_JOBS, limit)]


async def lock_hold(connection: Connection, job_id: UUID, *, wanted: bool) -> bool:
    """Whether a hold is still to be asked for (`wanted`) or to be let go of; then no other process does so
    until the transaction ends.
    """
    return await connection.fetchval(LOCK_HOLD, job_id, wanted) is not None


async def confirm_hold(connection: Connection, job_id: UUID) -> None:
    """The dataset service has the hold."""
    await connection.execute(CONFIRM_HOLD, job_id)


async def delete_hold(connection: Connection, job_id: UUID) -> None:
    """The dataset service has let go."""
    await connection.execute(DELETE_HOLD, job_id)
