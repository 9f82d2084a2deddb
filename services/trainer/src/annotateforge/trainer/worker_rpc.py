"""The handlers of WorkerService: check, call, convert."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration

from annotateforge.api.trainer.v1 import worker_service_pb2 as api
from annotateforge.api.trainer.v1.worker_pb2 import Load, Worker
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceServicer
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.ids import parse_id
from annotateforge.runtime.telemetry import bind
from annotateforge.trainer import lifecycle, outcomes, reports
from annotateforge.trainer.checkpoints import Checkpoints
from annotateforge.trainer.job import JobState
from annotateforge.trainer.journal import Decide, Journal
from annotateforge.trainer.leases import Heartbeats
from annotateforge.trainer.logs import Logs
from annotateforge.trainer.messages import checkpoint_message, job_message
from annotateforge.trainer.placement import Offer
from annotateforge.trainer.queue import IdleWorker, Queue
from annotateforge.trainer.violations import Violations

Context = grpc.aio.ServicerContext[Any, Any]

LONGEST_WAIT = 60.0
"""Seconds that a call may be held at most."""
_ACQUIRE_WAIT = 30.0
_MOST_DEVICES = 64
_MOST_VERSIONS = 50
_MOST_MEMORY = 10**15


class WorkerRpc(WorkerServiceServicer):
    """WorkerService over the queue, the leases and the journal."""

    def __init__(
        self,
        queue: Queue,
        heartbeats: Heartbeats,
        journal: Journal,
        checkpoints: Checkpoints,
        logs: Logs,
        lease: timedelta,
        max_attempts: int,
    ) -> None:
        self._queue = queue
        self._checkpoints = checkpoints
        self._max_attempts = max_attempts
        self._heartbeats = heartbeats
        self._journal = journal
        self._logs = logs
        self._lease = Duration()
        self._lease.FromTimedelta(lease)

    async def AcquireJob(self, request: api.AcquireJobRequest, context: Context) -> api.AcquireJobResponse:
        worker = _read_worker(request.worker)
        wait = _read_wait(request.wait) if request.HasField("wait") else _ACQUIRE_WAIT
        taken = await self._queue.acquire(worker, wait)
        if taken is None:
            return api.AcquireJobResponse()
        record = taken.record
        with bind(job_id=record.id):
            return api.AcquireJobResponse(
                assignment=api.Assignment(
                    job=job_message(record),
                    attempt=record.attempt,
                    lease=self._lease,
                    trained_seconds=taken.trained_seconds,
                )
            )

    async def Heartbeat(self, request: api.HeartbeatRequest, context: Context) -> api.HeartbeatResponse:
        worker_id, job_id = parse_id(request.worker_id, "worker_id"), parse_id(request.job_id, "job_id")
        with bind(job_id=job_id):
            load, wait = _read_load(request.load), _read_wait(request.wait)
            job = await self._heartbeats.beat(worker_id, job_id, request.attempt, load, wait)
            return api.HeartbeatResponse(directive=_directive(job), lease=self._lease)

    async def ReportEvents(
        self, request: api.ReportEventsRequest, context: Context
    ) -> api.ReportEventsResponse:
        job = await self._change(
            request.job_id, lambda job, now: reports.record(job, request.attempt, request.reports, now)
        )
        return api.ReportEventsResponse(accepted_through=job.accepted_through, directive=_directive(job))

    async def UploadCheckpoint(
        self, request_iterator: AsyncIterator[api.UploadCheckpointRequest], context: Context
    ) -> api.UploadCheckpointResponse:
        saved = await self._checkpoints.take(aiter(request_iterator))
        return api.UploadCheckpointResponse(checkpoint=checkpoint_message(saved))

    async def DownloadCheckpoint(
        self, request: api.DownloadCheckpointRequest, context: Context
    ) -> AsyncIterator[api.DownloadCheckpointResponse]:
        async for part in self._checkpoints.hand_out(request):
            yield part

    async def AppendLog(self, request: api.AppendLogRequest, context: Context) -> api.AppendLogResponse:
        job_id = parse_id(request.job_id, "job_id")
        with bind(job_id=job_id):
            await self._logs.append(job_id, request.attempt, request.lines)
            return api.AppendLogResponse()

    async def FinishAttempt(
        self, request: api.FinishAttemptRequest, context: Context
    ) -> api.FinishAttemptResponse:
        job = await self._change(request.job_id, _read_outcome(request, self._max_attempts))
        return api.FinishAttemptResponse(status=job.status.proto)

    async def ReleaseAttempt(
        self, request: api.ReleaseAttemptRequest, context: Context
    ) -> api.ReleaseAttemptResponse:
        message = outcomes.told_text(request.message)
        await self._change(
            request.job_id, lambda job, now: lifecycle.release(job, request.attempt, message, now)
        )
        return api.ReleaseAttemptResponse()

    async def _change(self, job_id: str, decide: Decide) -> JobState:
        identifier = parse_id(job_id, "job_id")
        with bind(job_id=identifier):
            return await self._journal.change(identifier, decide)


def _read_outcome(request: api.FinishAttemptRequest, max_attempts: int) -> Decide:
    attempt = request.attempt
    match request.WhichOneof("outcome"):
        case "completed":
            result = outcomes.told_result(request.completed)
            return lambda job, now: lifecycle.complete(job, attempt, result, now)
        case "failed":
            failure = outcomes.told_failure(request.failed)
            return lambda job, now: lifecycle.fail(job, attempt, failure, now)
        case "cancelled":
            return lambda job, now: lifecycle.stop(job, attempt, now)
        case "interrupted":
            why = outcomes.told_failure(request.interrupted.failure)
            batch_size = request.interrupted.batch_size
            return lambda job, now: lifecycle.interrupt(job, attempt, why, batch_size, max_attempts, now)
        case _:
            raise InvalidArgument.of_field(
                "INVALID_OUTCOME", "outcome", "is required: completed, failed, cancelled or interrupted"
            )


def _read_worker(worker: Worker) -> IdleWorker:
    """InvalidArgument INVALID_ID or INVALID_WORKER."""
    worker_id = parse_id(worker.id, "worker.id")
    violations = Violations()
    violations.text("worker.name", worker.name, longest=200, required=True)
    if len(worker.devices) > _MOST_DEVICES:
        violations.add("worker.devices", f"has {len(worker.devices):,} entries; at most {_MOST_DEVICES}")
    for index, device in enumerate(worker.devices[:_MOST_DEVICES]):
        violations.text(f"worker.devices[{index}].name", device.name, longest=100, required=True)
        violations.text(f"worker.devices[{index}].model", device.model, longest=200)
        if not 0 <= device.memory_bytes < _MOST_MEMORY:
            violations.add(f"worker.devices[{index}].memory_bytes", "must be 0 to a petabyte")
    if len(worker.versions) > _MOST_VERSIONS:
        violations.add("worker.versions", f"has {len(worker.versions):,} entries; at most {_MOST_VERSIONS}")
    for name, version in sorted(worker.versions.items())[:_MOST_VERSIONS]:
        violations.text("worker.versions", name, longest=100, required=True)
        violations.text("worker.versions", version, longest=200)
    _check_gpus("worker.load", worker.load, violations)
    violations.finite("worker", worker)
    violations.raise_any("INVALID_WORKER")
    return IdleWorker(
        id=worker_id,
        name=worker.name,
        offer=Offer.of(worker.devices),
        description=Worker(devices=worker.devices, versions=worker.versions).SerializeToString(),
        load=worker.load.SerializeToString(),
    )


def _read_load(load: Load) -> bytes:
    """InvalidArgument INVALID_WORKER."""
    violations = Violations()
    _check_gpus("load", load, violations)
    violations.finite("load", load)
    violations.raise_any("INVALID_WORKER")
    return load.SerializeToString()


def _check_gpus(field: str, load: Load, violations: Violations) -> None:
    """It is kept with every heartbeat, and shown to everybody."""
    if len(load.gpus) > _MOST_DEVICES:
        violations.add(f"{field}.gpus", f"has {len(load.gpus):,} entries; at most {_MOST_DEVICES}")
    for index, gpu in enumerate(load.gpus[:_MOST_DEVICES]):
        violations.text(f"{field}.gpus[{index}].name", gpu.name, longest=100, required=True)
        if not 0 <= gpu.memory_used_bytes < _MOST_MEMORY:
            violations.add(f"{field}.gpus[{index}].memory_used_bytes", "must be 0 to a petabyte")


def _read_wait(wait: Duration) -> float:
    seconds = wait.seconds + wait.nanos / 1e9
    if not 0 <= seconds <= LONGEST_WAIT:
        raise InvalidArgument.of_field("INVALID_WAIT", "wait", f"must be 0 to {LONGEST_WAIT:g} seconds")
    return seconds


def _directive(job: JobState) -> api.Directive.ValueType:
    return api.DIRECTIVE_CANCEL if job.cancel_requested else api.DIRECTIVE_CONTINUE
