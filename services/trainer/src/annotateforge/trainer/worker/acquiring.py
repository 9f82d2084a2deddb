"""Takes one job after the other for as long as the worker lives."""

import asyncio
import contextlib
from dataclasses import dataclass, replace
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
    AttemptInterrupted,
    FinishAttemptRequest,
    ReleaseAttemptRequest,
)
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.runtime.tasks import to_its_end
from annotateforge.runtime.telemetry import bind
from annotateforge.trainer.worker import failures
from annotateforge.trainer.worker.attempt import RELEASE_DEADLINE, Attempt, Equipment
from annotateforge.trainer.worker.handing_in import hand_in, hand_in_leftovers
from annotateforge.trainer.worker.kept_state import KeptState
from annotateforge.trainer.worker.retries import Backoff

HOLD = 30.0
"""Seconds that the trainer holds the question for a job."""
ANSWER = 10.0
"""Seconds beyond them that an answer may take."""
AFTER_FAULT = 5.0
"""Seconds after an attempt that the worker itself has spoilt before its slot takes another one."""

log = structlog.get_logger()


async def work_for_ever(equipment: Equipment, name: str) -> None:
    """Hand in what a worker before has left, then take jobs and carry them out, until cancelled: then the
    jobs at hand go back. What cannot be handed in then is offered again meanwhile.

    As many at a time as there are GPUs, each in a slot of its own, which the trainer takes for a worker. One
    slot asks at a time, and offers the devices that are free; the others wait or train.
    """
    await hand_in(equipment)
    backoff = Backoff()
    threads = equipment.machine.threads(equipment.machine.devices[0].name)
    slots = _slots(equipment, name)
    unanswered = False
    async with asyncio.TaskGroup() as attempts:
        attempts.create_task(hand_in_leftovers(equipment))
        while True:
            await equipment.devices.some_free()
            await equipment.warm_child.prepare(threads)
            # The same one until it has a job: an answer that it did not hear is given to it again.
            slot = slots[0]
            try:
                assignment = await _acquire(slot.equipment, slot.name)
            except grpc.aio.AioRpcError as failed:
                error = from_rpc_error(failed)
                log.warning("gets no job", error=str(error))
                if error.reason == "WORKER_BUSY":
                    await _give_up(equipment, error)
                unanswered = True
                await backoff.wait()
                continue
            backoff.reset()
            if unanswered:
                unanswered = False
                equipment.leftovers.wake()
            if assignment is not None:
                slots.remove(slot)
                begun = asyncio.Event()
                attempts.create_task(_carry_out(slot, assignment, slots, begun))
                await begun.wait()


@dataclass(frozen=True)
class _Slot:
    """What trains one job at a time."""

    name: str
    equipment: Equipment


def _slots(equipment: Equipment, name: str) -> list[_Slot]:
    """A slot for each job that can be trained at once; the first one is the worker as it is named."""
    first = _Slot(name, equipment)
    numbers = range(2, equipment.devices.slots + 1)
    return [first, *(_Slot(f"{name} ({number})", _equipment_of(equipment, number)) for number in numbers)]


def _equipment_of(equipment: Equipment, number: int) -> Equipment:
    """The equipment of a further slot: it keeps a state of its own, which a job in another one never removes
    while it is read.
    """
    states = equipment.folders.states.with_name(f"{equipment.folders.states.name}-{number}")
    states.mkdir(exist_ok=True)
    return replace(equipment, worker_id=str(new_id()), kept_state=KeptState(states))


def _renewed(slot: _Slot) -> _Slot:
    """The slot as another worker: the trainer believes that it still has an attempt, of which what is left is
    yet to be handed in.
    """
    return replace(slot, equipment=replace(slot.equipment, worker_id=str(new_id())))


async def _carry_out(slot: _Slot, assignment: Assignment, slots: list[_Slot], begun: asyncio.Event) -> None:
    """Train in a slot, and put it back among the free ones. A fault of this one ends no other one."""
    job = assignment.job
    with bind(job_id=job.id, attempt=assignment.attempt), contextlib.ExitStack() as held:
        try:
            share = held.enter_context(slot.equipment.devices.taken(job.config))
            begun.set()
            task = TaskType.Name(job.task_type).removeprefix("TASK_TYPE_").lower()
            log.info("begins", task=task, dataset=job.dataset.digest, device=share.device)
            with slot.equipment.datasets.in_use(job.dataset.digest):
                attempt = Attempt(slot.equipment, assignment, share)
                await attempt.run()
                if attempt.owing:
                    slot = _renewed(slot)
        except Exception:
            log.exception("an attempt ended by a fault of the worker")
            await _interrupt(slot.equipment, job.id, assignment.attempt)
            await asyncio.sleep(AFTER_FAULT)
        # Before its devices are free: whoever waits for these takes a slot.
        slots.append(slot)
        begun.set()


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
    except asyncio.CancelledError:
        await to_its_end(_decline(equipment, worker, asked))
        raise
    finally:
        changed.cancel()
        asked.cancel()
    return response.assignment if response.HasField("assignment") else None


async def _decline(equipment: Equipment, worker: Worker, asked: asyncio.Future[AcquireJobResponse]) -> None:
    """The worker is shut down: hand back at once what the trainer has just given to it. Nobody else would
    get that job before the lease runs out.
    """
    try:
        async with asyncio.timeout(RELEASE_DEADLINE):
            if asked.done():
                response = asked.result()
            else:
                asked.cancel()
                # What was given in an answer that nobody hears is given again.
                again = AcquireJobRequest(worker=worker, wait=Duration())
                response = await equipment.trainer.AcquireJob(again, timeout=RELEASE_DEADLINE)
            if response.HasField("assignment"):
                given = response.assignment
                await _release(equipment, given.job.id, given.attempt, "The worker was shut down.")
    except grpc.aio.AioRpcError as failed:
        log.info("may have been given a job while it stops", error=str(from_rpc_error(failed)))
    except TimeoutError:
        log.warning("may have been given a job while it stops; the trainer does not answer")


async def _give_up(equipment: Equipment, busy: DomainError) -> None:
    """Hand back an attempt that the trainer believes is with us, and is not."""
    await _release(
        equipment,
        busy.metadata.get("job_id", ""),
        int(busy.metadata.get("attempt", "0")),
        "The worker does not have this attempt any more.",
    )


async def _interrupt(equipment: Equipment, job_id: str, attempt: int) -> None:
    """Leave the job to another attempt. This one counts: released, the job could come back for ever."""
    failure = failures.of_worker("The worker failed by its own fault.")
    request = FinishAttemptRequest(
        job_id=job_id, attempt=attempt, interrupted=AttemptInterrupted(failure=failure)
    )
    try:
        await equipment.trainer.FinishAttempt(request, timeout=ANSWER)
    except grpc.aio.AioRpcError as failed:
        log.warning("could not interrupt", error=str(from_rpc_error(failed)))


async def _release(equipment: Equipment, job_id: str, attempt: int, message: str) -> None:
    request = ReleaseAttemptRequest(job_id=job_id, attempt=attempt, message=message)
    try:
        await equipment.trainer.ReleaseAttempt(request, timeout=ANSWER)
    except grpc.aio.AioRpcError as failed:
        log.warning("could not release", error=str(from_rpc_error(failed)))
