import asyncio
import math
from collections.abc import Awaitable

import grpc
import pytest

from annotateforge.api.dataset.v1.annotation_pb2 import AnnotationType
from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.dataset.v1.dataset_service_pb2 import DeleteProjectRequest, UpdateImageRequest
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.dataset.v1.problem_pb2 import HealthReport, Severity
from annotateforge.api.trainer.v1.job_pb2 import JobConfig, JobStatus
from annotateforge.api.trainer.v1.trainer_service_pb2 import (
    CancelJobRequest,
    CreateJobRequest,
    DeleteJobRequest,
    ListJobsRequest,
    RestartJobRequest,
)
from annotateforge.api.trainer.v1.training_settings_pb2 import TrainingSettings
from annotateforge.runtime.auth import Role
from annotateforge.runtime.database import database
from annotateforge.runtime.errors import Code, DomainError
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer.app import App
from tests.integration.dataset.calls import Sent, upload
from tests.integration.dataset.specs import labelled_project
from tests.integration.trainer.conftest import channel_to
from tests.integration.trainer.holds import delete_when_released
from tests.integration.trainer.workers import Editor, get_job, list_events, make_job
from tests.unit.dataset.archives import png


async def refused(call: Awaitable[object]) -> DomainError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def count_jobs(editor: Editor) -> int:
    return len((await editor.ListJobs(ListJobsRequest())).jobs)


async def test_everything_wrong_with_a_job_is_told_at_once_and_nothing_is_made(editor: Editor) -> None:
    config = JobConfig(
        project_ids=[editor.project_id],
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


async def test_a_giant_job_is_refused_with_a_small_error(editor: Editor) -> None:
    config = JobConfig(project_ids=[editor.project_id], model="m" * 1_000_000, device="9" * 100_000)
    request = CreateJobRequest(name="n" * 1_000_000, task_type=TaskType.TASK_TYPE_DETECT, config=config)
    error = await refused(editor.CreateJob(request))
    assert error.reason == "INVALID_JOB"
    assert len(str(error)) < 2000


async def test_what_the_dataset_service_refuses_is_passed_on_with_the_names_of_the_job(
    editor: Editor,
) -> None:
    request = CreateJobRequest(
        name="a",
        task_type=TaskType.TASK_TYPE_DETECT,
        config=JobConfig(project_ids=[editor.project_id], classes=["cell", "cell"]),
    )
    error = await refused(editor.CreateJob(request))
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "INVALID_DATASET_SPEC")
    assert [violation.field for violation in error.violations] == ["config.classes[1]"]
    assert error.message.startswith("config.classes[1]: ")

    request.config.classes[1] = "a class that nothing shows"
    error = await refused(editor.CreateJob(request))
    assert (error.code, error.reason) == (Code.FAILED_PRECONDITION, "DATASET_INVALID")
    assert [violation.field for violation in error.violations] == ["config.classes[1]"]
    assert isinstance(error.report, HealthReport)
    assert not error.report.trainable
    assert error.report.total_images == 10
    finding = error.report.findings[0]
    assert (finding.severity, finding.reason, finding.class_label, finding.count) == (
        Severity.SEVERITY_ERROR,
        "CLASS_WITHOUT_INSTANCES",
        "a class that nothing shows",
        1,
    )
    assert finding.hint
    small = next(each for each in error.report.findings if each.reason == "IMAGES_FAR_SMALLER")
    assert (small.count, small.severity) == (10, Severity.SEVERITY_INFO)
    assert small.example_image_ids

    del request.config.classes[1]
    request.config.project_ids[0] = str(new_id())
    error = await refused(editor.CreateJob(request))
    assert (error.code, error.reason) == (Code.NOT_FOUND, "PROJECT_NOT_FOUND")
    assert await count_jobs(editor) == 0


