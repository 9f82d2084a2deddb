"""The trainer's tables: all of its SQL, and nothing else.

Functions take a connection and leave transactions to the caller. Times come from the database's clock, so
that replicas whose clocks differ agree on leases.
"""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from annotateforge.api.trainer.v1.event_pb2 import JobEvent
from annotateforge.api.trainer.v1.job_pb2 import Failure, JobConfig
from annotateforge.runtime import subjects
from annotateforge.runtime.database import Connection
from annotateforge.runtime.outbox import check_payload
from annotateforge.trainer.job import Change, JobState, SavedCheckpoint, Trouble
from annotateforge.trainer.placement import Demand
from annotateforge.trainer.records import JobRecord, NewJob, Rows, Standing
from annotateforge.trainer.request_keys import Made
from annotateforge.trainer.status import Outcome, Status

PAGE_BYTES = 4 * 1024 * 1024
"""About how many bytes of rows a page holds at most, however many rows were asked for."""

_PLAIN_RECORD = tuple(one.name for one in fields(JobRecord) if one.name not in ("status", "checkpoint"))
_PLAIN_STATE = (
    *("id", "total_epochs", "attempt", "lease_expire_time", "cancel_requested", "last_sequence"),
    *("current_epoch", "seconds_per_epoch", "start_time", "end_time", "model_id", "batch_size"),
)
"""Columns of jobs that JobState has as they are."""

READ_CLOCK = "SELECT clock_timestamp()"

RECORD_COLUMNS = """
    jobs.id, jobs.name, jobs.description, jobs.task_type, jobs.config, jobs.dataset, jobs.priority,
    jobs.restarted_from, jobs.status, jobs.attempt, coalesce(attempts.worker_name, '') AS worker_name,
    jobs.cancel_requested, jobs.last_sequence, jobs.total_epochs, jobs.current_epoch, epochs.message AS epoch,
    jobs.create_time, jobs.start_time, jobs.end_time, jobs.model_id, jobs.failure, jobs.batch_size,
    ROW(checkpoints.epoch, checkpoints.attempt, checkpoints.size_bytes, checkpoints.sha256,
        checkpoints.create_time) AS checkpoint,
    clock_timestamp() AS now
"""
RECORD_SOURCES = """
FROM jobs
LEFT JOIN checkpoints ON checkpoints.job_id = jobs.id
LEFT JOIN attempts ON attempts.job_id = jobs.id AND attempts.number = jobs.attempt
LEFT JOIN epochs ON epochs.job_id = jobs.id AND epochs.epoch = jobs.current_epoch
"""

READ_JOB = f"SELECT {RECORD_COLUMNS} {RECORD_SOURCES} WHERE jobs.id = $1"

READ_STANDING = "SELECT status, last_sequence FROM jobs WHERE id = $1"

LIST_JOBS = f"""
SELECT {RECORD_COLUMNS} {RECORD_SOURCES}
WHERE ($1::uuid IS NULL OR jobs.id < $1)
    AND ($2::job_status IS NULL OR jobs.status = $2)
    AND ($3::task_type IS NULL OR jobs.task_type = $3)
ORDER BY jobs.id DESC
LIMIT $4
"""

FIND_REQUEST = "SELECT id, request_digest FROM jobs WHERE request_id = $1"

INSERT_JOB = """
INSERT INTO jobs (
    id, request_id, name, description, task_type, config, dataset, device, priority, restarted_from,
    status, last_sequence, total_epochs, create_time, gpus, min_gpu_memory, request_digest
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT (request_id) DO NOTHING
RETURNING id
"""

LOCK_JOB = """
SELECT
    id, status, total_epochs, attempt, lease_expire_time, cancel_requested, last_sequence, current_epoch,
    seconds_per_epoch, start_time, end_time, model_id, failure, batch_size,
    config, ROW(device, gpus, min_gpu_memory) AS demand
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
    ROW(kept.epoch, kept.attempt, kept.size_bytes, kept.sha256, kept.create_time) AS checkpoint,
    ARRAY(
        SELECT ROW(useless.number, useless.reason, useless.message)
        FROM attempts AS useless
        WHERE useless.job_id = $1 AND useless.reason <> '' AND useless.number > coalesce(kept.attempt, 0)
        ORDER BY useless.number
    ) AS troubles,
    clock_timestamp() AS now
FROM (VALUES (1)) AS always (one)
LEFT JOIN attempts AS newest ON newest.job_id = $1 AND newest.number = $2
LEFT JOIN checkpoints AS kept ON kept.job_id = $1
"""

_RECORD_EVENTS = """
INSERT INTO events (job_id, sequence, attempt, time, kind, message)
SELECT changed.id, new.sequence, new.attempt, new.time, new.kind::event_kind, new.message
FROM changed
CROSS JOIN unnest($2::bigint[], $3::integer[], $4::timestamptz[], $5::text[], $6::bytea[])
    AS new (sequence, attempt, time, kind, message)
RETURNING job_id, sequence, message
"""
_PUBLISH_EVENTS = """
INSERT INTO outbox (subject, message_id, payload)
SELECT $7, concat(job_id, '.', sequence), message FROM recorded ORDER BY sequence
"""

