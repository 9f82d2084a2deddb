import asyncio
import math
from collections.abc import Awaitable

import grpc
import pytest

from annotateforge.api.dataset.v1.annotation_pb2 import AnnotationType
from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.trainer.v1.job_pb2 import JobConfig, JobStatus
from annotateforge.api.trainer.v1.trainer_service_pb2 import (
    CreateJobRequest,
    DeleteJobRequest,
    ListJobsRequest,
    RestartJobRequest,
)
from annotateforge.api.trainer.v1.trainer_service_pb2_grpc import TrainerServiceStub
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.auth import Role
from annotateforge.runtime.errors import Code, DomainError
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer.app import App
from tests.integration.trainer.conftest import channel_to
from tests.integration.trainer.frozen_datasets import FrozenDatasets
from tests.integration.trainer.workers import ScriptedWorker, get_job, list_events, make_job

A_PROJECT = "00000000-0000-0000-0000-000000000001"


async def refused(call: Awaitable[object]) -> DomainError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def count_jobs(editor: TrainerServiceStub) -> int:
    return len((await editor.ListJobs(ListJobsRequest())).jobs)


async def test_everything_wrong_with_a_job_is_told_at_once_and_nothing_is_made(
    editor: TrainerServiceStub, datasets: FrozenDatasets
) -> None:
    config = JobConfig(
        project_ids=[A_PROJECT],
        model="resnet",
        epochs=0,
        batch_size=-4,
        image_size=100,
        learning_rate=math.nan,
    )
    error = await refused(
        editor.CreateJob(CreateJobRequest(name=" ", description="x" * 10_001, config=config))
    )
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "INVALID_JOB")
    assert {violation.field for violation in error.violations} == {
        "task_type",
        "name",
        "description",
        "config.model",
        "config.epochs",
        "config.batch_size",
        "config.image_size",
        "config.learning_rate",
    }
    assert await count_jobs(editor) == 0
    assert datasets.callers == []


async def test_a_giant_job_is_refused_with_a_small_error(editor: TrainerServiceStub) -> None:
    config = JobConfig(project_ids=[A_PROJECT], model="m" * 1_000_000, device="9" * 100_000)
    request = CreateJobRequest(name="n" * 1_000_000, task_type=TaskType.TASK_TYPE_DETECT, config=config)
    error = await refused(editor.CreateJob(request))
    assert error.reason == "INVALID_JOB"
    assert len(str(error)) < 2000


async def test_what_the_dataset_service_refuses_is_passed_on_with_the_names_of_the_job(
    editor: TrainerServiceStub, datasets: FrozenDatasets
) -> None:
    request = CreateJobRequest(
        name="a",
        task_type=TaskType.TASK_TYPE_DETECT,
        config=JobConfig(project_ids=[A_PROJECT], classes=["wrong"]),
    )
    error = await refused(editor.CreateJob(request))
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "INVALID_DATASET_SPEC")
    assert [violation.field for violation in error.violations] == ["config.classes[0]", "task_type"]
    assert error.message == "config.classes[0]: is wrong; task_type: too"

    request.config.classes[0] = "nothing"
    error = await refused(editor.CreateJob(request))
    assert (error.code, error.reason) == (Code.FAILED_PRECONDITION, "DATASET_INVALID")

    datasets.missing_projects.add(A_PROJECT)
    request.config.classes[0] = "cell"
    error = await refused(editor.CreateJob(request))
    assert (error.code, error.reason) == (Code.NOT_FOUND, "PROJECT_NOT_FOUND")
    assert await count_jobs(editor) == 0


async def test_a_job_is_frozen_in_the_name_of_whoever_makes_it(
    editor: TrainerServiceStub, datasets: FrozenDatasets
) -> None:
    await make_job(editor)
    assert datasets.callers == ["editor@example.org"]


