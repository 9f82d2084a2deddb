"""Takes one job after the other for as long as the worker lives."""

import asyncio
from typing import Any

import grpc
import structlog
from google.protobuf.duration_pb2 import Duration

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.trainer.v1.worker_pb2 import Worker
from annotateforge.api.trainer.v1.worker_service_pb2 import (
    AcquireJobRequest,
    AcquireJobResponse,
    Assignment,
    ReleaseAttemptRequest,
)
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.runtime.telemetry import bind
from annotateforge.trainer.worker.attempt import Attempt, Equipment
from annotateforge.trainer.worker.handing_in import hand_in
from annotateforge.trainer.worker.retries import Backoff

HOLD = 30.0
"""Seconds that the trainer holds the question for a job."""
ANSWER = 10.0
"""Seconds beyond them that an answer may take."""

log = structlog.get_logger()


async def work_for_ever(equipment: Equipment, name: str) -> None:
    """Hand in what a worker before has left, then take jobs and carry them out, one at a time, until
    cancelled: then the job at hand goes back.
    """
    await hand_in(equipment)
    backoff = Backoff()
    threads = equipment.machine.threads(equipment.machine.devices[0].name)
    while True:
        await equipment.warm_child.prepare(threads)
        try:
            assignment = await _acquire(equipment, name)
        except grpc.aio.AioRpcError as failed:
            error = from_rpc_error(failed)
            log.warning("gets no job", error=str(error))
            if error.reason == "WORKER_BUSY":
                await _give_up(equipment, error)
            await backoff.wait()
            continue
        backoff.reset()
        if assignment is not None:
            with bind(job_id=assignment.job.id, attempt=assignment.attempt):
                task = TaskType.Name(assignment.job.task_type).removeprefix("TASK_TYPE_").lower()
                log.info("begins", task=task, dataset=assignment.job.dataset.digest)
                await Attempt(equipment, assignment).run()


async def _acquire(equipment: Equipment, name: str) -> Assignment | None:
    held = Duration()
    held.FromSeconds(int(HOLD))
    devices = equipment.devices
    devices.changed.clear()
    await devices.look()
    worker = Worker(
        id=equipment.worker_id,
        name=name,
        devices=devices.described(),
        versions=equipment.machine.versions,
        load=devices.load(),
    )
    asked: asyncio.Future[AcquireJobResponse] = asyncio.ensure_future(
        equipment.trainer.AcquireJob(AcquireJobRequest(worker=worker, wait=held), timeout=HOLD + ANSWER)
    )
    changed = asyncio.ensure_future(devices.changed.wait())
    either: set[asyncio.Future[Any]] = {asked, changed}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            # What we said of our GPUs is no longer true. An answer that is just on its way is given again.
            return None
        response = asked.result()
    finally:
        changed.cancel()
        asked.cancel()
    return response.assignment if response.HasField("assignment") else None


async def _give_up(equipment: Equipment, busy: DomainError) -> None:
    """Hand back an attempt that the trainer believes is with us, and is not."""
    request = ReleaseAttemptRequest(
        job_id=busy.metadata.get("job_id", ""),
        attempt=int(busy.metadata.get("attempt", "0")),
        message="The worker does not have this attempt any more.",
    )
    try:
        await equipment.trainer.ReleaseAttempt(request, timeout=ANSWER)
    except grpc.aio.AioRpcError as failed:
        log.warning("could not release", error=str(from_rpc_error(failed)))
