"""The queue of waiting jobs: hands each to one worker, the most urgent first."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import FailedPrecondition
from annotateforge.trainer import lifecycle, queue_store, store, worker_store
from annotateforge.trainer.job import JobState
from annotateforge.trainer.journal import Journal
from annotateforge.trainer.placement import Demand, Offer
from annotateforge.trainer.queue_store import Found, View
from annotateforge.trainer.records import JobRecord, OpenAttempt
from annotateforge.trainer.waiting_workers import Vacancy, WaitingWorker, WaitingWorkers

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


@dataclass(frozen=True, slots=True)
class Taken:
    """A job that a worker has now."""

    record: JobRecord
    trained_seconds: float
    """For which its former attempts trained."""


class Queue:
    """Hands out jobs."""

    def __init__(
        self, pool: Pool, journal: Journal, waiting_workers: WaitingWorkers, lease: timedelta
    ) -> None:
        self._pool = pool
        self._journal = journal
        self._waiting_workers = waiting_workers
        self._lease = lease
        self._choosing = asyncio.Lock()
        self._reserved: set[UUID] = set()
        """Jobs that somebody in this process is about to take: nobody else looks at them."""

    async def acquire(self, worker: IdleWorker, wait: float) -> Taken | None:
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
                job = await self._try(worker, waiting)
                if job is not None:
                    waiting.took(job.id)
                    return Taken(job, await self._trained_seconds(job))
                left = deadline - loop.time()
                if left <= 0 or waiting.stopping:
                    return None
                await waiting.wait(min(left, look_again_after))

    async def _try(self, worker: IdleWorker, waiting: WaitingWorker) -> JobRecord | None:
        """A job for the worker, if there is one. Nothing is locked while it is looked for: that nobody else
        took it meanwhile is seen when the attempt is written, and then the next one is looked for.
        """
        view, _ = await asyncio.gather(self._look(worker), self._hear_of(worker))
        while True:
            if view.held is not None:
                return await self._again(worker, view.held)
            offer = worker.offer
            fitting = [one for one in view.demands if offer.fits(one) or offer.waits_for(one)]
            found = await self._reserve(fitting) if fitting else None
            if found is None:
                waiting.found_nothing()
                return None
            if not offer.fits(found.state.demand):
                # What is free is kept for it.
                self._reserved.discard(found.record.id)
                waiting.keeps_devices()
                self._waiting_workers.wake_here(Vacancy(found.record.id, found.state.demand))
                return None
            record = None
            try:
                record = await self._begin(worker, found)
            finally:
                self._reserved.discard(found.record.id)
                if record is None:
                    # Those who looked meanwhile passed it over.
                    self._waiting_workers.wake_here(Vacancy(found.record.id, found.state.demand))
            if record is not None:
                return record
            view = await self._look(worker)

    async def _look(self, worker: IdleWorker) -> View:
        async with self._pool.acquire() as connection:
            return await queue_store.look(connection, worker.id)

    async def _hear_of(self, worker: IdleWorker) -> None:
        async with self._pool.acquire() as connection:
            await worker_store.put_worker(connection, worker.id, worker.name, worker.description, worker.load)

    async def _reserve(self, demands: Sequence[Demand]) -> Found | None:
        """The next job that nobody else in this process is about to take."""
        async with self._choosing:
            async with self._pool.acquire() as connection:
                found = await queue_store.read_next(connection, demands, self._reserved)
            # Not before the connection is given back, which waits: a caller that is cancelled there would
            # leave the job reserved for ever. From here to the caller's `try` nothing waits.
            if found is not None:
                self._reserved.add(found.record.id)
            return found

    async def _begin(self, worker: IdleWorker, found: Found) -> JobRecord | None:
        """Begin an attempt; None when somebody else was faster, or when the worker has got another one by a
        call of its own at the same time.
        """
        before = found.state
        change = lifecycle.acquire(before, worker.id, self._lease, found.record.now)
        async with self._pool.acquire() as connection:
            if not await queue_store.begin(connection, before, change):
                return None
        await self._journal.announce(before, change)
        self._log(worker, change.job)
        return found.record.begun(change.job, worker.name)

    async def _again(self, worker: IdleWorker, held: OpenAttempt) -> JobRecord | None:
        if held.accepted_through > 0:
            raise FailedPrecondition(
                "WORKER_BUSY",
                f"The worker has attempt {held.number} of job {held.job_id}. Finish or release it first.",
                metadata={"job_id": str(held.job_id), "attempt": str(held.number)},
            )
        async with self._pool.acquire() as connection, connection.transaction():
            before, change = await self._journal.change_within(
                connection,
                held.job_id,
                lambda job, now: lifecycle.renew(job, held.number, worker.id, self._lease, now),
            )
            record = await store.read_job(connection, held.job_id)
        await self._journal.announce(before, change)
        self._log(worker, change.job)
        return record

    async def _trained_seconds(self, job: JobRecord) -> float:
        if job.attempt == 1:
            return 0.0
        async with self._pool.acquire() as connection:
            return await queue_store.trained_seconds(connection, job.id)

    def _log(self, worker: IdleWorker, job: JobState) -> None:
        log.info("acquired", job_id=str(job.id), attempt=job.attempt, worker=worker.name)
