"""How an attempt ends when something comes between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest

from annotateforge.api.trainer.v1 import worker_service_pb2 as api
from annotateforge.api.trainer.v1.event_pb2 import EpochStart, TrainingComplete
from annotateforge.api.trainer.v1.job_pb2 import Job
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import (
    WorkerServiceServicer,
    WorkerServiceStub,
)
from annotateforge.trainer.worker import attempt, retries
from annotateforge.trainer.worker.attempt import Attempt, Equipment, Outcome
from annotateforge.trainer.worker.devices import Devices, Share
from annotateforge.trainer.worker.folders import Folders
from annotateforge.trainer.worker.kept_state import KeptState
from annotateforge.trainer.worker.leftovers import Leftovers
from annotateforge.trainer.worker.machine import look_at_machine
from tests.unit.trainer_worker.served import serving


class Trainer(WorkerServiceServicer):
    """Notes how attempts end, and can be away or slow."""

    def __init__(self) -> None:
        self.away = False
        self.denies = False
        self.slow_ends = 0
        self.refused = ""
        self.asked_to_end = asyncio.Event()
        self.told: list[str] = []
        self.ending: api.FinishAttemptRequest | None = None

    async def Heartbeat(self, request: api.HeartbeatRequest, context: Any) -> api.HeartbeatResponse:
        await asyncio.sleep(request.wait.ToTimedelta().total_seconds())
        return api.HeartbeatResponse()

    async def ReportEvents(self, request: api.ReportEventsRequest, context: Any) -> api.ReportEventsResponse:
        if self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        if self.denies:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "denied")
        return api.ReportEventsResponse(accepted_through=request.reports[-1].number)

    async def UploadCheckpoint(self, request_iterator: Any, context: Any) -> api.UploadCheckpointResponse:
        parts = [part async for part in request_iterator]
        self.told.append(f"state {parts[0].header.epoch}")
        return api.UploadCheckpointResponse()

    async def FinishAttempt(
        self, request: api.FinishAttemptRequest, context: Any
    ) -> api.FinishAttemptResponse:
        self.asked_to_end.set()
        if self.denies:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "denied")
        if self.slow_ends:
            self.slow_ends -= 1
            await asyncio.sleep(3600)
        if request.WhichOneof("outcome") == self.refused:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "refused")
        self.ending = request
        self.told.append(request.WhichOneof("outcome") or "")
        return api.FinishAttemptResponse()

    async def ReleaseAttempt(
        self, request: api.ReleaseAttemptRequest, context: Any
    ) -> api.ReleaseAttemptResponse:
        self.told.append("released")
        return api.ReleaseAttemptResponse()


@pytest.fixture
async def trainer() -> AsyncIterator[tuple[Trainer, WorkerServiceStub]]:
    servicer = Trainer()  # type: ignore[abstract]  # what is called is here
    async with serving(servicer) as stub:
        yield servicer, stub


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(retries, "FIRST_DELAY", 0.001)


class Scripted(Attempt):
    """An attempt whose training is a function."""

    training: Callable[[Path], Awaitable[Outcome]]

    async def _train(self, scratch: Path, states: Path) -> Outcome:
        return await self.training(states)


async def begun(
    tmp_path: Path, stub: WorkerServiceStub, training: Callable[[Scripted, Path], Awaitable[Outcome]]
) -> Scripted:
    folders = Folders(*(tmp_path / name for name in Folders.__dataclass_fields__))
    for folder in (folders.undelivered, folders.states, folders.attempts):
        folder.mkdir()
    equipment = SimpleNamespace(
        worker_id="worker",
        trainer=stub,
        registry=None,
        folders=folders,
        devices=Devices(await look_at_machine("cpu", 1, {}), None, 20),
        kept_state=KeptState(folders.states),
        leftovers=Leftovers(),
        checkpoint_seconds=3600.0,
        grace=20.0,
    )
    assignment = api.Assignment(job=Job(id="a-job-with-an-id", total_epochs=5), attempt=1)
    made = Scripted(cast(Equipment, equipment), assignment, Share("cpu", ("cpu",), 1))
    made.training = lambda states: training(made, states)
    return made


async def stopped(running: "asyncio.Task[None]") -> None:
    """Tell the worker to stop, and wait until it has."""
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def registered(*_: object) -> str:
    """What comes of a model that the registry takes at once."""
    return "model"


async def trained(_: Scripted, states: Path) -> Outcome:
    (states / "000005.pt").write_bytes(b"the last state")
    return TrainingComplete(best_epoch=3)


async def test_a_job_whose_model_is_registered_is_completed_although_the_worker_is_told_to_stop(
    tmp_path: Path, trainer: tuple[Trainer, WorkerServiceStub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "register", registered)
    servicer, stub = trainer
    servicer.slow_ends = 1
    made = await begun(tmp_path, stub, trained)
    running = asyncio.create_task(made.run())
    async with asyncio.timeout(30):
        await servicer.asked_to_end.wait()
        await stopped(running)
    assert servicer.told == ["completed"]
    assert not made.owing
    assert list((tmp_path / "undelivered").iterdir()) == []


async def test_an_end_that_the_trainer_does_not_take_in_time_is_left_for_later(
    tmp_path: Path, trainer: tuple[Trainer, WorkerServiceStub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "register", registered)
    monkeypatch.setattr(attempt, "RELEASE_DEADLINE", 0.1)
    servicer, stub = trainer
    servicer.slow_ends = 100
    made = await begun(tmp_path, stub, trained)
    running = asyncio.create_task(made.run())
    async with asyncio.timeout(30):
        await servicer.asked_to_end.wait()
        await stopped(running)
    assert servicer.told == []
    assert made.owing
    (left,) = made._with.leftovers.all()
    ending = left.ending()
    assert isinstance(ending, api.FinishAttemptRequest)
    assert ending.completed.model_id == "model"


async def test_the_last_state_is_uploaded_when_the_worker_is_told_to_stop_while_it_registers_the_model(
    tmp_path: Path, trainer: tuple[Trainer, WorkerServiceStub], monkeypatch: pytest.MonkeyPatch
) -> None:
    registering = asyncio.Event()

    async def register(*_: object) -> str:
        registering.set()
        await asyncio.sleep(3600)
        raise AssertionError

    monkeypatch.setattr(attempt, "register", register)
    servicer, stub = trainer
    running = asyncio.create_task((await begun(tmp_path, stub, trained)).run())
    async with asyncio.timeout(30):
        await registering.wait()
        await stopped(running)
    assert servicer.told == ["state 5", "released"]


async def test_an_end_that_the_trainer_refuses_counts_as_an_attempt_that_was_of_no_use(
    tmp_path: Path, trainer: tuple[Trainer, WorkerServiceStub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "register", registered)
    servicer, stub = trainer
    servicer.refused = "completed"
    made = await begun(tmp_path, stub, trained)
    async with asyncio.timeout(30):
        await made.run()
    assert servicer.told == ["interrupted"]
    assert servicer.ending is not None
    assert "refused" in servicer.ending.interrupted.failure.message


async def test_a_wrong_token_costs_neither_the_job_nor_what_the_trainer_has_not_got(
    tmp_path: Path, trainer: tuple[Trainer, WorkerServiceStub]
) -> None:
    servicer, stub = trainer
    servicer.denies = True

    async def training(made: Scripted, states: Path) -> Outcome:
        (states / "000001.pt").write_bytes(b"a state")
        made._reports.add(api.Report(epoch_start=EpochStart(epoch=1)))
        await asyncio.sleep(3600)
        raise AssertionError

    made = await begun(tmp_path, stub, training)
    async with asyncio.timeout(30):
        await made.run()
    assert made.owing
    (left,) = made._with.leftovers.all()
    ending = left.ending()
    assert isinstance(ending, api.FinishAttemptRequest)
    assert ending.interrupted.failure.reason == "WORKER_LOST"
    assert [path.name for path in left.states.iterdir()] == ["000001.pt"]
    assert left.reports.stat().st_size > 0


async def test_another_attempt_goes_on_where_this_one_has_lost_its_reports_on_the_disk(
    tmp_path: Path, trainer: tuple[Trainer, WorkerServiceStub]
) -> None:
    servicer, stub = trainer
    servicer.away = True

    async def training(made: Scripted, _: Path) -> Outcome:
        for epoch in (1, 2):
            made._reports.add(api.Report(epoch_start=EpochStart(epoch=epoch)))
        (journal,) = (tmp_path / "undelivered").glob("*/reports")
        content = bytearray(journal.read_bytes())
        content[-1] ^= 0xFF
        journal.write_bytes(content)
        servicer.away = False
        return TrainingComplete()

    made = await begun(tmp_path, stub, training)
    async with asyncio.timeout(30):
        await made.run()
    assert servicer.told == ["interrupted"]
    assert servicer.ending is not None
    assert servicer.ending.interrupted.failure.reason == "WORKER_LOST"