RECORD_EVENTS = f"""
WITH changed AS (SELECT $1::uuid AS id), recorded AS ({_RECORD_EVENTS})
{_PUBLISH_EVENTS}
"""

# One statement, since it is written with every step of every job. $8 and $9 are what the step was decided
# upon: no other step has been taken since when the sequence is still the same. $22 is the worker of an
# attempt that begins, $23 whether something changes of the newest one.
SAVE_STEP = f"""
WITH changed AS (
    UPDATE jobs SET
        status = $10, attempt = $11, lease_expire_time = $12, cancel_requested = $13, last_sequence = $14,
        current_epoch = $15, seconds_per_epoch = $16, start_time = $17, end_time = $18, model_id = $19,
        failure = $20, batch_size = $21
    WHERE id = $1 AND status = $8 AND last_sequence = $9
    RETURNING id
), begun AS (
    INSERT INTO attempts (job_id, number, worker_id, worker_name, start_time)
    SELECT changed.id, $11, workers.id, workers.name, clock_timestamp()
    FROM changed CROSS JOIN workers
    WHERE workers.id = $22
), told AS (
    UPDATE attempts SET
        device = $24, accepted_through = $25, outcome = $26::attempt_outcome, reason = $27, message = $28,
        end_time = CASE WHEN $26::attempt_outcome IS NOT NULL THEN clock_timestamp() END
    FROM changed
    WHERE attempts.job_id = changed.id AND attempts.number = $11 AND $23::boolean
), recorded AS ({_RECORD_EVENTS}), published AS ({_PUBLISH_EVENTS})
SELECT EXISTS (SELECT FROM changed)
"""

DELETE_CHECKPOINT = "DELETE FROM checkpoints WHERE job_id = $1"

INSERT_CHECKPOINT = """
INSERT INTO checkpoints (job_id, attempt, epoch, size_bytes, sha256, create_time)
VALUES ($1, $2, $3, $4, $5, $6)
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

# A page token may hold more than an epoch can be.
LIST_EPOCHS = "SELECT message FROM epochs WHERE job_id = $1 AND epoch > $2::bigint ORDER BY epoch LIMIT $3"

# A job that is completed has one, its last but one event.
READ_COMPLETION = """
SELECT message FROM events WHERE job_id = $1 AND kind = 'training_complete' ORDER BY sequence DESC LIMIT 1
"""

LAST_SEQUENCES = "SELECT id, last_sequence FROM jobs WHERE id = ANY($1::uuid[])"

NEXT_EXPIRY = """
SELECT min(lease_expire_time) AS expiry, clock_timestamp() AS now
FROM jobs
WHERE lease_expire_time IS NOT NULL
"""

LIST_EXPIRED = "SELECT id FROM jobs WHERE lease_expire_time <= clock_timestamp() ORDER BY lease_expire_time"


async def read_clock(connection: Connection) -> datetime:
    """The database's time."""
    now: datetime = await connection.fetchval(READ_CLOCK)
    return now


async def read_job(connection: Connection, job_id: UUID) -> JobRecord | None:
    """A job to be shown; None when there is none."""
    row = await connection.fetchrow(READ_JOB, job_id)
    return None if row is None else job_record(row)


async def read_standing(connection: Connection, job_id: UUID) -> Standing | None:
    """How far a job is, without all that is shown of it; None when there is none."""
    row = await connection.fetchrow(READ_STANDING, job_id)
    return None if row is None else Standing(Status(row["status"]), row["last_sequence"])


async def list_jobs(
    connection: Connection, before: UUID | None, status: Status | None, task_type: str | None, limit: int
) -> Rows[JobRecord]:
    """Up to `limit` jobs older than `before`, the newest first; fewer when they are large."""
    found = await _fetch_within(connection, limit, LIST_JOBS, before, status, task_type)
    return Rows([job_record(row) for row in found.rows], found.more)


async def find_request(connection: Connection, request_id: str) -> Made | None:
    """The job that was made with this request id."""
    row = await connection.fetchrow(FIND_REQUEST, request_id)
    return None if row is None else Made(row["id"], row["request_digest"])


async def insert_job(connection: Connection, new: NewJob, change: Change, now: datetime) -> bool:
    """Write a new job with its first events; False, and nothing is written, when its request id is taken."""
    job = change.job
    inserted = await connection.fetchval(
        INSERT_JOB,
        job.id,
        None if new.request is None else new.request.id,
        new.name,
        new.description,
        new.task_type,
        new.config,
        new.dataset,
        job.demand.device,
        new.priority,
        new.restarted_from,
        job.status,
        job.last_sequence,
        job.total_epochs,
        now,
        job.demand.gpus,
        job.demand.min_gpu_memory,
        None if new.request is None else new.request.digest,
    )
    if inserted is None:
        return False
    await connection.execute(RECORD_EVENTS, job.id, *_columns(job.id, change.events))
    return True


