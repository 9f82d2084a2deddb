import asyncio
import time
from collections.abc import Iterable

import grpc
import pytest

from annotateforge.api.trainer.v1.event_pb2 import JobEvent, LogLine
from annotateforge.api.trainer.v1.job_pb2 import Failure
from annotateforge.api.trainer.v1.trainer_service_pb2 import (
    CancelJobRequest,
    DeleteJobRequest,
    ListLogsRequest,
    WatchJobRequest,
)
from annotateforge.api.trainer.v1.worker_service_pb2 import AppendLogRequest, Assignment, AttemptCancelled
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer.logs import KEPT_BYTES, MOST_BYTES, MOST_LINES, MOST_NUMBER
from annotateforge.trainer.worker.job_log import PAUSE, WAITING_BYTES, JobLog
from annotateforge.trainer.worker.stopping import Stop
from tests.integration.trainer.workers import Editor, ScriptedWorker, get_job, list_events, make_job


@pytest.fixture
async def one(editor: Editor, worker: WorkerServiceStub) -> ScriptedWorker:
    """A worker that has a job."""
    await make_job(editor)
    one = ScriptedWorker(worker)
    await one.acquire()
    return one


def lines(numbers: Iterable[int], text: str = "line {}") -> list[LogLine]:
    return [LogLine(number=number, text=text.format(number)) for number in numbers]


async def append(one: ScriptedWorker, sent: list[LogLine], attempt: int = 0) -> None:
    await one.stub.AppendLog(AppendLogRequest(job_id=one.job_id, attempt=attempt or one.attempt, lines=sent))


async def refusal(one: ScriptedWorker, sent: list[LogLine], attempt: int = 0) -> DomainError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await append(one, sent, attempt)
    return from_rpc_error(caught.value)


async def read(editor: Editor, job_id: str, **wanted: int) -> list[LogLine]:
    """All lines, page by page."""
    found: list[LogLine] = []
    token = ""
    while True:
        request = ListLogsRequest(job_id=job_id, page_token=token, **wanted)
        page = await editor.ListLogs(request)
        found += page.lines
        token = page.next_page_token
        if not token:
            return found


async def test_lines_are_kept_in_order_and_each_once(one: ScriptedWorker, editor: Editor) -> None:
    await append(one, lines(range(1, 6)))
    await append(one, lines(range(3, 9)))
    await append(one, lines(range(3, 9)))
    await append(one, lines([20, 21]))
    found = await read(editor, one.job_id, page_size=3)
    assert [line.number for line in found] == [1, 2, 3, 4, 5, 6, 7, 8, 20, 21]
    assert [line.text for line in found][-1] == "line 21"
    assert {line.attempt for line in found} == {1}
    assert [line.number for line in await read(editor, one.job_id, after=8)] == [20, 21]
    assert await list_events(editor, one.job_id, after=3) == []


async def test_the_same_lines_sent_many_times_at_once_are_kept_once(
    one: ScriptedWorker, editor: Editor
) -> None:
    await asyncio.gather(*(append(one, lines(range(1, 50))) for _ in range(10)))
    assert [line.number for line in await read(editor, one.job_id)] == list(range(1, 50))


async def test_the_next_attempt_goes_on_with_the_numbers_and_the_old_one_is_refused(
    one: ScriptedWorker, editor: Editor, worker: WorkerServiceStub
) -> None:
    await append(one, lines([1, 2]))
    await one.release()
    assert (await refusal(one, lines([3]))).reason == "ATTEMPT_STALE"
    other = ScriptedWorker(worker)
    await other.acquire()
    await append(other, lines([1, 2], "again {}"))
    assert (await refusal(one, lines([3]), attempt=1)).reason == "ATTEMPT_STALE"
    found = await read(editor, one.job_id)
    assert [(line.number, line.attempt, line.text) for line in found] == [
        (1, 1, "line 1"),
        (2, 1, "line 2"),
        (3, 2, "again 1"),
        (4, 2, "again 2"),
    ]
    assert [line.number for line in await read(editor, one.job_id, attempt=2)] == [3, 4]


async def test_the_newest_lines_are_kept(one: ScriptedWorker, editor: Editor) -> None:
    text = "{} " + "x" * 900
    for first in range(1, 3000, 100):
        await append(one, lines(range(first, first + 100), text))
    found = await read(editor, one.job_id)
    assert found[-1].number == 3000
    assert [line.number for line in found] == list(range(found[0].number, 3001))
    assert KEPT_BYTES / 2 < sum(len(line.text) for line in found) < KEPT_BYTES * 1.2


