"""What becomes of what an attempt left when the trainer does not take it at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest
import torch

from annotateforge.api.trainer.v1 import worker_service_pb2 as api
from annotateforge.api.trainer.v1.event_pb2 import EpochStart
from annotateforge.api.trainer.v1.job_pb2 import Job
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import (
    WorkerServiceServicer,
    WorkerServiceStub,
)
from annotateforge.trainer.worker import handing_in, leftovers, retries
from annotateforge.trainer.worker.attempt import Equipment
from annotateforge.trainer.worker.devices import Devices
from annotateforge.trainer.worker.handing_in import MOST_LEFT, hand_in
from annotateforge.trainer.worker.kept_state import KeptState
from annotateforge.trainer.worker.leftovers import Leftovers
from annotateforge.trainer.worker.machine import look_at_machine
from annotateforge.trainer.worker.report_journal import ReportJournal
from annotateforge.trainer.worker.undelivered import Undelivered
from tests.unit.trainer_worker.served import serving


class Trainer(WorkerServiceServicer):
    """Refuses reports with a code, so many times, which the real one does not do when it is asked to."""

    def __init__(self) -> None:
        self.refusals = 0
        self.code = grpc.StatusCode.INTERNAL
        self.taken: list[tuple[str, int]] = []
        self.ended: list[str] = []
        self.beating: set[str] = set()
        self.all_beat = asyncio.Event()
        self.expected = 0
        self.refusals_of_states = 0
        self.states: list[int] = []

    async def UploadCheckpoint(self, request_iterator: Any, context: Any) -> api.UploadCheckpointResponse:
        parts = [part async for part in request_iterator]
        if self.refusals_of_states:
            self.refusals_of_states -= 1
            await context.abort(self.code, "refused")
        self.states.append(parts[0].header.epoch)
        return api.UploadCheckpointResponse()

    async def Heartbeat(self, request: api.HeartbeatRequest, context: Any) -> api.HeartbeatResponse:
        self.beating.add(request.job_id)
        if len(self.beating) >= self.expected:
            self.all_beat.set()
        await asyncio.sleep(request.wait.ToTimedelta().total_seconds())
        return api.HeartbeatResponse()

    async def ReportEvents(self, request: api.ReportEventsRequest, context: Any) -> api.ReportEventsResponse:
        await self.all_beat.wait()
        if self.refusals:
            self.refusals -= 1
            await context.abort(self.code, "refused")
        self.taken += [(request.job_id, report.number) for report in request.reports]
        return api.ReportEventsResponse(accepted_through=request.reports[-1].number)

    async def FinishAttempt(
        self, request: api.FinishAttemptRequest, context: Any
    ) -> api.FinishAttemptResponse:
        self.ended.append(request.job_id)
        return api.FinishAttemptResponse()


@pytest.fixture
async def trainer() -> AsyncIterator[tuple[Trainer, WorkerServiceStub]]:
    servicer = Trainer()  # type: ignore[abstract]  # what is called is here
    async with serving(servicer) as stub:
        yield servicer, stub


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once, and faults are believed at once."""
    monkeypatch.setattr(retries, "FIRST_DELAY", 0.001)
    monkeypatch.setattr(retries.Backoff.__init__, "__defaults__", (retries.LONGEST_DELAY, 0.0))


async def equipment(tmp_path: Path, stub: WorkerServiceStub) -> Equipment:
    for name in ("undelivered", "states"):
        (tmp_path / name).mkdir(exist_ok=True)
    given = SimpleNamespace(
        trainer=stub,
        folders=SimpleNamespace(undelivered=tmp_path / "undelivered"),
        kept_state=KeptState(tmp_path / "states"),
        leftovers=Leftovers(),
        devices=Devices(await look_at_machine("cpu", 1, {}), None, 20),
    )
    return cast(Equipment, given)


def leave(tmp_path: Path, job_id: str) -> Undelivered:
    """Two reports that the trainer has not got."""
    assignment = api.Assignment(job=Job(id=job_id), attempt=1)
    left = Undelivered.begin(tmp_path / "undelivered", "worker", assignment)
    journal = ReportJournal()
    journal.keep_in(left.reports)
    for number in (1, 2):
        journal.append(api.Report(number=number, epoch_start=EpochStart(epoch=number)))
    journal.close()
    return left


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def test_what_several_attempts_left_is_handed_in_at_once_while_the_leases_of_all_are_kept(
    tmp_path: Path, trainer: tuple[Trainer, WorkerServiceStub]
) -> None:
    servicer, stub = trainer
    given = await equipment(tmp_path, stub)
    servicer.expected = 3
    for job_id in "abc":
        leave(tmp_path, job_id)
    async with asyncio.timeout(60):
        await hand_in(given)
    assert sorted(servicer.taken) == [(job_id, number) for job_id in "abc" for number in (1, 2)]
    assert sorted(servicer.ended) == ["a", "b", "c"]
    assert names(tmp_path / "undelivered") == []


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.PERMISSION_DENIED], ids=str)
async def test_a_fault_or_a_wrong_token_costs_nothing_that_was_left(
    tmp_path: Path,
    trainer: tuple[Trainer, WorkerServiceStub],
    monkeypatch: pytest.MonkeyPatch,
    code: grpc.StatusCode,
) -> None:
    servicer, stub = trainer
    given = await equipment(tmp_path, stub)
    leave(tmp_path, "a")
    servicer.code = code
    servicer.refusals = 2
    async with asyncio.timeout(60):
        await hand_in(given)
    assert servicer.taken == [("a", 1), ("a", 2)]
    assert names(tmp_path / "undelivered") == []

    # For longer than the worker waits: it stays, for later or for the next start.
    monkeypatch.setattr(handing_in, "OFFERED_FOR", 0.0)
    left = leave(tmp_path, "b")
    servicer.refusals = 10**6
    async with asyncio.timeout(60):
        await hand_in(given)
    assert left.reports.stat().st_size > 0
    assert servicer.ended == ["a"]
    servicer.refusals = 0
    async with asyncio.timeout(60):
        await hand_in(given)
    assert servicer.taken[2:] == [("b", 1), ("b", 2)]
    assert names(tmp_path / "undelivered") == []


