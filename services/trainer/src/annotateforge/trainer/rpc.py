"""The handlers of TrainerService: check, call, convert."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.trainer.v1 import trainer_service_pb2 as api
from annotateforge.api.trainer.v1.event_pb2 import JobEvent
from annotateforge.api.trainer.v1.job_pb2 import Epoch, Job, JobStatus
from annotateforge.api.trainer.v1.trainer_service_pb2_grpc import TrainerServiceServicer
from annotateforge.runtime.database import Connection, Pool
from annotateforge.runtime.errors import FailedPrecondition, InvalidArgument
from annotateforge.runtime.ids import parse_id
from annotateforge.runtime.paging import page_token, read_page
from annotateforge.runtime.ranking import best_of
from annotateforge.runtime.telemetry import bind
from annotateforge.trainer import log_store, queue_store, store, sweep_store, worker_store
from annotateforge.trainer.architectures import ARCHITECTURES
from annotateforge.trainer.jobs import Jobs
from annotateforge.trainer.journal import job_not_found
from annotateforge.trainer.leases import FORGET_WORKERS_AFTER
from annotateforge.trainer.logs import Logs
from annotateforge.trainer.messages import architecture_message, job_message, task_word, worker_message
from annotateforge.trainer.orders import read_order, read_update
from annotateforge.trainer.outcomes import LOG_TAIL_LINES
from annotateforge.trainer.records import JobRecord
from annotateforge.trainer.status import Status, status_of
from annotateforge.trainer.sweeps import Sweeps, read_sweep_order
from annotateforge.trainer.watch import Watches

Context = grpc.aio.ServicerContext[Any, Any]

_HISTORY_PAGE = 1000


class TrainerRpc(TrainerServiceServicer):
    """TrainerService over the jobs and those who watch them."""

    def __init__(
        self, pool: Pool, jobs: Jobs, sweeps: Sweeps, logs: Logs, watches: Watches, online_for: timedelta
    ) -> None:
        """online_for: how long a worker that was heard of counts as online."""
        self._pool = pool
        self._jobs = jobs
        self._sweeps = sweeps
        self._logs = logs
        self._watches = watches
        self._online_for = online_for

    async def CreateJob(self, request: api.CreateJobRequest, context: Context) -> api.CreateJobResponse:
        record = await self._jobs.create(read_order(request))
        with bind(job_id=record.id):
            return api.CreateJobResponse(job=await self._shown(record))

    async def GetJob(self, request: api.GetJobRequest, context: Context) -> api.GetJobResponse:
        with _job(request.job_id) as job_id:
            return api.GetJobResponse(job=await self._shown(await self._jobs.get(job_id)))

    async def ListJobs(self, request: api.ListJobsRequest, context: Context) -> api.ListJobsResponse:
        page = read_page(request.page_size, request.page_token, (UUID,))
        status, task = _status_filter(request.status), _task_filter(request.task_type)
        async with self._pool.acquire() as connection:
            before = page.cursor[0] if page.cursor else None
            found = await store.list_jobs(connection, before, status, task, page.size)
            waiting = [record.id for record in found.rows if record.status is Status.PENDING]
            places = await queue_store.queue_positions(connection, waiting) if waiting else {}
        return api.ListJobsResponse(
            jobs=[
                job_message(record, position=places.get(record.id), with_log=False) for record in found.rows
            ],
            next_page_token=page_token((found.rows[-1].id,)) if found.more else "",
        )

    async def UpdateJob(self, request: api.UpdateJobRequest, context: Context) -> api.UpdateJobResponse:
        with _job(request.job_id) as job_id:
            record = await self._jobs.update(job_id, read_update(request))
            return api.UpdateJobResponse(job=await self._shown(record))

    async def CancelJob(self, request: api.CancelJobRequest, context: Context) -> api.CancelJobResponse:
        with _job(request.job_id) as job_id:
            return api.CancelJobResponse(job=job_message(await self._jobs.cancel(job_id)))

    async def RestartJob(self, request: api.RestartJobRequest, context: Context) -> api.RestartJobResponse:
        with _job(request.job_id) as job_id:
            return api.RestartJobResponse(job=await self._shown(await self._jobs.repeat(job_id, request)))

    async def DeleteJob(self, request: api.DeleteJobRequest, context: Context) -> api.DeleteJobResponse:
        with _job(request.job_id) as job_id:
            await self._jobs.delete(job_id)
            return api.DeleteJobResponse()

    async def ListEpochs(self, request: api.ListEpochsRequest, context: Context) -> api.ListEpochsResponse:
        page = read_page(request.page_size, request.page_token, (int,), default=_HISTORY_PAGE)
        with _job(request.job_id) as job_id:
            after = page.cursor[0] if page.cursor else 0
            async with self._pool.acquire() as connection:
                await _check_there(connection, job_id)
                found = await store.list_epochs(connection, job_id, after, page.size)
            epochs = [Epoch.FromString(message) for message in found.rows]
            token = page_token((epochs[-1].epoch,)) if found.more else ""
            return api.ListEpochsResponse(epochs=epochs, next_page_token=token)

    async def GetEvaluation(
        self, request: api.GetEvaluationRequest, context: Context
    ) -> api.GetEvaluationResponse:
        with _job(request.job_id) as job_id:
            async with self._pool.acquire() as connection:
                await _check_there(connection, job_id)
                message = await store.read_completion(connection, job_id)
            if message is None:
                raise FailedPrecondition(
                    "JOB_NOT_COMPLETED", "The job has no model, so nothing was evaluated. Wait for its end."
                )
            return api.GetEvaluationResponse(evaluation=JobEvent.FromString(message).training_complete)

    async def ListEvents(self, request: api.ListEventsRequest, context: Context) -> api.ListEventsResponse:
        page = read_page(request.page_size, request.page_token, (int,), default=_HISTORY_PAGE)
        with _job(request.job_id) as job_id:
            after = max(_checked_after(request.after), page.cursor[0] if page.cursor else 0)
            async with self._pool.acquire() as connection:
                await _check_there(connection, job_id)
                found = await store.list_events(connection, job_id, after, page.size)
            events = [JobEvent.FromString(message) for message in found.rows]
            token = page_token((events[-1].sequence,)) if found.more else ""
            return api.ListEventsResponse(events=events, next_page_token=token)

    async def ListLogs(self, request: api.ListLogsRequest, context: Context) -> api.ListLogsResponse:
        page = read_page(request.page_size, request.page_token, (int,), default=_HISTORY_PAGE)
        with _job(request.job_id) as job_id:
            after = max(_checked_after(request.after, "a line"), page.cursor[0] if page.cursor else 0)
            if request.attempt < 0:
                raise InvalidArgument.of_field(
                    "INVALID_FILTER", "attempt", "must be 0 for all, or an attempt"
                )
            found = await self._logs.page(job_id, after, request.attempt, page.size)
            token = page_token((found.lines[-1].number,)) if found.more else ""
            return api.ListLogsResponse(lines=found.lines, next_page_token=token)

    async def WatchJob(
        self, request: api.WatchJobRequest, context: Context
    ) -> AsyncIterator[api.WatchJobResponse]:
        with _job(request.job_id) as job_id:
            events = self._watches.watch(job_id, _checked_after(request.after))
            async with contextlib.aclosing(events):
                async for event in events:
                    yield api.WatchJobResponse(event=event)

    async def CreateSweep(self, request: api.CreateSweepRequest, context: Context) -> api.CreateSweepResponse:
        return api.CreateSweepResponse(sweep=await self._sweeps.create(read_sweep_order(request)))

    async def GetSweep(self, request: api.GetSweepRequest, context: Context) -> api.GetSweepResponse:
        return api.GetSweepResponse(sweep=await self._sweeps.get(parse_id(request.sweep_id, "sweep_id")))

    async def ListSweeps(self, request: api.ListSweepsRequest, context: Context) -> api.ListSweepsResponse:
        page = read_page(request.page_size, request.page_token, (UUID,))
        async with self._pool.acquire() as connection:
            before = page.cursor[0] if page.cursor else None
            found = await sweep_store.list_sweeps(connection, before, page.limit)
        sweeps, next_page_token = page.cut(found, lambda sweep: (UUID(sweep.id),))
        return api.ListSweepsResponse(sweeps=sweeps, next_page_token=next_page_token)

    async def CompareJobs(self, request: api.CompareJobsRequest, context: Context) -> api.CompareJobsResponse:
        if request.sweep_id and request.job_ids:
            raise InvalidArgument.of_field(
                "INVALID_COMPARISON", "job_ids", "are given, and a sweep; leave one of them out"
            )
        texts: Sequence[str] = request.job_ids
        if request.sweep_id:
            texts = (await self._sweeps.get(parse_id(request.sweep_id, "sweep_id"))).job_ids
        job_ids = [parse_id(text, f"job_ids[{index}]") for index, text in enumerate(texts)]
        settings, lines = await self._sweeps.compare(job_ids)
        best = best_of((line.job_id, line.metrics) for line in lines)
        return api.CompareJobsResponse(settings=settings, jobs=lines, best_job_id=best)

    async def ListArchitectures(
        self, request: api.ListArchitecturesRequest, context: Context
    ) -> api.ListArchitecturesResponse:
        _task_filter(request.task_type)
        return api.ListArchitecturesResponse(
            architectures=[
                architecture_message(one, request.task_type or None) for one in ARCHITECTURES.values()
            ]
        )

    async def ListWorkers(self, request: api.ListWorkersRequest, context: Context) -> api.ListWorkersResponse:
        page = read_page(request.page_size, request.page_token, (str, UUID))
        after = (page.cursor[0], page.cursor[1]) if page.cursor else None
        async with self._pool.acquire() as connection:
            found = await worker_store.list_workers(connection, FORGET_WORKERS_AFTER, after, page.limit)
        workers, next_page_token = page.cut(found, lambda worker: (worker.name, worker.id))
        return api.ListWorkersResponse(
            workers=[worker_message(worker, self._online_for) for worker in workers],
            next_page_token=next_page_token,
        )

    async def _shown(self, record: JobRecord) -> Job:
        """A job with its place in the queue, and the end of its log if it was cancelled."""
        if record.status is Status.CANCELLED:
            job = job_message(record)
            async with self._pool.acquire() as connection:
                job.failure.log_tail.extend(
                    await log_store.read_log_tail(connection, record.id, LOG_TAIL_LINES)
                )
            return job
        if record.status is not Status.PENDING:
            return job_message(record)
        async with self._pool.acquire() as connection:
            places = await queue_store.queue_positions(connection, [record.id])
        return job_message(record, position=places.get(record.id))


@contextlib.contextmanager
def _job(text: str) -> Iterator[UUID]:
    job_id = parse_id(text, "job_id")
    with bind(job_id=job_id):
        yield job_id


async def _check_there(connection: Connection, job_id: UUID) -> None:
    if await store.read_standing(connection, job_id) is None:
        raise job_not_found(job_id)


def _checked_after(after: int, of: str = "an event") -> int:
    if after < 0:
        raise InvalidArgument.of_field("INVALID_AFTER", "after", f"must be 0 or the number of {of}")
    return after


def _status_filter(number: JobStatus.ValueType) -> Status | None:
    if number not in JobStatus.values():
        raise InvalidArgument.of_field("INVALID_FILTER", "status", "is no status of a job")
    return status_of(number)


def _task_filter(number: TaskType.ValueType) -> str | None:
    if number not in TaskType.values():
        raise InvalidArgument.of_field("INVALID_FILTER", "task_type", "must be classify, detect or segment")
    return task_word(number) if number else None
