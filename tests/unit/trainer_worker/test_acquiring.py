"""What a worker does with an attempt that fails by a fault of its own, and with one that comes too late."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from annotateforge.api.trainer.v1.job_pb2 import Job
from annotateforge.api.trainer.v1.worker_service_pb2 import (
    AcquireJobRequest,
    AcquireJobResponse,
    Assignment,
    FinishAttemptRequest,
    ReleaseAttemptRequest,
    ReleaseAttemptResponse,
)
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceServicer
from annotateforge.trainer.worker import acquiring
from annotateforge.trainer.worker.attempt import Equipment
from annotateforge.trainer.worker.datasets import DatasetCache
from annotateforge.trainer.worker.devices import Devices
from annotateforge.trainer.worker.machine import look_at_machine
from tests.unit.trainer_worker.served import serving


class Faulty:
    """An attempt that nobody foresaw."""

    def __init__(self, *_: object) -> None:
        pass

    async def run(self) -> None:
        raise ValueError("what nobody foresaw")


async def test_a_fault_in_one_slot_gives_the_job_and_the_slot_back_and_ends_no_other(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acquiring, "Attempt", Faulty)
    monkeypatch.setattr(acquiring, "AFTER_FAULT", 0.0)
    ended: list[FinishAttemptRequest] = []

    async def finish(request: FinishAttemptRequest, timeout: float) -> None:
        ended.append(request)

    devices = Devices(await look_at_machine("cpu", 1, {}), None, 20)
    equipment = cast(
        Equipment,
        SimpleNamespace(
            devices=devices,
            datasets=DatasetCache(tmp_path, 10**9),
            trainer=SimpleNamespace(FinishAttempt=finish),
        ),
    )
    slot = acquiring._Slot("host", equipment)
    slots: list[acquiring._Slot] = []
    begun, neighbour_done = asyncio.Event(), asyncio.Event()

    async def neighbour() -> None:
        await begun.wait()
        await devices.some_free()
        assert slots == [slot]
        neighbour_done.set()

    async with asyncio.timeout(30), asyncio.TaskGroup() as attempts:
        attempts.create_task(neighbour())
        assignment = Assignment(job=Job(id="job"), attempt=3)
        attempts.create_task(acquiring._carry_out(slot, assignment, slots, begun))
    assert neighbour_done.is_set()
    (end,) = ended
    assert (end.job_id, end.attempt) == ("job", 3)
    # It counts, so that a job on which every worker fails does not come back for ever.
    assert end.interrupted.failure.reason == "WORKER_LOST"


class Giving(WorkerServiceServicer):
    """A trainer that gives a job away, of which the worker hears only when it asks again."""

    def __init__(self) -> None:
        self.given = asyncio.Event()
        self.released: list[tuple[str, int]] = []

    async def AcquireJob(self, request: AcquireJobRequest, context: Any) -> AcquireJobResponse:
        assert request.worker.id == "worker"
        if not self.given.is_set():
            self.given.set()
            await asyncio.sleep(60)
        return AcquireJobResponse(assignment=Assignment(job=Job(id="job"), attempt=2))

    async def ReleaseAttempt(self, request: ReleaseAttemptRequest, context: Any) -> ReleaseAttemptResponse:
        self.released.append((request.job_id, request.attempt))
        return ReleaseAttemptResponse()


async def test_a_job_that_is_given_just_as_the_worker_stops_goes_back_at_once() -> None:
    giving = Giving()  # type: ignore[abstract]
    devices = Devices(await look_at_machine("cpu", 1, {}), None, 20)
    async with asyncio.timeout(30), serving(giving) as trainer:
        equipment = cast(
            Equipment,
            SimpleNamespace(
                worker_id="worker", trainer=trainer, devices=devices, machine=SimpleNamespace(versions={})
            ),
        )
        asking = asyncio.create_task(acquiring._acquire(equipment, "host"))
        await giving.given.wait()
        asking.cancel()
        # Told so twice, as a supervisor does that has no patience.
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
    assert asking.cancelled()
    assert giving.released == [("job", 2)]


async def test_a_worker_that_stops_is_not_held_up_by_a_trainer_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Silent(WorkerServiceServicer):
        async def AcquireJob(self, request: AcquireJobRequest, context: Any) -> AcquireJobResponse:
            asked.set()
            await asyncio.sleep(60)
            return AcquireJobResponse()

    monkeypatch.setattr(acquiring, "RELEASE_DEADLINE", 0.2)
    asked = asyncio.Event()
    devices = Devices(await look_at_machine("cpu", 1, {}), None, 20)
    async with asyncio.timeout(30), serving(Silent()) as trainer:  # type: ignore[abstract]
        equipment = cast(
            Equipment,
            SimpleNamespace(
                worker_id="worker", trainer=trainer, devices=devices, machine=SimpleNamespace(versions={})
            ),
        )
        asking = asyncio.create_task(acquiring._acquire(equipment, "host"))
        await asked.wait()
        began = time.monotonic()
        asking.cancel()
        await asyncio.wait([asking])
        assert time.monotonic() - began < 5
    assert asking.cancelled()