async def test_a_data_set_that_is_frozen_already_needs_the_task_of_the_job(
    editor: Editor,
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
    assert (error.reason, error.violations[0].field) == ("TASK_TYPE_MISMATCH", "config.dataset_id")

    request.config.dataset_id = str(new_id())
    assert (await refused(editor.CreateJob(request))).reason == "DATASET_NOT_FOUND"


async def test_a_job_shows_what_was_filled_in_for_its_data(editor: Editor) -> None:
    config = (await make_job(editor)).config
    assert AnnotationType.ANNOTATION_TYPE_BOX in config.annotation_types
    assert (config.split.train_ratio, config.split.seed) == (0.8, 42)


async def test_a_service_that_is_away_is_told_without_its_address(editor: Editor) -> None:
    # The registry's address in these tests leads to nobody.
    request = CreateJobRequest(
        name="a",
        task_type=TaskType.TASK_TYPE_DETECT,
        config=JobConfig(project_ids=[editor.project_id], base_model_id=str(new_id())),
    )
    error = await refused(editor.CreateJob(request))
    assert (error.code, error.reason) == (Code.UNAVAILABLE, "UNAVAILABLE")
    assert "127.0.0.1" not in error.message


async def test_a_job_keeps_what_the_check_has_found_for_its_image_size(editor: Editor) -> None:
    job = await make_job(editor)
    by_reason = {finding.reason: finding for finding in job.dataset.findings}
    # The images have 8 × 6 pixels.
    assert "the 640 pixels" in by_reason["IMAGES_FAR_SMALLER"].message
    assert by_reason["FEW_IMAGES_PER_CLASS"].severity == Severity.SEVERITY_WARNING
    shown = (await get_job(editor, job.id)).dataset
    assert list(shown.findings) == list(job.dataset.findings)

    small = await make_job(editor, image_size=32)
    assert small.dataset.spec.image_size == 32
    finding = next(each for each in small.dataset.findings if each.reason == "IMAGES_FAR_SMALLER")
    assert "the 32 pixels" in finding.message
    assert small.dataset.digest == job.dataset.digest


async def test_backgrounds_can_be_asked_for_in_the_config_of_a_job(
    editor: Editor, dataset_address: str, secret: str
) -> None:
    async with channel_to(dataset_address, secret, Role.EDITOR) as channel:
        client = DatasetServiceStub(channel)
        (empty,) = (await upload(client, editor.project_id, [Sent("empty.png", png())])).images
        await client.UpdateImage(UpdateImageRequest(image_id=empty.id, reviewed=True))
    without = await make_job(editor)
    assert (without.dataset.background_images, without.dataset.total_images) == (0, 10)
    job = await make_job(editor, backgrounds=True)
    assert job.config.backgrounds
    assert (job.dataset.background_images, job.dataset.total_images) == (1, 11)

    restarted = (await editor.RestartJob(RestartJobRequest(job_id=job.id))).job
    assert restarted.dataset == job.dataset
    changes = RestartJobRequest(job_id=without.id, config=JobConfig(backgrounds=True))
    assert (await editor.RestartJob(changes)).job.dataset == job.dataset

    config = JobConfig(dataset_id=job.dataset.id, backgrounds=True)
    request = CreateJobRequest(name="a", task_type=TaskType.TASK_TYPE_DETECT, config=config)
    error = await refused(editor.CreateJob(request))
    assert [violation.field for violation in error.violations] == ["config.backgrounds"]
    config = JobConfig(project_ids=[editor.project_id], classes=["cell"], backgrounds=True)
    request = CreateJobRequest(name="a", task_type=TaskType.TASK_TYPE_CLASSIFY, config=config)
    error = await refused(editor.CreateJob(request))
    assert [violation.field for violation in error.violations] == ["config.backgrounds"]


async def test_the_same_request_id_answers_the_same_job(editor: Editor) -> None:
    first = await make_job(editor, request_id="once")
    again = await make_job(editor, request_id="once")
    assert again == first
    assert await count_jobs(editor) == 1


async def test_a_known_request_id_with_another_content_is_refused_with_what_it_has_made(
    editor: Editor,
) -> None:
    first = await make_job(editor, request_id="once")
    restart = RestartJobRequest(job_id=first.id, request_id="once")
    for call in (
        make_job(editor, name="another", request_id="once"),
        make_job(editor, request_id="once", epochs=4),
        editor.RestartJob(restart),
    ):
        error = await refused(call)
        assert (error.code, error.reason) == (Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")
        assert error.metadata == {"request_id": "once", "job_id": first.id}
        assert "choose a new request_id" in error.message
    assert await count_jobs(editor) == 1

    restart.request_id = "again"
    second = (await editor.RestartJob(restart)).job
    restart.config.epochs = 7
    assert (await refused(editor.RestartJob(restart))).reason == "REQUEST_ID_REUSED"
    assert (await refused(make_job(editor, request_id="again"))).metadata["job_id"] == second.id


async def test_of_two_requests_with_one_id_at_the_same_time_one_is_refused(editor: Editor) -> None:
    calls = (make_job(editor, name=f"job {number}", request_id="once") for number in range(10))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert {from_rpc_error(refusal).reason for refusal in refusals} == {"REQUEST_ID_REUSED"}
    assert len(refusals) == 9
    assert await count_jobs(editor) == 1


async def test_a_restart_that_is_sent_again_answers_its_job_also_when_the_first_job_is_gone(
    editor: Editor,
) -> None:
    first = await make_job(editor)
    restart = RestartJobRequest(job_id=first.id, request_id="again")
    second = (await editor.RestartJob(restart)).job
    for _ in ("cancel", "delete"):
        await editor.DeleteJob(DeleteJobRequest(job_id=first.id))
    assert (await editor.RestartJob(restart)).job.id == second.id


async def test_what_was_made_before_digests_were_kept_answers_every_request_with_its_id(
    editor: Editor, database_url: str
) -> None:
    first = await make_job(editor, request_id="once")
    async with database(database_url, "trainer", "annotateforge.trainer") as pool:
        await pool.execute("UPDATE jobs SET request_digest = NULL")
    assert (await make_job(editor, name="another", request_id="once")).id == first.id


async def test_a_request_id_that_cannot_be_is_named_with_all_else_that_is_wrong(editor: Editor) -> None:
    first = await make_job(editor)
    restart = RestartJobRequest(job_id=first.id, request_id="a\0b", config=JobConfig(epochs=-1))
    error = await refused(editor.RestartJob(restart))
    assert {one.field for one in error.violations} == {"request_id", "config.epochs"}


async def test_the_same_request_id_at_the_same_time_makes_one_job(editor: Editor) -> None:
    jobs = await asyncio.gather(*(make_job(editor, request_id="once") for _ in range(20)))
    assert len({job.id for job in jobs}) == 1
    assert await count_jobs(editor) == 1
    assert len(await list_events(editor, jobs[0].id)) == 2


async def test_a_restarted_job_repeats_config_and_data(editor: Editor) -> None:
    first = await make_job(editor, priority=7, optimizer="SGD")
    again = (await editor.RestartJob(RestartJobRequest(job_id=first.id))).job
    assert again.id != first.id
    assert (again.restarted_from_job_id, again.name) == (first.id, "a job")
    assert again.status == JobStatus.JOB_STATUS_PENDING
    assert (again.config, again.dataset) == (first.config, first.dataset)
    assert (await editor.RestartJob(RestartJobRequest(job_id=first.id, name="b"))).job.name == "b"
    request = RestartJobRequest(
        job_id=first.id,
        config=JobConfig(epochs=7, settings=TrainingSettings(mosaic=0.5)),
        request_id="again",
    )
    changed = (await editor.RestartJob(request)).job
    assert (changed.total_epochs, changed.config.settings.mosaic) == (7, 0.5)
    assert changed.dataset == first.dataset
    assert (await editor.RestartJob(request)).job.id == changed.id


async def test_a_restarted_job_keeps_its_data_for_as_long_as_they_are_there(
    editor: Editor, dataset: DatasetServiceStub
) -> None:
    project_id = await labelled_project(dataset, "to be deleted", labels=("cell",))
    request = CreateJobRequest(
        name="a",
        task_type=TaskType.TASK_TYPE_DETECT,
        config=JobConfig(project_ids=[project_id], classes=["cell"]),
    )
    first = (await editor.CreateJob(request)).job
    restart = RestartJobRequest(job_id=first.id)

    # Without the frozen data set, the project is frozen anew.
    await editor.CancelJob(CancelJobRequest(job_id=first.id))
    await delete_when_released(dataset, first.dataset.id)
    second = (await editor.RestartJob(restart)).job
    assert second.dataset.id != first.dataset.id
    assert second.dataset.digest == first.dataset.digest

    # Without the project, the frozen data set is enough.
    await dataset.DeleteProject(DeleteProjectRequest(project_id=project_id))
    restart.job_id = second.id
    third = (await editor.RestartJob(restart)).job
    assert third.dataset == second.dataset

    for job in (second, third):
        await editor.CancelJob(CancelJobRequest(job_id=job.id))
    await delete_when_released(dataset, second.dataset.id)
    assert (await refused(editor.RestartJob(restart))).reason == "PROJECT_NOT_FOUND"


async def test_a_request_id_is_free_again_when_its_job_is_deleted(editor: Editor) -> None:
    first = await make_job(editor, request_id="once")
    await editor.DeleteJob(DeleteJobRequest(job_id=first.id))
    assert (await get_job(editor, first.id)).status == JobStatus.JOB_STATUS_CANCELLED
    await editor.DeleteJob(DeleteJobRequest(job_id=first.id))
    assert (await make_job(editor, request_id="once")).id != first.id


@pytest.mark.parametrize("role", [Role.VIEWER, Role.WORKER])
async def test_only_editors_make_jobs(trainer: App, secret: str, role: Role) -> None:
    async with channel_to(trainer.address, secret, role) as channel:
        error = await refused(Editor(channel, "").CreateJob(CreateJobRequest(name="a")))
    assert (error.code, error.reason) == (Code.PERMISSION_DENIED, "ROLE_NOT_ALLOWED")
