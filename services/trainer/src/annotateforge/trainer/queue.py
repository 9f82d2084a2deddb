"""The queue of waiting jobs: hands each to one worker, the most urgent first."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from annotateforge.runtime.database import Connection, Pool
from annotateforge.runtime.errors import FailedPrecondition
from annotateforge.trainer import lifecycle, queue_store, store, worker_store
from annotateforge.trainer.job import Change, JobState
from annotateforge.trainer.journal import Journal
from annotateforge.trainer.placement import Offer
from annotateforge.trainer.queue_store import View
from annotateforge.trainer.records import JobRecord, OpenAttempt
from annotateforge.trainer.waiting_workers import WaitingWorkers

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

    def __init__(
        self, pool: Pool, journal: Journal, waiting_workers: WaitingWorkers, lease: timedelta
    ) -> None:
        self._pool = pool
        self._journal = journal
        self._waiting_workers = waiting_workers
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
        with self._waiting_workers.waiting(worker.offer) as waiting:
            while True:
                job = await self._try(worker)
                if job is not None:
                    waiting.took(job.id)
                    return job
                waiting.found_nothing()
                left = deadline - loop.time()
                if left <= 0 or waiting.stopping:
                    return None
                await waiting.wait(min(left, look_again_after))

    async def _try(self, worker: IdleWorker) -> JobRecord | None:
        async with self._pool.acquire() as connection, connection.transaction():
            # Locks the worker's row: of two calls of one worker the second one finds what the first one took.
            await worker_store.put_worker(connection, worker.id, worker.name, worker.description, worker.load)
            view = await queue_store.look(connection, worker.id)
            taken = await self._take(connection, worker, view)
            if taken is None:
                return None
            before, change = taken
            job = await store.read_job(connection, change.job.id)
        await self._journal.announce(before, change)
        log.info("acquired", job_id=str(change.job.id), attempt=change.job.attempt, worker=worker.name)
        return job

    async def _take(
        self, connection: Connection, worker: IdleWorker, view: View
    ) -> tuple[JobState, Change] | None:
        if view.held is not None:
            return await self._again(connection, worker, view.held)
        fitting = [demand for demand in view.demands if worker.offer.fits(demand)]
        locked = await queue_store.lock_next(connection, fitting) if fitting else None
        if locked is None:
            return None
        return await self._journal.change_locked(
            connection, *locked, lambda job, now: lifecycle.acquire(job, worker.id, self._lease, now)
        )

    async def _again(
        self, connection: Connection, worker: IdleWorker, held: OpenAttempt
    ) -> tuple[JobState, Change]:
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