async def test_a_data_set_that_is_frozen_already_needs_the_task_of_the_job(
    editor: TrainerServiceStub, datasets: FrozenDatasets
) -> None:
    dataset = (await make_job(editor)).dataset
    request = CreateJobRequest(
        name="a", task_type=TaskType.TASK_TYPE_DETECT, config=JobConfig(dataset_id=dataset.id)
    )
    job = (await editor.CreateJob(request)).job
    assert job.dataset == dataset
    assert list(job.config.classes) == []

    request.task_type = TaskType.TASK_TYPE_SEGMENT
    error = await refused(editor.CreateJob(request))
    assert (error.reason, error.violations[0].field) == ("TASK_MISMATCH", "config.dataset_id")

    request.config.dataset_id = str(new_id())
    assert (await refused(editor.CreateJob(request))).reason == "DATASET_NOT_FOUND"


async def test_a_job_shows_what_was_filled_in_for_its_data(editor: TrainerServiceStub) -> None:
    config = (await make_job(editor)).config
    assert list(config.annotation_types) == [AnnotationType.ANNOTATION_TYPE_BOX]
    assert (config.split.train_ratio, config.split.seed) == (0.8, 42)


async def test_a_service_that_is_away_is_told_without_its_address(editor: TrainerServiceStub) -> None:
    # The registry's address in these tests leads to nobody.
    request = CreateJobRequest(
        name="a",
        task_type=TaskType.TASK_TYPE_DETECT,
        config=JobConfig(project_ids=[A_PROJECT], base_model_id=str(new_id())),
    )
    error = await refused(editor.CreateJob(request))
    assert (error.code, error.reason) == (Code.UNAVAILABLE, "UNAVAILABLE")
    assert "127.0.0.1" not in error.message


async def test_the_same_request_id_answers_the_same_job(editor: TrainerServiceStub) -> None:
    first = await make_job(editor, request_id="once")
    again = await make_job(editor, name="another", request_id="once")
    assert again == first
    assert await count_jobs(editor) == 1


async def test_the_same_request_id_at_the_same_time_makes_one_job(editor: TrainerServiceStub) -> None:
    jobs = await asyncio.gather(*(make_job(editor, request_id="once") for _ in range(20)))
    assert len({job.id for job in jobs}) == 1
    assert await count_jobs(editor) == 1
    assert len(await list_events(editor, jobs[0].id)) == 2


async def test_a_restarted_job_repeats_config_and_data(
    editor: TrainerServiceStub, worker: WorkerServiceStub, datasets: FrozenDatasets
) -> None:
    first = await make_job(editor, epochs=2, priority=7, optimizer="SGD")
    one = ScriptedWorker(worker)
    await one.acquire()
    await one.train(epochs=2)
    # The project has changed or is gone, but what was frozen is still there.
    datasets.missing_projects.add(A_PROJECT)
    again = (await editor.RestartJob(RestartJobRequest(job_id=first.id))).job
    assert again.id != first.id
    assert (again.restarted_from_job_id, again.name, again.status) == (
        first.id,
        "a job",
        JobStatus.JOB_STATUS_PENDING,
    )
    assert (again.config, again.dataset) == (first.config, first.dataset)
    assert (await editor.RestartJob(RestartJobRequest(job_id=first.id, name="b"))).job.name == "b"

    datasets.by_id.clear()
    error = await refused(editor.RestartJob(RestartJobRequest(job_id=first.id)))
    assert error.reason == "PROJECT_NOT_FOUND"
    datasets.missing_projects.clear()
    assert (
        await editor.RestartJob(RestartJobRequest(job_id=first.id))
    ).job.dataset.digest == first.dataset.digest


async def test_a_request_id_is_free_again_when_its_job_is_deleted(editor: TrainerServiceStub) -> None:
    first = await make_job(editor, request_id="once")
    await editor.DeleteJob(DeleteJobRequest(job_id=first.id))
    assert (await get_job(editor, first.id)).status == JobStatus.JOB_STATUS_CANCELLED
    await editor.DeleteJob(DeleteJobRequest(job_id=first.id))
    assert (await make_job(editor, request_id="once")).id != first.id


@pytest.mark.parametrize("role", [Role.VIEWER, Role.WORKER])
async def test_only_editors_make_jobs(trainer: App, secret: str, role: Role) -> None:
    async with channel_to(trainer.address, secret, role) as channel:
        error = await refused(TrainerServiceStub(channel).CreateJob(CreateJobRequest(name="a")))
    assert (error.code, error.reason) == (Code.PERMISSION_DENIED, "ROLE_NOT_ALLOWED")