async def lock_job(connection: Connection, job_id: UUID) -> tuple[JobState, datetime] | None:
    """A job's state and the time, with the job locked until the transaction ends; None when there is none."""
    row = await connection.fetchrow(LOCK_JOB, job_id)
    if row is None:
        return None
    newest = await connection.fetchrow(READ_ATTEMPT, job_id, row["attempt"])
    assert newest is not None
    return job_state(row, newest), newest["now"]


def job_state(row: asyncpg.Record, newest: asyncpg.Record) -> JobState:
    """The state of a job from the columns of LOCK_JOB and of READ_ATTEMPT."""
    failure, outcome = row["failure"], newest["outcome"]
    config = JobConfig.FromString(row["config"])
    return JobState(
        **{name: row[name] for name in _PLAIN_STATE},
        status=Status(row["status"]),
        failure=None if failure is None else Failure.FromString(failure),
        demand=Demand(*row["demand"]),
        max_seconds=config.max_hours * 3600 if config.HasField("max_hours") else None,
        worker_id=newest["worker_id"],
        outcome=None if outcome is None else Outcome(outcome),
        accepted_through=newest["accepted_through"],
        device=newest["device"],
        lost_attempts=len(newest["troubles"]),
        troubles=tuple(Trouble(*one) for one in newest["troubles"]),
        checkpoint=_checkpoint(newest["checkpoint"]),
    )


async def save_change(connection: Connection, before: JobState, change: Change) -> bool:
    """Write one step, and have its events published; False, and nothing is written, when another one was
    taken since `before` was read, which cannot be while the job is locked.
    """
    job = change.job
    if job == before:
        return True
    told = (job.device, job.accepted_through, job.outcome)
    begins = job.attempt > before.attempt
    trouble = next((one for one in job.troubles if one.attempt == job.attempt), None)
    saved: bool = await connection.fetchval(
        SAVE_STEP,
        job.id,
        *_columns(job.id, change.events),
        before.status,
        before.last_sequence,
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
        job.batch_size,
        job.worker_id if begins else None,
        not begins and told != (before.device, before.accepted_through, before.outcome),
        *told,
        "" if trouble is None else trouble.reason,
        "" if trouble is None else trouble.message,
    )
    if saved and job.checkpoint != before.checkpoint:
        await _replace_checkpoint(connection, job)
    if saved:
        await _save_epochs(connection, change)
    return saved


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


async def read_completion(connection: Connection, job_id: UUID) -> bytes | None:
    """The serialised event that told of a job's model; None while there is none."""
    found: bytes | None = await connection.fetchval(READ_COMPLETION, job_id)
    return found


async def last_sequences(connection: Connection, job_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Sequence of the newest event of each job that is there."""
    return {row["id"]: row["last_sequence"] for row in await connection.fetch(LAST_SEQUENCES, list(job_ids))}


async def next_expiry(connection: Connection) -> tuple[datetime | None, datetime]:
    """When the next lease runs out, and the time."""
    row = await connection.fetchrow(NEXT_EXPIRY)
    assert row is not None
    return row["expiry"], row["now"]


async def list_expired(connection: Connection) -> list[UUID]:
    """Jobs whose lease has run out, the longest ago first."""
    return [row["id"] for row in await connection.fetch(LIST_EXPIRED)]


async def _replace_checkpoint(connection: Connection, job: JobState) -> None:
    await connection.execute(DELETE_CHECKPOINT, job.id)
    if (kept := job.checkpoint) is not None:
        sha256 = bytes.fromhex(kept.sha256)
        await connection.execute(
            INSERT_CHECKPOINT, job.id, kept.attempt, kept.epoch, kept.size_bytes, sha256, kept.time
        )


def _columns(job_id: UUID, events: Sequence[JobEvent]) -> tuple[object, ...]:
    """Events as the columns of their table, and the subject on which they are published."""
    messages = [event.SerializeToString() for event in events]
    for message in messages:
        check_payload(message)
    return (
        [event.sequence for event in events],
        [event.attempt for event in events],
        [event.time.ToDatetime(UTC) for event in events],
        [event.WhichOneof("payload") for event in events],
        messages,
        subjects.job_events(job_id),
    )


async def _save_epochs(connection: Connection, change: Change) -> None:
    if change.restarted_at is not None:
        await connection.execute(DELETE_EPOCHS, change.job.id, change.restarted_at)
    if epochs := change.epochs:
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


def job_record(row: asyncpg.Record) -> JobRecord:
    """A job to be shown from RECORD_COLUMNS, whatever else the row has."""
    return JobRecord(
        **{name: row[name] for name in _PLAIN_RECORD},
        status=Status(row["status"]),
        checkpoint=_checkpoint(row["checkpoint"]),
    )


def _checkpoint(row: asyncpg.Record) -> SavedCheckpoint | None:
    epoch, attempt, size_bytes, sha256, time = row
    return None if epoch is None else SavedCheckpoint(epoch, attempt, size_bytes, sha256.hex(), time)
