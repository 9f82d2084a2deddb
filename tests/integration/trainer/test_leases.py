import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

import grpc
import pytest

from annotateforge.api.trainer.v1.event_pb2 import LogLine, TrainingComplete
from annotateforge.api.trainer.v1.job_pb2 import Failure, Job, JobStatus
from annotateforge.api.trainer.v1.trainer_service_pb2 import CancelJobRequest, ListWorkersRequest
from annotateforge.api.trainer.v1.worker_service_pb2 import AppendLogRequest, AttemptCancelled, Directive
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.auth import Role
from annotateforge.runtime.errors import Code
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer import lifecycle
from annotateforge.trainer.app import App, Settings, running
from annotateforge.trainer.job import Change, JobState
from tests.integration.trainer.conftest import channel_to
from tests.integration.trainer.workers import (
    Editor,
    ScriptedWorker,
    epoch_complete,
    get_job,
    list_events,
    make_job,
    progress,
    training_started,
)

LEASE = 1.0


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"lease_seconds": LEASE, "max_attempts": 3})


async def until(editor: Editor, job_id: str, status: JobStatus.ValueType) -> Job:
    async with asyncio.timeout(10):
        while (job := await get_job(editor, job_id)).status != status:
            await asyncio.sleep(0.05)
    return job


@contextlib.asynccontextmanager
async def beating(one: ScriptedWorker) -> AsyncIterator[None]:
    """Heartbeats as a worker sends them."""

    async def beat() -> None:
        while True:
            await one.heartbeat(wait=4)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def clients(app: App, secret: str, project_id: str) -> AsyncIterator[tuple[Editor, WorkerServiceStub]]:
    async with (
        channel_to(app.address, secret, Role.EDITOR) as as_editor,
        channel_to(app.address, secret, Role.WORKER) as as_worker,
    ):
        yield Editor(as_editor, project_id), WorkerServiceStub(as_worker)


async def test_a_lost_worker_s_job_is_taken_by_another_one(editor: Editor, worker: WorkerServiceStub) -> None:
    job = await make_job(editor)
    lost, other = ScriptedWorker(worker), ScriptedWorker(worker, name="worker-2")
    await lost.acquire()
    began = time.monotonic()
    await lost.report(training_started(), epoch_complete(1))
    taken = await other.acquire(wait=10)
    assert taken is not None
    assert (taken.id, taken.attempt) == (job.id, 2)
    # The lease, and the grace that everybody has after a start.
    assert time.monotonic() - began < 2 * LEASE + 2
    retry = next(event for event in await list_events(editor, job.id) if event.HasField("retry"))
    assert (retry.attempt, retry.retry.reason) == (1, "WORKER_LOST")
    async with beating(other):
        await other.train()
    assert (await get_job(editor, job.id)).status == JobStatus.JOB_STATUS_COMPLETED


async def test_heartbeats_keep_a_job_for_many_leases(editor: Editor, worker: WorkerServiceStub) -> None:
    job = await make_job(editor)
    one = ScriptedWorker(worker)
    await one.acquire()
    async with beating(one):
        await asyncio.sleep(3.5 * LEASE)
        now = await get_job(editor, job.id)
        assert (now.status, now.attempt) == (JobStatus.JOB_STATUS_PREPARING, 1)
        workers = (await editor.ListWorkers(ListWorkersRequest())).workers
        assert [one.online for one in workers] == [True]


