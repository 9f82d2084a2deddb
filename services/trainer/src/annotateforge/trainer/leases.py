"""Leases: who is heard of keeps a job, and what nobody was heard of for goes back to the queue."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from annotateforge.runtime import subjects
from annotateforge.runtime.database import Pool, database_error
from annotateforge.runtime.errors import NotFound
from annotateforge.trainer import lifecycle, store, worker_store
from annotateforge.trainer.job import JobState
from annotateforge.trainer.journal import Journal
from annotateforge.trainer.wakeups import Wakeups

FORGET_WORKERS_AFTER = timedelta(minutes=10)
"""Workers that were not heard of for so long are no longer listed."""

_MARGIN = 0.01
_PAUSE_AFTER_ERROR = 1.0

log = structlog.get_logger()


class Heartbeats:
    """Prolongs leases and tells workers what to do."""

    def __init__(self, pool: Pool, journal: Journal, wakeups: Wakeups, lease: timedelta) -> None:
        self._pool = pool
        self._journal = journal
        self._wakeups = wakeups
        self._lease = lease

    async def beat(self, worker_id: UUID, job_id: UUID, attempt: int, load: bytes, wait: float) -> JobState:
        """Prolong the lease, then wait up to `wait` seconds until the worker has to do something else.

        Answers the job as it is then. NotFound JOB_NOT_FOUND, Aborted ATTEMPT_STALE. The wait is cut to a
        third of the lease, so that the next heartbeat comes in time.
        """
        async with self._pool.acquire() as connection:
            await worker_store.touch_worker(connection, worker_id, load)
        with self._wakeups.waiting(subjects.job_control(job_id)) as waiter:
            seconds = min(wait, self._lease.total_seconds() / 3)
            job = await self._renew(job_id, attempt, worker_id)
            if job.cancel_requested or seconds <= 0:
                return job
            await waiter.wait(seconds)
            return await self._renew(job_id, attempt, worker_id)

    async def _renew(self, job_id: UUID, attempt: int, worker_id: UUID) -> JobState:
        return await self._journal.change(
            job_id, lambda job, now: lifecycle.renew(job, attempt, worker_id, self._lease, now)
        )


class LeaseSweeper:
    """Ends the attempts whose lease has run out, when it runs out.

    While this process, the database or the whole machine was away nobody could be heard of. So after a start,
    an outage, or a clock that jumped, everybody gets the time of a lease to be heard of again.
    """

    def __init__(self, pool: Pool, journal: Journal, lease: timedelta, max_attempts: int) -> None:
        self._pool = pool
        self._journal = journal
        self._lease = lease
        self._max_attempts = max_attempts
        self._clocks: tuple[datetime, float] | None = None

    @contextlib.asynccontextmanager
    async def sweeping(self) -> AsyncIterator[None]:
        """Sweep in the background for the time of the context."""
        task = asyncio.create_task(self._sweep_for_ever(), name="leases")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _sweep_for_ever(self) -> None:
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            try:
                pause = await self._sweep()
            except Exception as error:
                # Without leases that run out, jobs of lost workers would stay theirs for ever: go on,
                # whatever it is.
                expected = database_error(error) is not None
                log.warning("leases cannot be swept", error=type(error).__name__, exc_info=not expected)
                self._clocks = None
                pause = _PAUSE_AFTER_ERROR

    async def _sweep(self) -> float:
        """End what has run out; answers the seconds until the next lease can run out."""
        async with self._pool.acquire() as connection:
            expiry, now = await store.next_expiry(connection)
            if self._was_away(now):
                return self._lease.total_seconds()
            await worker_store.delete_old_workers(connection, FORGET_WORKERS_AFTER)
            # A lease that is granted from now on runs out later than the longest pause.
            if expiry is None or expiry > now:
                left = self._lease if expiry is None else min(self._lease, expiry - now)
                return left.total_seconds() + _MARGIN
            expired = await store.list_expired(connection)
        ended = [await self._end(job_id) for job_id in expired]
        return 0.0 if all(ended) else _PAUSE_AFTER_ERROR

    async def _end(self, job_id: UUID) -> bool:
        """End the attempt of a job whose lease has run out; False when that cannot be."""
        try:
            job = await self._journal.change(
                job_id, lambda job, now: lifecycle.expire(job, self._max_attempts, now)
            )
        except NotFound:
            return True
        except Exception as error:
            if database_error(error) is not None:
                raise
            # Those after it would stay with their lost workers for as long as this one is what it is.
            log.exception("a lease that ran out cannot be ended", job_id=str(job_id))
            return False
        log.warning("lease ran out", job_id=str(job_id), attempt=job.attempt, status=job.status.value)
        return True

    def _was_away(self, now: datetime) -> bool:
        """Whether the database's clock went on while ours stood still, or we do not know."""
        before, self._clocks = self._clocks, (now, time.monotonic())
        if before is None:
            return True
        elapsed, elapsed_here = (now - before[0]).total_seconds(), self._clocks[1] - before[1]
        return elapsed - elapsed_here > self._lease.total_seconds() / 2
