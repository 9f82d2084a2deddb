"""The trainer's tables: all of its SQL, and nothing else.

Functions take a connection and leave transactions to the caller. Times come from the database's clock, so
that replicas whose clocks differ agree on leases.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from annotateforge.api.trainer.v1.job_pb2 import Failure
from annotateforge.runtime.database import Connection
from annotateforge.trainer.job import Change, JobState
from annotateforge.trainer.records import (
    DatasetHold,
    JobRecord,
    NewJob,
    OpenAttempt,
    Rows,
    Standing,
    WorkerRecord,
)
from annotateforge.trainer.status import Outcome, Status

PAGE_BYTES = 4 * 1024 * 1024
"""About how many bytes of rows a page holds at most, however many rows were asked for."""

READ_CLOCK = "SELECT clock_timestamp()"

_JOB_COLUMNS = """
    jobs.id, jobs.name, jobs.description, jobs.task_type, jobs.config, jobs.dataset, jobs.priority,
    jobs.restarted_from, jobs.status, jobs.attempt, coalesce(attempts.worker_name, '') AS worker_name,
    jobs.cancel_requested, jobs.last_sequence, jobs.total_epochs, jobs.current_epoch, epochs.message AS epoch,
    jobs.create_time, jobs.start_time, jobs.end_time, jobs.model_id, jobs.failure, clock_timestamp() AS now
FROM jobs
LEFT JOIN attempts ON attempts.job_id = jobs.id AND attempts.number = jobs.attempt
LEFT JOIN epochs ON epochs.job_id = jobs.id AND epochs.epoch = jobs.current_epoch
"""

READ_JOB = f"SELECT {_JOB_COLUMNS} WHERE jobs.id = $1"

READ_STANDING = "SELECT status, last_sequence FROM jobs WHERE id = $1"

LIST_JOBS = f"""
SELECT {_JOB_COLUMNS}
WHERE ($1::uuid IS NULL OR jobs.id < $1)
    AND ($2::job_status IS NULL OR jobs.status = $2)
    AND ($3::task_type IS NULL OR jobs.task_type = $3)