async def test_nothing_that_a_lost_worker_still_sends_is_accepted(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    job = await make_job(editor)
    lost, other = ScriptedWorker(worker), ScriptedWorker(worker)
    await lost.acquire()
    await lost.report(training_started())
    await until(editor, job.id, JobStatus.JOB_STATUS_PENDING)
    await _refuse_all(lost, editor)
    assert await other.acquire() is not None
    async with beating(other):
        await _refuse_all(lost, editor)


async def _refuse_all(lost: ScriptedWorker, editor: Editor) -> None:
    before = await list_events(editor, lost.job_id)
    calls: list[Callable[[], Awaitable[object]]] = [
        lost.heartbeat,
        lambda: lost.send(progress(1)),
        lambda: lost.report(epoch_complete(1)),
        lambda: lost.finish(completed=TrainingComplete(model_id=str(new_id()))),
        lambda: lost.finish(failed=Failure(reason="A")),
        lambda: lost.finish(cancelled=AttemptCancelled()),
        lost.release,
    ]
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call()
        error = from_rpc_error(caught.value)
        assert (error.code, error.reason) == (Code.ABORTED, "ATTEMPT_STALE")
    assert await list_events(editor, lost.job_id) == before


async def test_another_worker_cannot_use_the_attempt(editor: Editor, worker: WorkerServiceStub) -> None:
    await make_job(editor)
    one = ScriptedWorker(worker)
    await one.acquire()
    thief = ScriptedWorker(worker, job=one.job, attempt=one.attempt)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await thief.heartbeat()
    assert from_rpc_error(caught.value).reason == "ATTEMPT_STALE"


async def test_a_heartbeat_for_a_job_that_is_gone_says_so(worker: WorkerServiceStub) -> None:
    ghost = ScriptedWorker(worker, job=Job(id=str(new_id())), attempt=1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ghost.heartbeat()
    error = from_rpc_error(caught.value)
    assert (error.code, error.reason) == (Code.NOT_FOUND, "JOB_NOT_FOUND")


async def test_a_job_that_loses_too_many_workers_fails(editor: Editor, worker: WorkerServiceStub) -> None:
    job = await make_job(editor)
    for _ in range(3):
        one = ScriptedWorker(worker)
        assert await one.acquire(wait=10) is not None
        line = LogLine(number=1, text=f"attempt {one.attempt}")
        await worker.AppendLog(AppendLogRequest(job_id=job.id, attempt=one.attempt, lines=[line]))
    failed = await until(editor, job.id, JobStatus.JOB_STATUS_FAILED)
    assert failed.failure.reason == "TOO_MANY_ATTEMPTS"
    assert failed.failure.message.count("WORKER_LOST") == 3
    assert failed.failure.hint
    # The workers are gone, and what their trainings printed is not.
    assert list(failed.failure.log_tail) == ["attempt 1", "attempt 2", "attempt 3"]
    assert failed.attempt == 3


async def test_a_job_whose_lost_attempt_cannot_be_ended_holds_up_no_other(
    editor: Editor, worker: WorkerServiceStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await make_job(editor), await make_job(editor)
    expire = lifecycle.expire

    def expire_but_the_first(job: JobState, max_attempts: int, now: datetime) -> Change:
        if str(job.id) == first.id:
            raise ValueError("what nobody foresaw")
        return expire(job, max_attempts, now)

    monkeypatch.setattr(lifecycle, "expire", expire_but_the_first)
    for job in (first, second):
        taken = await ScriptedWorker(worker).acquire()
        assert taken is not None
        assert taken.id == job.id
    await until(editor, second.id, JobStatus.JOB_STATUS_PENDING)
    monkeypatch.setattr(lifecycle, "expire", expire)
    await until(editor, first.id, JobStatus.JOB_STATUS_PENDING)


async def test_a_cancelled_job_whose_worker_is_lost_is_cancelled(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    job = await make_job(editor)
    await ScriptedWorker(worker).acquire()
    await editor.CancelJob(CancelJobRequest(job_id=job.id))
    await until(editor, job.id, JobStatus.JOB_STATUS_CANCELLED)


async def test_workers_keep_their_jobs_while_the_api_is_restarted(
    settings: Settings, secret: str, project_id: str
) -> None:
    async with running(settings) as app, clients(app, secret, project_id) as (editor, stub):
        job = await make_job(editor)
        one = ScriptedWorker(stub)
        await one.acquire()
        await one.report(training_started())
    await asyncio.sleep(1.5 * LEASE)
    async with running(settings) as app, clients(app, secret, project_id) as (editor, stub):
        one.stub = stub
        await asyncio.sleep(0.2)
        assert await one.heartbeat() == Directive.DIRECTIVE_CONTINUE
        # What may have been answered before the restart is sent again.
        again = training_started()
        again.number = 1
        await one.send(again)
        await one.report(epoch_complete(1))
        assert [event.sequence for event in await list_events(editor, job.id)] == [1, 2, 3, 4, 5]
        assert (await get_job(editor, job.id)).attempt == 1
