"""What a worker does with an attempt that fails by a fault of the worker itself."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from annotateforge.api.trainer.v1.job_pb2 import Job
from annotateforge.api.trainer.v1.worker_service_pb2 import Assignment, FinishAttemptRequest
from annotateforge.trainer.worker import acquiring
from annotateforge.trainer.worker.attempt import Equipment
from annotateforge.trainer.worker.datasets import DatasetCache
from annotateforge.trainer.worker.devices import Devices
from annotateforge.trainer.worker.machine import look_at_machine


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