async def test_watchers_get_lines_live_and_they_are_no_events(one: ScriptedWorker, editor: Editor) -> None:
    heard: list[JobEvent] = []
    listening = asyncio.Event()

    async def watch() -> None:
        async for message in editor.WatchJob(WatchJobRequest(job_id=one.job_id)):
            if message.event.HasField("log"):
                heard.append(message.event)
            listening.set()

    watching = asyncio.create_task(watch())
    await listening.wait()
    await append(one, lines([1, 2]))
    async with asyncio.timeout(20):
        while not heard:
            await asyncio.sleep(0.01)
    assert [line.text for line in heard[0].log.lines] == ["line 1", "line 2"]
    assert (heard[0].sequence, heard[0].attempt) == (0, 1)
    await one.release()
    watching.cancel()


async def test_lines_cannot_carry_control_characters(one: ScriptedWorker, editor: Editor) -> None:
    await append(one, lines([1], "a\x1b[31mb\x00c\u202ed\ne{}"))
    assert [line.text for line in await read(editor, one.job_id)] == ["abcde1"]


@pytest.mark.parametrize(
    "sent",
    [
        lines([0]),
        lines([2, 1]),
        lines([1, 1]),
        lines([MOST_NUMBER + 1]),
        lines(range(1, MOST_LINES + 2)),
        [LogLine(number=1, text="x" * (MOST_BYTES + 1))],
    ],
)
async def test_lines_that_make_no_sense_are_refused(one: ScriptedWorker, sent: list[LogLine]) -> None:
    assert (await refusal(one, sent)).reason == "INVALID_LOG"


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"after": -1}, "INVALID_AFTER"),
        ({"attempt": -1}, "INVALID_FILTER"),
        ({"page_size": 1001}, "INVALID_PAGE_SIZE"),
    ],
)
async def test_a_wrong_question_is_refused(
    one: ScriptedWorker, editor: Editor, wanted: dict[str, int], reason: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read(editor, one.job_id, **wanted)
    assert from_rpc_error(caught.value).reason == reason


async def test_the_log_goes_with_its_job(one: ScriptedWorker, editor: Editor) -> None:
    await append(one, lines([1]))
    await one.train()
    assert len(await read(editor, one.job_id)) == 1
    await editor.DeleteJob(DeleteJobRequest(job_id=one.job_id))
    for job_id in (one.job_id, str(new_id())):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read(editor, job_id)
        assert from_rpc_error(caught.value).reason == "JOB_NOT_FOUND"


async def test_a_training_that_prints_without_end_floods_nobody_and_its_last_lines_are_there(
    one: ScriptedWorker, editor: Editor
) -> None:
    assignment = Assignment(job=one.job, attempt=one.attempt)
    printing = JobLog(one.stub, assignment, Stop())
    sending = asyncio.create_task(printing.send())
    for number in range(1, 20_001):
        printing.add(f"line {number} " + "x" * 90)
    await printing.flush(60)
    sending.cancel()
    found = await read(editor, one.job_id)
    assert found[-1].text.startswith("line 20000 ")
    assert [line.text.split()[1] for line in found] == [str(line.number) for line in found]
    assert sum(len(line.text) for line in found) <= WAITING_BYTES


async def test_what_a_training_prints_is_sent_in_few_calls(one: ScriptedWorker, editor: Editor) -> None:
    printing = JobLog(one.stub, Assignment(job=one.job, attempt=one.attempt), Stop())
    sending = asyncio.create_task(printing.send())
    began = time.monotonic()
    for number in range(1, 200):
        printing.add(f"line {number}")
        await asyncio.sleep(0.01)
    await printing.flush(60)
    sending.cancel()
    seconds = time.monotonic() - began
    assert printing.batches <= seconds / PAUSE + 2
    assert [line.number for line in await read(editor, one.job_id)] == list(range(1, 200))


async def test_what_a_worker_did_not_tell_of_a_failure_s_log_is_taken_from_the_job_s(
    editor: Editor, one: ScriptedWorker
) -> None:
    await append(one, lines(range(1, 251)))
    await one.finish(failed=Failure(reason="INTERNAL"))
    failure = (await get_job(editor, one.job_id)).failure
    assert list(failure.log_tail) == [f"line {number}" for number in range(51, 251)]
    (told,) = (event for event in await list_events(editor, one.job_id) if event.HasField("training_failed"))
    assert told.training_failed == failure


async def test_a_cancelled_job_says_so_with_a_hint_and_the_end_of_its_log(
    editor: Editor, one: ScriptedWorker
) -> None:
    await append(one, lines(range(1, 251)))
    await editor.CancelJob(CancelJobRequest(job_id=one.job_id))
    assert not (await get_job(editor, one.job_id)).HasField("failure")
    await one.finish(cancelled=AttemptCancelled())
    failure = (await get_job(editor, one.job_id)).failure
    assert failure.reason == "CANCELLED"
    assert "0 of " in failure.message
    assert failure.hint
    assert list(failure.log_tail) == [f"line {number}" for number in range(51, 251)]
