from typing import Any

import grpc
import pytest

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.dataset.v1.dataset_service_pb2 import ListImagesRequest
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.trainer.v1 import trainer_service_pb2 as api
from annotateforge.api.trainer.v1.job_pb2 import JobConfig, JobStatus
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.paging import page_token
from annotateforge.runtime.rpc_status import from_rpc_error
from tests.integration.dataset.specs import annotate, box, labelled_project
from tests.integration.trainer.workers import Editor, ScriptedWorker, list_events, make_job
from tests.unit.dataset.archives import png


async def test_jobs_are_listed_page_by_page_the_newest_first(editor: Editor) -> None:
    made = [(await make_job(editor)).id for _ in range(7)]
    seen: list[str] = []
    token = ""
    while True:
        page = await editor.ListJobs(api.ListJobsRequest(page_size=3, page_token=token))
        seen += [job.id for job in page.jobs]
        # One that comes in between does not move the pages.
        await make_job(editor)
        token = page.next_page_token
        if not token:
            break
    assert seen == made[::-1]


async def test_jobs_are_filtered_by_status_and_task(editor: Editor, worker: WorkerServiceStub) -> None:
    first, second = await make_job(editor), await make_job(editor)
    one = ScriptedWorker(worker)
    await one.acquire()
    await one.train()

    async def listed(**filters: Any) -> list[str]:
        return [job.id for job in (await editor.ListJobs(api.ListJobsRequest(**filters))).jobs]

    assert await listed(status=JobStatus.JOB_STATUS_COMPLETED) == [first.id]
    assert await listed(status=JobStatus.JOB_STATUS_PENDING) == [second.id]
    assert await listed(task_type=TaskType.TASK_TYPE_DETECT) == [second.id, first.id]
    assert await listed(task_type=TaskType.TASK_TYPE_SEGMENT) == []


async def test_jobs_with_large_data_sets_make_short_pages(
    editor: Editor, dataset: DatasetServiceStub
) -> None:
    classes = [f"{number:0200d}" for number in range(1000)]
    project_id = await labelled_project(dataset, "many classes", [png(), png()])
    images = (await dataset.ListImages(ListImagesRequest(project_id=project_id))).images
    for image in images:
        await annotate(dataset, image, map(box, classes))
    request = api.CreateJobRequest(
        name="a",
        task_type=TaskType.TASK_TYPE_DETECT,
        config=JobConfig(project_ids=[project_id], classes=classes),
    )
    made = [(await editor.CreateJob(request)).job.id for _ in range(25)]
    seen: list[str] = []
    token = ""
    pages = 0
    while True:
        page = await editor.ListJobs(api.ListJobsRequest(page_size=1000, page_token=token))
        assert page.ByteSize() < 8 * 1024**2
        seen += [job.id for job in page.jobs]
        pages += 1
        token = page.next_page_token
        if not token:
            break
    assert seen == made[::-1]
    assert pages > 1


async def test_events_are_listed_after_a_sequence_and_page_by_page(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    job = await make_job(editor)
    one = ScriptedWorker(worker)
    await one.acquire()
    await one.train()
    events = await list_events(editor, job.id)
    assert await list_events(editor, job.id, after=5) == events[5:]
    assert await list_events(editor, job.id, after=len(events)) == []
    page = await editor.ListEvents(api.ListEventsRequest(job_id=job.id, after=2, page_size=3))
    assert [event.sequence for event in page.events] == [3, 4, 5]
    request = api.ListEventsRequest(job_id=job.id, after=2, page_size=3, page_token=page.next_page_token)
    assert [event.sequence for event in (await editor.ListEvents(request)).events] == [6, 7, 8]
    epochs = await editor.ListEpochs(api.ListEpochsRequest(job_id=job.id, page_size=2))
    assert [epoch.epoch for epoch in epochs.epochs] == [1, 2]
    rest = await editor.ListEpochs(
        api.ListEpochsRequest(job_id=job.id, page_size=2, page_token=epochs.next_page_token)
    )
    assert [epoch.epoch for epoch in rest.epochs] == [3]
    assert rest.next_page_token == ""
    beyond = api.ListEpochsRequest(job_id=job.id, page_token=page_token((2**40,)))
    assert list((await editor.ListEpochs(beyond)).epochs) == []


async def test_what_is_no_job_no_page_and_no_filter_is_refused(editor: Editor) -> None:
    nobody = str(new_id())
    for call, reason in (
        (editor.GetJob(api.GetJobRequest(job_id=nobody)), "JOB_NOT_FOUND"),
        (editor.GetJob(api.GetJobRequest(job_id="42")), "INVALID_ID"),
        (editor.GetJob(api.GetJobRequest()), "INVALID_ID"),
        (editor.ListEvents(api.ListEventsRequest(job_id=nobody)), "JOB_NOT_FOUND"),
        (editor.ListEvents(api.ListEventsRequest(job_id=nobody, after=-1)), "INVALID_AFTER"),
        (editor.ListEpochs(api.ListEpochsRequest(job_id=nobody)), "JOB_NOT_FOUND"),
        (editor.ListEpochs(api.ListEpochsRequest(job_id=nobody, page_size=1001)), "INVALID_PAGE_SIZE"),
        (editor.CancelJob(api.CancelJobRequest(job_id=nobody)), "JOB_NOT_FOUND"),
        (editor.DeleteJob(api.DeleteJobRequest(job_id=nobody)), "JOB_NOT_FOUND"),
        (editor.UpdateJob(api.UpdateJobRequest(job_id=nobody)), "JOB_NOT_FOUND"),
        (editor.RestartJob(api.RestartJobRequest(job_id=nobody)), "JOB_NOT_FOUND"),
        (editor.ListJobs(api.ListJobsRequest(page_token="x")), "INVALID_PAGE_TOKEN"),
        (editor.ListJobs(api.ListJobsRequest(page_size=-1)), "INVALID_PAGE_SIZE"),
        (editor.ListJobs(api.ListJobsRequest(status=77)), "INVALID_FILTER"),  # type: ignore[arg-type]  # there is no 77
        (editor.ListJobs(api.ListJobsRequest(task_type=77)), "INVALID_FILTER"),  # type: ignore[arg-type]  # nor here
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert from_rpc_error(caught.value).reason == reason


async def test_architectures_are_listed_with_what_each_task_needs(editor: Editor) -> None:
    listed = (await editor.ListArchitectures(api.ListArchitecturesRequest())).architectures
    assert len(listed) == 15
    assert {"yolov8n", "yolo11x", "yolo26m"} <= {one.name for one in listed}
    request = api.ListArchitecturesRequest(task_type=TaskType.TASK_TYPE_CLASSIFY)
    for one in (await editor.ListArchitectures(request)).architectures:
        (task,) = one.tasks
        assert (task.ultralytics_name, task.default_image_size) == (f"{one.name}-cls", 224)
        assert task.parameters > 1_000_000
        assert one.notes
