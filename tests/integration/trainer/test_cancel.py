import asyncio
import time

import grpc
import pytest

from annotateforge.api.trainer.v1.job_pb2 import JobStatus
from annotateforge.api.trainer.v1.trainer_service_pb2 import (
    CancelJobRequest,
    DeleteJobRequest,
    GetJobRequest,
    UpdateJobRequest,
)
from annotateforge.api.trainer.v1.worker_service_pb2 import AttemptCancelled, Directive
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.auth import Role
from annotateforge.runtime.errors import Code
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer.app import Settings, running
from tests.integration.trainer.conftest import channel_to
from tests.integration.trainer.workers import (
    Editor,
    ScriptedWorker,
    get_job,
    list_events,
    make_job,
    training_started,
)


async def test_a_waiting_job_is_cancelled_at_once(editor: Editor, worker: WorkerServiceStub) -> None:
    job = await make_job(editor)
    cancelled = (await editor.CancelJob(CancelJobRequest(job_id=job.id))).job
    assert cancelled.status == JobStatus.JOB_STATUS_CANCELLED
    assert not cancelled.HasField("start_time")
    assert (await editor.CancelJob(CancelJobRequest(job_id=job.id))).job == cancelled
    assert await ScriptedWorker(worker).acquire() is None


async def test_a_held_heartbeat_tells_of_a_cancellation_at_once_also_through_another_replica(
    settings: Settings, editor: Editor, secret: str
) -> None:
    job = await make_job(editor)
    async with running(settings) as other, channel_to(other.address, secret, Role.WORKER) as channel:
        one = ScriptedWorker(WorkerServiceStub(channel))
        await one.acquire()
        await one.report(training_started())
        held = asyncio.create_task(one.heartbeat(wait=4))
        await asyncio.sleep(0.3)
        assert not held.done()
        began = time.monotonic()
        asked = (await editor.CancelJob(CancelJobRequest(job_id=job.id))).job
        assert (asked.status, asked.cancel_requested) == (JobStatus.JOB_STATUS_TRAINING, True)
        assert await held == Directive.DIRECTIVE_CANCEL
        assert time.monotonic() - began < 1
        assert await one.heartbeat(wait=4) == Directive.DIRECTIVE_CANCEL
        assert (await one.send()).directive == Directive.DIRECTIVE_CANCEL
        assert await one.finish(cancelled=AttemptCancelled()) == JobStatus.JOB_STATUS_CANCELLED
    ended = await get_job(editor, job.id)
    assert not ended.cancel_requested
    assert (await list_events(editor, job.id))[-1].status_change.status == JobStatus.JOB_STATUS_CANCELLED


async def test_a_heartbeat_without_news_is_held_for_as_long_as_was_asked(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    await make_job(editor)
    one = ScriptedWorker(worker)
    await one.acquire()
    began = time.monotonic()
    assert await one.heartbeat(wait=0.5) == Directive.DIRECTIVE_CONTINUE
    assert 0.5 <= time.monotonic() - began < 2


async def test_a_completed_job_cannot_be_cancelled(editor: Editor, worker: WorkerServiceStub) -> None:
    job = await make_job(editor)
    one = ScriptedWorker(worker)
    await one.acquire()
    await one.train()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await editor.CancelJob(CancelJobRequest(job_id=job.id))
    error = from_rpc_error(caught.value)
    assert (error.code, error.reason) == (Code.FAILED_PRECONDITION, "JOB_ENDED")


async def test_deleting_a_running_job_cancels_and_keeps_it_and_an_ended_one_is_gone(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    job = await make_job(editor)
    one = ScriptedWorker(worker)
    await one.acquire()
    await editor.DeleteJob(DeleteJobRequest(job_id=job.id))
    assert (await get_job(editor, job.id)).cancel_requested
    assert await one.heartbeat() == Directive.DIRECTIVE_CANCEL
    await one.finish(cancelled=AttemptCancelled())
    await editor.DeleteJob(DeleteJobRequest(job_id=job.id))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await editor.GetJob(GetJobRequest(job_id=job.id))
    error = from_rpc_error(caught.value)
    assert (error.code, error.reason, error.metadata) == (
        Code.NOT_FOUND,
        "JOB_NOT_FOUND",
        {"job_id": job.id},
    )


async def test_only_a_waiting_job_changes_its_priority(editor: Editor, worker: WorkerServiceStub) -> None:
    job = await make_job(editor)
    changed = (await editor.UpdateJob(UpdateJobRequest(job_id=job.id, priority=5, name="b"))).job
    assert (changed.config.priority, changed.name, changed.description) == (5, "b", "")
    await ScriptedWorker(worker).acquire()
    renamed = (await editor.UpdateJob(UpdateJobRequest(job_id=job.id, description="c"))).job
    assert (renamed.name, renamed.description) == ("b", "c")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await editor.UpdateJob(UpdateJobRequest(job_id=job.id, priority=6))
    assert from_rpc_error(caught.value).reason == "JOB_NOT_PENDING"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await editor.UpdateJob(UpdateJobRequest(job_id=job.id, name=" ", priority=101))
    assert {violation.field for violation in from_rpc_error(caught.value).violations} == {"name", "priority"}