async def test_faults_of_the_trainer_cost_no_state(
    tmp_path: Path, trainer: tuple[Trainer, WorkerServiceStub]
) -> None:
    servicer, stub = trainer
    given = await equipment(tmp_path, stub)
    torch.save({"tensor": torch.zeros(10)}, leave(tmp_path, "a").states / "000002.pt")
    servicer.refusals_of_states = 2
    async with asyncio.timeout(60):
        await hand_in(given)
    assert (servicer.states, servicer.ended) == ([2], ["a"])
    assert names(tmp_path / "undelivered") == []


async def test_what_the_trainer_will_never_take_is_set_aside_and_the_attempt_ended(
    tmp_path: Path, trainer: tuple[Trainer, WorkerServiceStub]
) -> None:
    servicer, stub = trainer
    given = await equipment(tmp_path, stub)
    leave(tmp_path, "a")
    servicer.code, servicer.refusals = grpc.StatusCode.INVALID_ARGUMENT, 10**6
    async with asyncio.timeout(60):
        await hand_in(given)
    assert servicer.ended == ["a"]
    assert (names(tmp_path / "undelivered"), names(tmp_path / "undelivered-broken")) == ([], ["a-1"])


async def test_what_nobody_foresaw_keeps_neither_the_worker_nor_other_attempts_from_going_on(
    tmp_path: Path, trainer: tuple[Trainer, WorkerServiceStub], monkeypatch: pytest.MonkeyPatch
) -> None:
    servicer, stub = trainer
    given = await equipment(tmp_path, stub)
    leave(tmp_path, "a")
    leave(tmp_path, "b")
    whole = handing_in._hand_in

    async def fail(given: Equipment, left: Undelivered, kept: KeptState | None) -> None:
        if left.assignment.job.id == "a":
            raise ValueError("what nobody foresaw")
        await whole(given, left, kept)

    monkeypatch.setattr(handing_in, "_hand_in", fail)
    async with asyncio.timeout(60):
        await hand_in(given)
    assert servicer.ended == ["b"]
    assert (names(tmp_path / "undelivered"), names(tmp_path / "undelivered-broken")) == ([], ["a-1"])


async def test_what_stays_is_offered_again_while_the_worker_works_and_no_state_of_its_jobs_is_touched(
    tmp_path: Path, trainer: tuple[Trainer, WorkerServiceStub], monkeypatch: pytest.MonkeyPatch
) -> None:
    servicer, stub = trainer
    monkeypatch.setattr(handing_in, "OFFERED_FOR", 0.0)
    monkeypatch.setattr(leftovers, "AGAIN_AFTER", 0.01)
    given = await equipment(tmp_path, stub)
    of_another_job = tmp_path / "states" / "0.pt"
    of_another_job.write_bytes(b"a state from which a child goes on")
    for job_id in "ab":
        torch.save({"tensor": torch.zeros(10)}, leave(tmp_path, job_id).states / "000002.pt")
    servicer.code, servicer.refusals = grpc.StatusCode.PERMISSION_DENIED, 10**6
    async with asyncio.timeout(60):
        await hand_in(given)
    assert names(tmp_path / "undelivered") == ["a-1", "b-1"]

    working = asyncio.create_task(handing_in.hand_in_leftovers(given))
    async with asyncio.timeout(60):
        while servicer.refusals > 10**6 - 6:
            await asyncio.sleep(0.01)
        assert servicer.taken == []
        servicer.refusals = 0
        given.leftovers.wake()
        while given.leftovers.all():
            await asyncio.sleep(0.01)
    working.cancel()
    assert sorted(servicer.taken) == [(job_id, number) for job_id in "ab" for number in (1, 2)]
    assert (sorted(servicer.ended), servicer.states) == (["a", "b"], [2, 2])
    assert names(tmp_path / "undelivered") == []
    assert names(tmp_path / "states") == ["0.pt"]


async def test_of_what_stays_only_the_newest_few_are_offered_again(
    tmp_path: Path, trainer: tuple[Trainer, WorkerServiceStub], monkeypatch: pytest.MonkeyPatch
) -> None:
    servicer, stub = trainer
    given = await equipment(tmp_path, stub)
    servicer.code, servicer.refusals = grpc.StatusCode.PERMISSION_DENIED, 10**6
    monkeypatch.setattr(handing_in, "OFFERED_FOR", 0.0)
    for number in range(MOST_LEFT + 1):
        leave(tmp_path, f"{number:02}")
    async with asyncio.timeout(120):
        await hand_in(given)
    assert len(names(tmp_path / "undelivered")) == MOST_LEFT
    assert names(tmp_path / "undelivered-broken") == ["00-1"]
