"""A job from its creation to its end, as clients and workers see it."""

import asyncio
from datetime import timedelta
from uuid import UUID

import grpc
import pytest

from annotateforge.api.trainer.v1.event_pb2 import JobEvent, TrainingComplete
from annotateforge.api.trainer.v1.job_pb2 import (
    ClassMetrics,
    ConfusionMatrix,
    ConfusionRow,
    Failure,
    JobStatus,
)
from annotateforge.api.trainer.v1.trainer_service_pb2 import (
    GetEvaluationRequest,
    ListEpochsRequest,
    ListJobsRequest,
    ListWorkersRequest,
    WatchJobRequest,
)
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.database import database
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.rpc_status import from_rpc_error
from tests.integration.trainer.workers import (
    Editor,
    ScriptedWorker,
    epoch_complete,
    get_job,
    list_events,
    make_job,
    training_started,
)


async def test_a_job_goes_from_the_queue_to_a_model(editor: Editor, worker: WorkerServiceStub) -> None:
    job = await make_job(editor)
    assert (job.status, job.attempt, job.last_sequence) == (JobStatus.JOB_STATUS_PENDING, 0, 2)
    assert job.config.model == "yolov8n"
    assert job.config.split.train_ratio == 0.8
    assert (job.dataset.train_images, job.dataset.val_images) == (8, 2)

    one = ScriptedWorker(worker)
    taken = await one.acquire()
    assert taken is not None
    assert (taken.id, taken.attempt, taken.status) == (job.id, 1, JobStatus.JOB_STATUS_PREPARING)
    assert await one.train() == JobStatus.JOB_STATUS_COMPLETED

    ended = await get_job(editor, job.id)
    assert (ended.status, ended.current_epoch) == (JobStatus.JOB_STATUS_COMPLETED, 3)
    assert (ended.progress_percent, ended.worker_name) == (100, "worker-1")
    assert ended.latest_metrics == {"map50": 0.3}
    assert ended.model_id
    assert ended.HasField("start_time")
    assert ended.HasField("end_time")
    events = await list_events(editor, job.id)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [event.WhichOneof("payload") for event in events] == [
        "status_change",
        "dataset_ready",
        "status_change",
        "status_change",
        *["epoch_start", "epoch_complete"] * 3,
        "training_complete",
        "status_change",
    ]
    assert ended.last_sequence == len(events)
    times = [event.time.ToNanoseconds() for event in events]
    assert times == sorted(times)


