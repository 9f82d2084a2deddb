"""The queue of waiting jobs: hands each to one worker, the most urgent first."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from annotateforge.runtime import subjects
from annotateforge.runtime.database import Connection, Pool
from annotateforge.runtime.errors import FailedPrecondition
from annotateforge.trainer import lifecycle, store
from annotateforge.trainer.job import Change, JobState
from annotateforge.trainer.journal import Journal
from annotateforge.trainer.placement import Offer
from annotateforge.trainer.records import JobRecord
from annotateforge.trainer.wakeups import Wakeups

LOOK_AGAIN_AFTER = 10.0
"""Seconds after which a waiting worker looks again without having been woken, and counts as heard of."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class IdleWorker:
    """A worker that asks for a job, as it describes itself."""

    id: UUID
    name: str
    offer: Offer
    description: bytes
    """Serialised Worker."""
    load: bytes
    """Serialised Load."""


class Queue:
    """Hands out jobs."""

    def __init__(self, pool: Pool, journal: Journal, wakeups: Wakeups, lease: timedelta) -> None:
        self._pool = pool
        self._journal = journal
        self._wakeups = wakeups
        self._lease = lease

    async def acquire(self, worker: IdleWorker, wait: float) -> JobRecord | None:
        """The job that the worker is to train, waiting up to `wait` seconds for one; None when there was
        none.

        A worker that has an attempt of which it has reported nothing is given that one again: it did not get
        the answer. FailedPrecondition WORKER_BUSY when it has reported something.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        look_again_after = min(LOOK_AGAIN_AFTER, self._lease.total_seconds())
        with self._wakeups.waiting(subjects.job_wake()) as waiter:
            while True:
                job = await self._try(worker)
                left = deadline - loop.time()
                if job is not None or left <= 0 or waiter.stopping:
                    return job
                await waiter.wait(min(left, look_again_after))

    async def _try(self, worker: IdleWorker) -> JobRecord | None:
        async with self._pool.acquire() as connection, connection.transaction():
            # Locks the worker's row: of two calls of one worker the second one finds what the first one took.
            await store.put_worker(connection, worker.id, worker.name, worker.description, worker.load)
            taken = await self._again(connection, worker) or await self._next(connection, worker)
            if taken is None:
                return None
            before, change = taken
            job = await store.read_job(connection, change.job.id)
        await self._journal.announce(before, change)
        log.info("acquired", job_id=str(change.job.id), attempt=change.job.attempt, worker=worker.name)
        return job

    async def _again(self, connection: Connection, worker: IdleWorker) -> tuple[JobState, Change] | None:
        held = await store.find_open_attempt(connection, worker.id)
        if held is None:
            return None
        if held.accepted_through > 0:
            raise FailedPrecondition(
                "WORKER_BUSY",
                f"The worker has attempt {held.number} of job {held.job_id}. Finish or release it first.",
                metadata={"job_id": str(held.job_id), "attempt": str(held.number)},
            )
        return await self._journal.change_within(
            connection,
            held.job_id,
            lambda job, now: lifecycle.renew(job, held.number, worker.id, self._lease, now),
        )

    async def _next(self, connection: Connection, worker: IdleWorker) -> tuple[JobState, Change] | None:
        job_id = await store.lock_next_in_queue(connection, worker.offer)
        if job_id is None:
            return None
        return await self._journal.change_within(
            connection, job_id, lambda job, now: lifecycle.acquire(job, worker.id, self._lease, now)
        )
