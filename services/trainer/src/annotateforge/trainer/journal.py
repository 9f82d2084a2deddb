"""Writes the steps of jobs: each in one transaction with its events, and tells of it afterwards."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from annotateforge.runtime import subjects
from annotateforge.runtime.blob_sweep import BlobSweep
from annotateforge.runtime.bus import Bus
from annotateforge.runtime.database import Connection, Pool
from annotateforge.runtime.errors import NotFound
from annotateforge.runtime.outbox import Outbox
from annotateforge.trainer import log_store, store
from annotateforge.trainer.job import Change, JobState
from annotateforge.trainer.outcomes import LOG_TAIL_LINES
from annotateforge.trainer.records import NewJob
from annotateforge.trainer.status import Status
from annotateforge.trainer.waiting_workers import Vacancy, WaitingWorkers
from annotateforge.trainer.wakeups import Wakeups

Decide = Callable[[JobState, datetime], Change]
"""One step of the lifecycle: from the locked job and the time to what changes."""


class Journal:
    """The one way in which the state of a job changes."""

    def __init__(
        self,
        pool: Pool,
        outbox: Outbox,
        bus: Bus,
        wakeups: Wakeups,
        waiting_workers: WaitingWorkers,
        sweep: BlobSweep,
        begun_or_ended: Callable[[], None] = lambda: None,
    ) -> None:
        """begun_or_ended: called after a job was made or has ended here."""
        self._begun_or_ended = begun_or_ended
        self._pool = pool
        self._outbox = outbox
        self._bus = bus
        self._wakeups = wakeups
        self._waiting_workers = waiting_workers
        self._sweep = sweep

    async def change(self, job_id: UUID, decide: Decide) -> JobState:
        """Take one step: lock the job, decide, write, tell. Answers the job after it.

        NotFound JOB_NOT_FOUND; what `decide` raises leaves everything as it was.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            before, change = await self.change_within(connection, job_id, decide)
        await self.announce(before, change)
        return change.job

    async def change_within(
        self, connection: Connection, job_id: UUID, decide: Decide
    ) -> tuple[JobState, Change]:
        """The same inside the caller's transaction, who calls `announce` after the commit."""
        locked = await store.lock_job(connection, job_id)
        if locked is None:
            raise job_not_found(job_id)
        before, now = locked
        change = decide(before, now)
        if change.job.failure is not None and before.failure is None:
            await _add_log(connection, change)
        saved = await store.save_change(connection, before, change)
        assert saved, "the job is locked"
        return before, change

    async def create(self, connection: Connection, new: NewJob, change: Change, now: datetime) -> bool:
        """Write a new job inside the caller's transaction, who calls `announce` after the commit.

        False, and nothing is written, when another job has its request id.
        """
        return await store.insert_job(connection, new, change, now)

    async def announce(self, before: JobState | None, change: Change) -> None:
        """Tell of a step that is committed: events, and wake-ups for those whom it concerns."""
        job = change.job
        if change.events:
            self._outbox.wake()
        if before is not None and job.checkpoint != before.checkpoint:
            self._sweep.wake()
        if before is None or (job.status.final and not before.status.final):
            self._begun_or_ended()
        for event in change.live:
            await self._bus.tell(subjects.job_progress(job.id), event.SerializeToString())
        if job.status is Status.PENDING and (before is None or before.status is not Status.PENDING):
            await self.wake_worker(job)
        if before is not None and before.status is Status.PENDING and job.status is not Status.PENDING:
            await self.waits_no_longer(job)
        if before is not None and (
            job.cancel_requested != before.cancel_requested or job.status.leased < before.status.leased
        ):
            await self._wakeups.wake(subjects.job_control(job.id))

    async def wake_worker(self, job: JobState) -> None:
        """Let a worker that waits look for a job that does."""
        await self._waiting_workers.wake(Vacancy(job.id, job.demand))

    async def waits_no_longer(self, job: JobState) -> None:
        """A job has left its place in the queue: devices that were kept for it are for others."""
        if job.demand.devices > 1:
            await self._waiting_workers.let_go()


async def _add_log(connection: Connection, change: Change) -> None:
    """Complete a new failure with the end of the job's log, unless its worker has told that."""
    failure = change.job.failure
    assert failure is not None
    if not failure.log_tail:
        lines = await log_store.read_log_tail(connection, change.job.id, LOG_TAIL_LINES)
        failure.log_tail.extend(lines)
        for event in change.events:
            if event.HasField("training_failed"):
                event.training_failed.log_tail.extend(lines)


def job_not_found(job_id: UUID) -> NotFound:
    """What a caller is told who names a job that is not there."""
    return NotFound(
        "JOB_NOT_FOUND",
        f"There is no job {job_id}; it may have been deleted.",
        metadata={"job_id": str(job_id)},
    )