async def test_the_time_that_is_left_is_estimated_while_training(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    job = await make_job(editor)
    one = ScriptedWorker(worker)
    await one.acquire()
    await one.report(training_started())
    assert not (await get_job(editor, job.id)).HasField("eta_seconds")
    await one.report(epoch_complete(1, epoch_seconds=100))
    assert (await get_job(editor, job.id)).eta_seconds == pytest.approx(200, abs=10)
    epochs = (await editor.ListEpochs(ListEpochsRequest(job_id=job.id))).epochs
    assert [(epoch.epoch, epoch.attempt, epoch.eta_seconds) for epoch in epochs] == [(1, 1, 200)]


async def test_the_time_that_is_left_ends_with_the_limit_also_for_a_resumed_attempt(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    job = await make_job(editor, epochs=30, max_hours=0.1)
    one, two = ScriptedWorker(worker), ScriptedWorker(worker)
    await one.acquire()
    await one.report(training_started())
    await one.report(epoch_complete(1, epoch_seconds=100, training_seconds=100))
    # 360 s are the limit: three more epochs of 100 s.
    assert (await get_job(editor, job.id)).eta_seconds == pytest.approx(300, abs=20)
    await one.release()
    assert not (await get_job(editor, job.id)).HasField("eta_seconds")
    await two.acquire()
    await two.report(training_started())
    assert not (await get_job(editor, job.id)).HasField("eta_seconds")
    await two.report(epoch_complete(2, epoch_seconds=40, training_seconds=310))
    assert (await get_job(editor, job.id)).eta_seconds == pytest.approx(80, abs=20)
    await two.report(epoch_complete(3, epoch_seconds=40, training_seconds=361))
    assert (await get_job(editor, job.id)).eta_seconds == 0
    listed = (await editor.ListEpochs(ListEpochsRequest(job_id=job.id))).epochs
    assert [epoch.training_seconds for epoch in listed] == [100, 310, 361]


async def test_a_failed_job_says_why_and_lists_spare_its_log(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    job = await make_job(editor)
    one = ScriptedWorker(worker)
    await one.acquire()
    failure = Failure(reason="OUT_OF_MEMORY", message="No memory.", hint="Less.", log_tail=["a", "b"])
    assert await one.finish(failed=failure) == JobStatus.JOB_STATUS_FAILED
    assert (await get_job(editor, job.id)).failure == failure
    listed = (await editor.ListJobs(ListJobsRequest())).jobs[0]
    assert (listed.failure.reason, list(listed.failure.log_tail)) == ("OUT_OF_MEMORY", [])
    events = await list_events(editor, job.id)
    assert events[-2].training_failed == failure


async def test_a_released_job_is_trained_by_another_worker_from_its_start(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    job = await make_job(editor)
    one, two = ScriptedWorker(worker), ScriptedWorker(worker, name="worker-2")
    await one.acquire()
    await one.report(training_started(), epoch_complete(1), epoch_complete(2))
    await one.release("It is updated.")
    await one.release("It is updated.")
    waiting = await get_job(editor, job.id)
    assert (waiting.status, waiting.worker_name) == (JobStatus.JOB_STATUS_PENDING, "worker-1")
    taken = await two.acquire()
    assert taken is not None
    assert taken.attempt == 2
    await two.train()
    epochs = (await editor.ListEpochs(ListEpochsRequest(job_id=job.id))).epochs
    assert [(epoch.epoch, epoch.attempt) for epoch in epochs] == [(1, 2), (2, 2), (3, 2)]
    retry = next(event for event in await list_events(editor, job.id) if event.HasField("retry"))
    assert (retry.attempt, retry.retry.reason, retry.retry.message) == (1, "RELEASED", "It is updated.")


async def test_workers_are_listed_with_what_they_do(editor: Editor, worker: WorkerServiceStub) -> None:
    await make_job(editor)
    busy, idle = ScriptedWorker(worker, name="b"), ScriptedWorker(worker, name="a", devices=("0", "cpu"))
    await busy.acquire()
    await idle.acquire()
    await busy.heartbeat()
    workers = (await editor.ListWorkers(ListWorkersRequest())).workers
    assert [(one.name, one.online, one.current_job_id) for one in workers] == [
        ("a", True, ""),
        ("b", True, busy.job_id),
    ]
    assert [device.name for device in workers[0].devices] == ["0", "cpu"]
    assert workers[1].load.cpu_percent == 7
    page = await editor.ListWorkers(ListWorkersRequest(page_size=1))
    assert [one.name for one in page.workers] == ["a"]
    rest = await editor.ListWorkers(ListWorkersRequest(page_token=page.next_page_token))
    assert [one.name for one in rest.workers] == ["b"]


async def test_a_worker_that_is_gone_is_shown_as_such_and_later_no_more(
    editor: Editor, worker: WorkerServiceStub, database_url: str
) -> None:
    gone, idle = ScriptedWorker(worker, name="gone"), ScriptedWorker(worker, name="idle")
    await gone.acquire()
    await idle.acquire()

    async def listed(silent_for: timedelta) -> list[tuple[str, bool]]:
        async with database(database_url, "trainer", "annotateforge.trainer") as pool:
            change = "UPDATE workers SET heartbeat_time = clock_timestamp() - $2::interval WHERE id = $1"
            await pool.execute(change, UUID(gone.id), silent_for)
        workers = (await editor.ListWorkers(ListWorkersRequest())).workers
        return [(one.name, one.online) for one in workers]

    assert await listed(timedelta(seconds=40)) == [("gone", True), ("idle", True)]
    assert await listed(timedelta(seconds=50)) == [("gone", False), ("idle", True)]
    assert await listed(timedelta(minutes=11)) == [("idle", True)]


async def test_a_watcher_sees_all_of_it_live(editor: Editor, worker: WorkerServiceStub) -> None:
    job = await make_job(editor)
    watching = asyncio.create_task(_watch(editor, job.id))
    one = ScriptedWorker(worker)
    await one.acquire()
    await one.train()
    events = await asyncio.wait_for(watching, 10)
    stored = [event for event in events if event.sequence]
    assert stored == await list_events(editor, job.id)


async def _watch(editor: Editor, job_id: str) -> list[JobEvent]:
    return [answer.event async for answer in editor.WatchJob(WatchJobRequest(job_id=job_id))]


async def test_the_evaluation_of_a_job_is_answered_once_it_has_a_model(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    job = await make_job(editor)
    one = ScriptedWorker(worker)
    await one.acquire()
    await one.report(training_started(), epoch_complete(1))
    request = GetEvaluationRequest(job_id=job.id)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await editor.GetEvaluation(request)
    assert from_rpc_error(caught.value).reason == "JOB_NOT_COMPLETED"

    result = TrainingComplete(
        model_id=str(new_id()),
        best_epoch=1,
        metrics={"map50": 0.5},
        class_metrics=[ClassMetrics(class_label="cell", instances=3, metrics={"map50": 0.5})],
        confusion_matrix=ConfusionMatrix(
            labels=["cell", "background"], rows=[ConfusionRow(counts=[2, 1]), ConfusionRow(counts=[1, 0])]
        ),
    )
    await one.finish(completed=result)
    assert (await editor.GetEvaluation(request)).evaluation == result
