import asyncio

import grpc
import pytest

from annotateforge.api.trainer.v1.event_pb2 import TrainingComplete, Warning
from annotateforge.api.trainer.v1.job_pb2 import Epoch, JobStatus
from annotateforge.api.trainer.v1.worker_service_pb2 import FinishAttemptRequest, Report
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rpc_status import from_rpc_error
from tests.integration.trainer.workers import (
    Editor,
    ScriptedWorker,
    epoch_complete,
    epoch_start,
    get_job,
    list_events,
    make_job,
    training_started,
)


@pytest.fixture
async def one(editor: Editor, worker: WorkerServiceStub) -> ScriptedWorker:
    """A worker that has a job."""
    await make_job(editor)
    one = ScriptedWorker(worker)
    await one.acquire()
    return one


async def refusal(one: ScriptedWorker, *reports: Report) -> DomainError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await one.send(*reports)
    return from_rpc_error(caught.value)


def numbered(first: int, *reports: Report) -> list[Report]:
    for number, report in enumerate(reports, first):
        report.number = number
    return list(reports)


async def test_the_same_reports_sent_many_times_at_once_are_recorded_once(
    one: ScriptedWorker, editor: Editor
) -> None:
    batch = numbered(1, training_started(), epoch_start(1), epoch_complete(1), epoch_start(2))
    answers = await asyncio.gather(*(one.send(*batch) for _ in range(20)))
    assert {answer.accepted_through for answer in answers} == {4}
    assert len(await list_events(editor, one.job_id)) == 3 + 4


async def test_overlapping_reports_at_once_leave_no_gap_and_no_repeat(
    one: ScriptedWorker, editor: Editor
) -> None:
    warnings = [Report(number=n, warning=Warning(reason=f"NUMBER_{n}")) for n in range(1, 51)]

    async def send(first: int) -> None:
        # What comes before those that it follows is refused, and sent again as a worker does.
        while True:
            try:
                await one.send(*warnings[first : first + 10])
                return
            except grpc.aio.AioRpcError as error:
                if from_rpc_error(error).reason != "REPORT_MISSING":
                    raise
                await asyncio.sleep(0.01)

    await asyncio.gather(*(send(first) for first in range(40, -1, -5)))
    events = await list_events(editor, one.job_id, after=3)
    assert [event.warning.reason for event in events] == [f"NUMBER_{n}" for n in range(1, 51)]
    assert [event.sequence for event in events] == list(range(4, 54))


async def test_a_batch_is_recorded_whole_or_not_at_all(one: ScriptedWorker, editor: Editor) -> None:
    batch = numbered(1, training_started(), epoch_start(1), epoch_complete(1))
    batch[2].epoch_complete.metrics["map50"] = float("nan")
    error = await refusal(one, *batch)
    assert error.reason == "INVALID_REPORT"
    assert error.violations[0].field == 'reports[2].epoch_complete.metrics["map50"]'
    gap = numbered(1, training_started(), epoch_start(1))
    gap[1].number = 3
    assert (await refusal(one, *gap)).reason == "REPORT_MISSING"
    assert len(await list_events(editor, one.job_id)) == 3
    assert (await get_job(editor, one.job_id)).status == JobStatus.JOB_STATUS_PREPARING


async def test_too_many_reports_in_one_call_are_refused(one: ScriptedWorker) -> None:
    many = numbered(1, *(Report(warning=Warning(reason="A")) for _ in range(1001)))
    assert (await refusal(one, *many)).violations[0].field == "reports"


async def test_large_events_are_stored_told_and_listed(one: ScriptedWorker, editor: Editor) -> None:
    metrics = {f"{n:0100d}": float(n) for n in range(100)}
    await one.report(training_started())
    for _ in range(30):
        await one.report(
            *(Report(epoch_complete=Epoch(epoch=1, metrics=metrics, val_losses=metrics)) for _ in range(20))
        )
    events = await list_events(editor, one.job_id)
    assert [event.sequence for event in events] == list(range(1, 605))


async def test_an_attempt_ends_with_an_outcome(one: ScriptedWorker, worker: WorkerServiceStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await worker.FinishAttempt(FinishAttemptRequest(job_id=one.job_id, attempt=1))
    assert from_rpc_error(caught.value).reason == "INVALID_OUTCOME"


async def test_a_repeated_end_is_answered_as_the_first(one: ScriptedWorker, editor: Editor) -> None:
    await one.report(training_started())
    result = TrainingComplete(model_id="01890a5d-ac96-774b-bcce-000000000003")
    answers = await asyncio.gather(*(one.finish(completed=result) for _ in range(10)))
    assert set(answers) == {JobStatus.JOB_STATUS_COMPLETED}
    assert len(await list_events(editor, one.job_id)) == 6
