"""The queue in the table of jobs: its SQL, and nothing else. Transactions are the caller's, as in `store`.

What fits whom is decided in `placement`: here jobs are found by what they ask for, of which there are few
different ones, so that a long queue of jobs that fit nobody costs as much as one of them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from annotateforge.api.trainer.v1.event_pb2 import JobEvent
from annotateforge.runtime.database import Connection
from annotateforge.trainer import store
from annotateforge.trainer.job import Change, JobState
from annotateforge.trainer.placement import Demand
from annotateforge.trainer.records import JobRecord, OpenAttempt

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

READ_NEXT = f"""
SELECT
    {store.RECORD_COLUMNS}, jobs.lease_expire_time, jobs.seconds_per_epoch,
    ROW(jobs.device, jobs.gpus, jobs.min_gpu_memory) AS demand,
    attempts.worker_id, attempts.outcome, coalesce(attempts.accepted_through, 0) AS accepted_through,
    coalesce(attempts.device, '') AS device,
    ARRAY(
        SELECT ROW(useless.number, useless.reason, useless.message)
        FROM attempts AS useless
        WHERE useless.job_id = jobs.id AND useless.reason <> ''
            AND useless.number > coalesce(checkpoints.attempt, 0)
        ORDER BY useless.number
    ) AS troubles
{store.RECORD_SOURCES}
WHERE jobs.id = (
    SELECT first.id
    FROM unnest($1::text[], $2::integer[], $3::integer[]) AS wanted (device, gpus, min_gpu_memory)
    CROSS JOIN LATERAL (
        SELECT waiting.id, waiting.priority FROM jobs AS waiting
        WHERE waiting.status = 'pending' AND waiting.device = wanted.device AND waiting.gpus = wanted.gpus
            AND waiting.min_gpu_memory = wanted.min_gpu_memory AND waiting.id <> ALL($4::uuid[])
        ORDER BY waiting.priority DESC, waiting.id
        LIMIT 1
    ) AS first
    ORDER BY first.priority DESC, first.id
    LIMIT 1
)
"""

MOST_LOST_SECONDS = 600.0
"""Most seconds that an attempt counts after the newest epoch where no epoch says how long one takes."""

NEWEST_EPOCH = """
SELECT time, attempt, message FROM events
WHERE job_id = $1 AND kind = 'epoch_complete'
ORDER BY sequence DESC
LIMIT 1
"""

# What attempts trained after the newest epoch ($2, of attempt $3), each at most $4 seconds: an attempt ends
# when that is noticed, which may be days after the machine was switched off.
# The second status_change of an attempt is that to training; where it never trained, that which ended it.
LOST_SECONDS = """
SELECT coalesce(sum(least(greatest(lost.seconds, 0), $4::double precision)), 0)
FROM attempts AS former
CROSS JOIN LATERAL (
    SELECT time FROM events
    WHERE events.job_id = former.job_id AND events.attempt = former.number AND kind = 'status_change'
    ORDER BY sequence
    OFFSET 1
    LIMIT 1
) AS began
CROSS JOIN LATERAL (
    SELECT extract(epoch FROM former.end_time - greatest(began.time, $2::timestamptz))::double precision
) AS lost (seconds)
WHERE former.job_id = $1 AND former.number >= $3 AND former.outcome IS NOT NULL
"""

# The index of the queue is counted from each job that is asked for to the next one, in the queue's order, and
# so once at most; the first job in the queue costs nothing. A step is what lies between two of them: the rest
# of the former one's priority, the priorities between theirs, and what is older than the job in its own.
QUEUE_POSITIONS = """
WITH asked AS (
    SELECT id, priority, lag(id) OVER queue AS former_id, lag(priority) OVER queue AS former_priority
    FROM jobs
    WHERE id = ANY($1::uuid[]) AND status = 'pending'
    WINDOW queue AS (ORDER BY priority DESC, id)
), steps AS (
    SELECT asked.id, asked.priority, (
        SELECT count(*) FROM jobs
        WHERE status = 'pending' AND jobs.priority = former_priority AND jobs.id > former_id
            AND former_priority > asked.priority
    ) + (
        SELECT count(*) FROM jobs
        WHERE status = 'pending' AND jobs.priority > asked.priority
            AND jobs.priority < coalesce(former_priority, 2147483647)
    ) + (
        SELECT count(*) FROM jobs
        WHERE status = 'pending' AND jobs.priority = asked.priority AND jobs.id <= asked.id
            AND jobs.id > CASE
                WHEN former_priority = asked.priority THEN former_id
                ELSE '00000000-0000-0000-0000-000000000000'
            END
    ) AS step
    FROM asked
)
SELECT id, (sum(step) OVER (ORDER BY priority DESC, id))::bigint AS place FROM steps
"""


@dataclass(frozen=True, slots=True)
class View:
    """What a worker that asks for a job finds."""

    held: OpenAttempt | None
    """The attempt that it has."""
    demands: tuple[Demand, ...]
    """What the waiting jobs ask for, each once."""


@dataclass(frozen=True, slots=True)
class Found:
    """A job that waits, as it was when it was read; it is not locked."""

    record: JobRecord
    state: JobState


async def look(connection: Connection, worker_id: UUID) -> View:
    """What there is for a worker."""
    row = await connection.fetchrow(LOOK, worker_id)
    assert row is not None
    job_id, number, accepted_through, demands = row
    held = None if job_id is None else OpenAttempt(job_id, number, accepted_through)
    return View(held, tuple(Demand(*one) for one in demands))


async def read_next(connection: Connection, demands: Sequence[Demand], but: Collection[UUID]) -> Found | None:
    """The waiting job that is next among those that ask for one of these, but for some; None when there is
    none.
    """
    row = await connection.fetchrow(
        READ_NEXT,
        [demand.device for demand in demands],
        [demand.gpus for demand in demands],
        [demand.min_gpu_memory for demand in demands],
        list(but),
    )
    return None if row is None else Found(store.job_record(row), store.job_state(row, row))


async def begin(connection: Connection, before: JobState, change: Change) -> bool:
    """Write that a worker took a job; False, and nothing is written, when the job or the worker was taken
    since they were read.
    """
    try:
        return await store.save_change(connection, before, change)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "attempts_one_open_per_worker":
            raise
        return False


async def trained_seconds(connection: Connection, job_id: UUID) -> float:
    """Seconds for which the attempts of a job that have ended trained: up to the newest epoch what their
    workers measured, and for each that ended after it without another one at most as long as that epoch took.
    """
    newest = await connection.fetchrow(NEWEST_EPOCH, job_id)
    if newest is None:
        lost: float = await connection.fetchval(LOST_SECONDS, job_id, None, 0, MOST_LOST_SECONDS)
        return lost
    time, attempt, message = newest
    epoch = JobEvent.FromString(message).epoch_complete
    most = epoch.epoch_seconds or MOST_LOST_SECONDS
    lost = await connection.fetchval(LOST_SECONDS, job_id, time, attempt, most)
    return epoch.training_seconds + lost


async def queue_positions(connection: Connection, job_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The places of those among the jobs that wait, from 1."""
    return {row["id"]: row["place"] for row in await connection.fetch(QUEUE_POSITIONS, list(job_ids))}
