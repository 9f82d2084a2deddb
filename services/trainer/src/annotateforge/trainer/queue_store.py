"""The queue in the table of jobs: its SQL, and nothing else. Transactions are the caller's, as in `store`.

What fits whom is decided in `placement`: here jobs are found by what they ask for, of which there are few
different ones, so that a long queue of jobs that fit nobody costs as much as one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from annotateforge.runtime.database import Connection
from annotateforge.trainer import store
from annotateforge.trainer.job import JobState
from annotateforge.trainer.placement import Demand
from annotateforge.trainer.records import OpenAttempt

# Postgres has no loose index scan: the recursion jumps from each demand to the next one in the index.
LOOK = """
WITH RECURSIVE demands AS (
    (
        SELECT device, gpus, min_gpu_memory FROM jobs WHERE status = 'pending'
        ORDER BY device, gpus, min_gpu_memory
        LIMIT 1
    )
    UNION ALL
    SELECT next.device, next.gpus, next.min_gpu_memory
    FROM demands
    CROSS JOIN LATERAL (
        SELECT device, gpus, min_gpu_memory FROM jobs
        WHERE status = 'pending'
            AND (device, gpus, min_gpu_memory) > (demands.device, demands.gpus, demands.min_gpu_memory)
        ORDER BY device, gpus, min_gpu_memory
        LIMIT 1
    ) AS next
)
SELECT
    held.job_id, held.number, held.accepted_through,
    ARRAY(SELECT ROW(device, gpus, min_gpu_memory) FROM demands) AS demands
FROM (VALUES (1)) AS always (one)
LEFT JOIN attempts AS held ON held.worker_id = $1 AND held.outcome IS NULL
"""

# Sorted by the place in the list, not by priority and age: an index over the whole queue offers that order.
LOCK_NEXT = f"""
WITH heads AS MATERIALIZED (
    SELECT ARRAY(
        SELECT first.id
        FROM unnest($1::text[], $2::integer[], $3::integer[]) AS wanted (device, gpus, min_gpu_memory)
        CROSS JOIN LATERAL (
            SELECT id, priority FROM jobs
            WHERE status = 'pending' AND jobs.device = wanted.device AND jobs.gpus = wanted.gpus
                AND jobs.min_gpu_memory = wanted.min_gpu_memory
            ORDER BY priority DESC, id
            LIMIT $4
        ) AS first
        ORDER BY first.priority DESC, first.id
        LIMIT $4
    ) AS ids
)
SELECT {store.STATE_COLUMNS}
FROM jobs
WHERE status = 'pending' AND id = ANY((SELECT ids FROM heads)::uuid[])
ORDER BY array_position((SELECT ids FROM heads), id)
LIMIT 1
FOR UPDATE SKIP LOCKED
"""

QUEUE_POSITIONS = """
SELECT id, place
FROM (
    SELECT id, row_number() OVER (ORDER BY priority DESC, id) AS place FROM jobs WHERE status = 'pending'
) AS waiting
WHERE id = ANY($1::uuid[])
"""

_HEADS = (32, 1_000_000)
"""How many of the jobs that are next are looked at: some, and all of them when others lock those."""


@dataclass(frozen=True, slots=True)
class View:
    """What a worker that asks for a job finds."""

    held: OpenAttempt | None
    """The attempt that it has."""
    demands: tuple[Demand, ...]
    """What the waiting jobs ask for, each once."""


async def look(connection: Connection, worker_id: UUID) -> View:
    """What there is for a worker."""
    row = await connection.fetchrow(LOOK, worker_id)
    assert row is not None
    job_id, number, accepted_through, demands = row
    held = None if job_id is None else OpenAttempt(job_id, number, accepted_through)
    return View(held, tuple(Demand(*one) for one in demands))


async def lock_next(connection: Connection, demands: Sequence[Demand]) -> tuple[JobState, datetime] | None:
    """Lock the waiting job that is next among those that ask for one of these, and answer it and the time;
    None when there is none. Those that others lock are passed over.
    """
    asked = (
        [demand.device for demand in demands],
        [demand.gpus for demand in demands],
        [demand.min_gpu_memory for demand in demands],
    )
    for heads in _HEADS:
        row = await connection.fetchrow(LOCK_NEXT, *asked, heads)
        if row is not None:
            return await store.read_locked(connection, row)
    return None


async def queue_positions(connection: Connection, job_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The places of those among the jobs that wait, from 1."""
    return {row["id"]: row["place"] for row in await connection.fetch(QUEUE_POSITIONS, list(job_ids))}