ORDER BY jobs.id DESC
LIMIT $4
"""

FIND_REQUEST = "SELECT id FROM jobs WHERE request_id = $1"

INSERT_JOB = """
INSERT INTO jobs (
    id, request_id, name, description, task_type, config, dataset, device, priority, restarted_from,
    status, last_sequence, total_epochs, create_time
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (request_id) DO NOTHING
RETURNING id
"""

LOCK_JOB = """
SELECT
    id, status, total_epochs, attempt, lease_expire_time, cancel_requested, last_sequence, current_epoch,
    seconds_per_epoch, start_time, end_time, model_id, failure
FROM jobs
WHERE id = $1
FOR UPDATE
"""

# A statement of its own, after the lock: one that waited for a lock sees the locked row as it is now, but
# rows of other tables as they were when it began.
READ_ATTEMPT = """
SELECT
    newest.worker_id, newest.outcome, coalesce(newest.accepted_through, 0) AS accepted_through,
    coalesce(newest.device, '') AS device,
    (SELECT count(*) FROM attempts AS lost WHERE lost.job_id = $1 AND lost.outcome = 'lost') AS lost_attempts,
    clock_timestamp() AS now
FROM (VALUES (1)) AS always (one)
LEFT JOIN attempts AS newest ON newest.job_id = $1 AND newest.number = $2
"""

UPDATE_JOB_STATE = """
UPDATE jobs SET
    status = $2, attempt = $3, lease_expire_time = $4, cancel_requested = $5, last_sequence = $6,
    current_epoch = $7, seconds_per_epoch = $8, start_time = $9, end_time = $10, model_id = $11, failure = $12
WHERE id = $1
"""

INSERT_ATTEMPT = """
INSERT INTO attempts (job_id, number, worker_id, worker_name, start_time)
SELECT $1, $2, workers.id, workers.name, clock_timestamp() FROM workers WHERE workers.id = $3
"""

UPDATE_ATTEMPT = """
UPDATE attempts SET
    device = $3, accepted_through = $4, outcome = $5::attempt_outcome,
    end_time = CASE WHEN $5::attempt_outcome IS NOT NULL THEN clock_timestamp() END
WHERE job_id = $1 AND number = $2
"""

INSERT_EVENTS = """
INSERT INTO events (job_id, sequence, attempt, time, kind, message)
SELECT $1, sequence, attempt, time, kind::event_kind, message
FROM unnest($2::bigint[], $3::integer[], $4::timestamptz[], $5::text[], $6::bytea[])
    AS new (sequence, attempt, time, kind, message)
"""

DELETE_EPOCHS = "DELETE FROM epochs WHERE job_id = $1 AND epoch >= $2"

INSERT_EPOCHS = """
INSERT INTO epochs (job_id, epoch, attempt, message)
SELECT $1, epoch, attempt, message
FROM unnest($2::integer[], $3::integer[], $4::bytea[]) AS new (epoch, attempt, message)
"""

UPDATE_JOB_TEXTS = """
UPDATE jobs SET
    name = coalesce($2, name), description = coalesce($3, description), priority = coalesce($4, priority)
WHERE id = $1
"""

DELETE_JOB = "DELETE FROM jobs WHERE id = $1"

LIST_EVENTS = "SELECT message FROM events WHERE job_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"

LIST_EPOCHS = "SELECT message FROM epochs WHERE job_id = $1 AND epoch > $2 ORDER BY epoch LIMIT $3"

LAST_SEQUENCES = "SELECT id, last_sequence FROM jobs WHERE id = ANY($1::uuid[])"

NEXT_IN_QUEUE = """
SELECT id
FROM jobs
WHERE status = 'pending' AND (device = '' OR device = ANY($1::text[]))
ORDER BY priority DESC, id
LIMIT 1
FOR UPDATE SKIP LOCKED
"""

NEXT_EXPIRY = """
SELECT min(lease_expire_time) AS expiry, clock_timestamp() AS now
FROM jobs
WHERE lease_expire_time IS NOT NULL
"""

LIST_EXPIRED = "SELECT id FROM jobs WHERE lease_expire_time <= clock_timestamp() ORDER BY lease_expire_time"

FIND_OPEN_ATTEMPT = """
SELECT job_id, number, accepted_through FROM attempts WHERE worker_id = $1 AND outcome IS NULL
"""

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


async def confirm_hold(connection: Connection, job_id: UUID) -> None:
    """The dataset service has the hold."""
    await connection.execute(CONFIRM_HOLD, job_id)


async def delete_hold(connection: Connection, job_id: UUID) -> None:
    """The dataset service has let go."""
    await connection.execute(DELETE_HOLD, job_id)


async def read_clock(connection: Connection) -> datetime:
    """The database's time."""
    now: datetime = await connection.fetchval(READ_CLOCK)
    return now


async def read_job(connection: Connection, job_id: UUID) -> JobRecord | None:
    """A job to be shown; None when there is none."""
    row = await connection.fetchrow(READ_JOB, job_id)
    return None if row is None else _job_record(row)


async def read_standing(connection: Connection, job_id: UUID) -> Standing | None:
    """How far a job is, without all that is shown of it; None when there is none."""
    row = await connection.fetchrow(READ_STANDING, job_id)
    return None if row is None else Standing(Status(row["status"]), row["last_sequence"])


async def list_jobs(
    connection: Connection, before: UUID | None, status: Status | None, task_type: str | None, limit: int
) -> Rows[JobRecord]:
    """Up to `limit` jobs older than `before`, the newest first; fewer when they are large."""
    found = await _fetch_within(connection, limit, LIST_JOBS, before, status, task_type)
    return Rows([_job_record(row) for row in found.rows], found.more)


async def find_request(connection: Connection, request_id: str) -> UUID | None:
    """The job that was made with this request id."""
    found: UUID | None = await connection.fetchval(FIND_REQUEST, request_id)
    return found


async def insert_job(connection: Connection, new: NewJob, change: Change, now: datetime) -> bool:
    """Write a new job with its first events; False, and nothing is written, when its request id is taken."""
    job = change.job
    inserted = await connection.fetchval(
        INSERT_JOB,
        job.id,
        new.request_id,
        new.name,
        new.description,
        new.task_type,
        new.config,
        new.dataset,
        new.device,
        new.priority,
        new.restarted_from,
        job.status,
        job.last_sequence,
        job.total_epochs,
        now,
    )
    if inserted is None:
        return False
    await _insert_history(connection, change)
    return True


async def lock_job(connection: Connection, job_id: UUID) -> tuple[JobState, datetime] | None:
    """A job's state and the time, with the job locked until the transaction ends; None when there is none."""
    row = await connection.fetchrow(LOCK_JOB, job_id)
    if row is None:
        return None
    newest = await connection.fetchrow(READ_ATTEMPT, job_id, row["attempt"])
    assert newest is not None
    failure = row["failure"]
    job = JobState(
        **{
            **row,
            "status": Status(row["status"]),
            "failure": None if failure is None else Failure.FromString(failure),
        },
        worker_id=newest["worker_id"],
        outcome=None if newest["outcome"] is None else Outcome(newest["outcome"]),
        accepted_through=newest["accepted_through"],
        device=newest["device"],
        lost_attempts=newest["lost_attempts"],
    )
    return job, newest["now"]


async def save_change(connection: Connection, before: JobState, change: Change) -> None:
    """Write one step of a job that is locked."""
    job = change.job
    if job != before:
        await connection.execute(
            UPDATE_JOB_STATE,
            job.id,
            job.status,
            job.attempt,
            job.lease_expire_time,
            job.cancel_requested,
            job.last_sequence,
            job.current_epoch,
            job.seconds_per_epoch,
            job.start_time,
            job.end_time,
            job.model_id,
            None if job.failure is None else job.failure.SerializeToString(),
        )
    told = (job.device, job.accepted_through, job.outcome)
    if job.attempt > before.attempt:
        await connection.execute(INSERT_ATTEMPT, job.id, job.attempt, job.worker_id)
    elif told != (before.device, before.accepted_through, before.outcome):
        await connection.execute(UPDATE_ATTEMPT, job.id, job.attempt, *told)
    await _insert_history(connection, change)


async def update_job(
    connection: Connection, job_id: UUID, name: str | None, description: str | None, priority: int | None
) -> None:
    """Change what is given of a job."""
    await connection.execute(UPDATE_JOB_TEXTS, job_id, name, description, priority)


async def delete_job(connection: Connection, job_id: UUID) -> None:
    """Delete a job with its attempts, events and epochs."""
    await connection.execute(DELETE_JOB, job_id)


async def fetch_events(connection: Connection, job_id: UUID, after: int, limit: int) -> list[bytes]:
    """The next `limit` serialised events with a sequence above `after`, in order; fewer only at the end."""
    return [row["message"] for row in await connection.fetch(LIST_EVENTS, job_id, after, limit)]


async def list_events(connection: Connection, job_id: UUID, after: int, limit: int) -> Rows[bytes]:
    """Up to `limit` serialised events with a sequence above `after`, in order; fewer when they are large."""
    found = await _fetch_within(connection, limit, LIST_EVENTS, job_id, after)
    return Rows([row["message"] for row in found.rows], found.more)


async def list_epochs(connection: Connection, job_id: UUID, after: int, limit: int) -> Rows[bytes]:
    """Up to `limit` serialised epochs above `after`, in order; fewer when they are large."""
    found = await _fetch_within(connection, limit, LIST_EPOCHS, job_id, after)
    return Rows([row["message"] for row in found.rows], found.more)


async def last_sequences(connection: Connection, job_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Sequence of the newest event of each job that is there."""
    return {row["id"]: row["last_sequence"] for row in await connection.fetch(LAST_SEQUENCES, list(job_ids))}


async def lock_next_in_queue(connection: Connection, devices: Sequence[str]) -> UUID | None:
    """Lock the waiting job that is next for a worker with these devices; those that others lock are not."""
    found: UUID | None = await connection.fetchval(NEXT_IN_QUEUE, list(devices))
    return found


async def next_expiry(connection: Connection) -> tuple[datetime | None, datetime]:
    """When the next lease runs out, and the time."""
    row = await connection.fetchrow(NEXT_EXPIRY)
    assert row is not None
    return row["expiry"], row["now"]


async def list_expired(connection: Connection) -> list[UUID]:
    """Jobs whose lease has run out, the longest ago first."""
    return [row["id"] for row in await connection.fetch(LIST_EXPIRED)]


async def find_open_attempt(connection: Connection, worker_id: UUID) -> OpenAttempt | None:
    """The attempt that a worker has."""
    row = await connection.fetchrow(FIND_OPEN_ATTEMPT, worker_id)
    return None if row is None else OpenAttempt(**row)


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


async def _insert_history(connection: Connection, change: Change) -> None:
    events, epochs = change.events, change.epochs
    if events:
        await connection.execute(
            INSERT_EVENTS,
            change.job.id,
            [event.sequence for event in events],
            [event.attempt for event in events],
            [event.time.ToDatetime(UTC) for event in events],
            [event.WhichOneof("payload") for event in events],
            [event.SerializeToString() for event in events],
        )
    if change.restarted_at is not None:
        await connection.execute(DELETE_EPOCHS, change.job.id, change.restarted_at)
    if epochs:
        await connection.execute(
            INSERT_EPOCHS,
            change.job.id,
            [epoch.epoch for epoch in epochs],
            [epoch.attempt for epoch in epochs],
            [epoch.SerializeToString() for epoch in epochs],
        )


async def _fetch_within(
    connection: Connection, limit: int, query: str, *arguments: Any
) -> Rows[asyncpg.Record]:
    """Up to `limit` rows of a query whose last parameter is its limit, until they hold PAGE_BYTES; at least
    one.
    """
    rows: list[asyncpg.Record] = []
    size = 0
    async with connection.transaction(readonly=True):
        async for row in connection.cursor(query, *arguments, limit + 1, prefetch=100):
            size += sum(len(value) for value in row.values() if isinstance(value, bytes | str))
            if rows and (size > PAGE_BYTES or len(rows) == limit):
                return Rows(rows, more=True)
            rows.append(row)
    return Rows(rows, more=False)


def _job_record(row: asyncpg.Record) -> JobRecord:
    return JobRecord(**{**row, "status": Status(row["status"])})
