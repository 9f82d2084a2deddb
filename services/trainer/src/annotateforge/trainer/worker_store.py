"""The table of workers: its SQL, and nothing else. Transactions are the caller's, as in `store`."""

from datetime import timedelta
from uuid import UUID

from annotateforge.runtime.database import Connection
from annotateforge.trainer.records import WorkerRecord

PUT_WORKER = """
INSERT INTO workers (id, name, description, load, heartbeat_time)
VALUES ($1, $2, $3, $4, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, description = excluded.description, load = excluded.load,
    heartbeat_time = excluded.heartbeat_time
"""

TOUCH_WORKER = "UPDATE workers SET load = $2, heartbeat_time = clock_timestamp() WHERE id = $1"

LIST_WORKERS = """
SELECT
    workers.id, workers.name, workers.description, workers.load, workers.heartbeat_time,
    attempts.job_id AS current_job_id, clock_timestamp() AS now
FROM workers
LEFT JOIN attempts ON attempts.worker_id = workers.id AND attempts.outcome IS NULL
WHERE workers.heartbeat_time > clock_timestamp() - $1::interval
    AND ($2::text IS NULL OR (workers.name, workers.id) > ($2, $3::uuid))
ORDER BY workers.name, workers.id
LIMIT $4
"""

LIST_WORKER_DESCRIPTIONS = (
    "SELECT description FROM workers WHERE heartbeat_time > clock_timestamp() - $1::interval"
)

DELETE_OLD_WORKERS = "DELETE FROM workers WHERE heartbeat_time <= clock_timestamp() - $1::interval"


async def put_worker(
    connection: Connection, worker_id: UUID, name: str, description: bytes, load: bytes
) -> None:
    """Write that an idle worker was heard of; its row stays locked until the transaction ends."""
    await connection.execute(PUT_WORKER, worker_id, name, description, load)


async def touch_worker(connection: Connection, worker_id: UUID, load: bytes) -> None:
    """Write that a busy worker was heard of."""
    await connection.execute(TOUCH_WORKER, worker_id, load)


async def list_workers(
    connection: Connection, lately: timedelta, after: tuple[str, UUID] | None, limit: int
) -> list[WorkerRecord]:
    """Up to `limit` workers that were heard of lately, by name."""
    name, worker_id = after or (None, None)
    rows = await connection.fetch(LIST_WORKERS, lately, name, worker_id, limit)
    return [WorkerRecord(**row) for row in rows]


async def list_worker_descriptions(connection: Connection, lately: timedelta) -> list[bytes]:
    """How the workers that were heard of lately describe themselves, serialised."""
    return [row["description"] for row in await connection.fetch(LIST_WORKER_DESCRIPTIONS, lately)]


async def delete_old_workers(connection: Connection, lately: timedelta) -> None:
    """Forget the workers that were not heard of lately."""
    await connection.execute(DELETE_OLD_WORKERS, lately)
