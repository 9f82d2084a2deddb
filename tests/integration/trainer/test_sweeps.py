"""Sweeps: jobs made together and compared."""

import asyncio
from typing import Any

import grpc
import pytest

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.trainer.v1 import trainer_service_pb2 as api
from annotateforge.api.trainer.v1.event_pb2 import TrainingComplete
from annotateforge.api.trainer.v1.job_pb2 import Epoch, JobConfig
from annotateforge.api.trainer.v1.sweep_pb2 import Sweep, SweepAxis
from annotateforge.api.trainer.v1.worker_service_pb2 import Report
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.rpc_status import from_rpc_error
from tests.integration.trainer.workers import Editor, ScriptedWorker, get_job, make_job, training_started

AXES = (
    SweepAxis(setting="optimizer", values=["SGD", "AdamW"]),
    SweepAxis(setting="settings.mosaic", values=["0", "1"]),
)


def request(editor: Editor, **fields: Any) -> api.CreateSweepRequest:
    values: dict[str, Any] = {
        "name": "a sweep",
        "task_type": TaskType.TASK_TYPE_DETECT,
        "config": JobConfig(project_ids=[editor.project_id], classes=["cell"], epochs=3),
        "axes": AXES,
    }
    return api.CreateSweepRequest(**values | fields)


async def make_sweep(editor: Editor, **fields: Any) -> Sweep:
    return (await editor.CreateSweep(request(editor, **fields))).sweep


async def refusal(call: Any) -> DomainError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def test_sweeps_are_listed_the_newest_first_in_pages(editor: Editor) -> None:
    made = [await make_sweep(editor, name=f"sweep {number}", axes=AXES[:1]) for number in range(3)]
    seen: list[Sweep] = []
    token = ""
    while True:
        page = await editor.ListSweeps(api.ListSweepsRequest(page_size=2, page_token=token))
        seen += page.sweeps
        token = page.next_page_token
        if not token:
            break
    assert seen == made[::-1]


async def test_one_call_makes_a_job_for_each_combination(editor: Editor) -> None:
    sweep = await make_sweep(editor)
    jobs = [await get_job(editor, job_id) for job_id in sweep.job_ids]
    assert [(job.config.optimizer, job.config.settings.mosaic) for job in jobs] == [
        ("SGD", 0),
        ("SGD", 1),
        ("AdamW", 0),
        ("AdamW", 1),
    ]
    assert [job.config.learning_rate for job in jobs] == [0.01, 0.01, 0.001, 0.001]
    assert jobs[0].name == "a sweep 1: optimizer=SGD, mosaic=0"
    assert len({job.dataset.id for job in jobs}) == 1
    assert (await editor.GetSweep(api.GetSweepRequest(sweep_id=sweep.id))).sweep == sweep


async def test_the_same_request_id_answers_the_same_sweep_also_at_once(editor: Editor) -> None:
    made = await asyncio.gather(*(make_sweep(editor, request_id="one") for _ in range(4)))
    assert len({sweep.id for sweep in made}) == 1
    assert len((await editor.ListJobs(api.ListJobsRequest())).jobs) == 4

    error = await refusal(make_sweep(editor, name="another", request_id="one"))
    assert (error.reason, error.metadata["sweep_id"]) == ("REQUEST_ID_REUSED", made[0].id)
    assert len((await editor.ListJobs(api.ListJobsRequest())).jobs) == 4


async def test_a_sweep_with_one_wrong_job_makes_none(editor: Editor) -> None:
    axes = [SweepAxis(setting="settings.momentum", values=["0.9", "1"])]
    error = await refusal(make_sweep(editor, axes=axes, config=request(editor).config))
    assert error.reason == "INVALID_JOB"
    # Without a named optimizer momentum has no effect, and 1 is out of range.
    assert {one.field for one in error.violations} == {
        "jobs[1].config.settings.momentum",
        "jobs[2].config.settings.momentum",
    }
    assert len((await editor.ListJobs(api.ListJobsRequest())).jobs) == 0


async def test_jobs_are_compared_by_what_differs_and_by_their_best(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    sweep = await make_sweep(editor)
    first = ScriptedWorker(worker)
    await first.acquire()
    await first.report(training_started())
    result = TrainingComplete(model_id=str(new_id()), best_epoch=2, metrics={"map50_95": 0.5})
    await first.finish(completed=result)
    second = ScriptedWorker(worker)
    await second.acquire()
    measured = [(0.2, True), (0.7, True), (0.6, False)]
    await second.report(
        training_started(),
        *(
            Report(epoch_complete=Epoch(epoch=number, metrics={"map50_95": value}, best=best))
            for number, (value, best) in enumerate(measured, 1)
        ),
    )

    compared = await editor.CompareJobs(api.CompareJobsRequest(sweep_id=sweep.id))
    assert list(compared.settings) == [
        "learning_rate",
        "optimizer",
        "settings.warmup_momentum",
        "settings.mosaic",
    ]
    assert [line.job_id for line in compared.jobs] == list(sweep.job_ids)
    one, two, three, _ = compared.jobs
    assert (one.best_epoch, dict(one.metrics), one.model_id) == (2, {"map50_95": 0.5}, result.model_id)
    assert (two.best_epoch, dict(two.metrics), two.current_epoch) == (2, {"map50_95": 0.7}, 3)
    assert (three.best_epoch, dict(three.metrics)) == (0, {})
    assert dict(three.settings) == {
        "learning_rate": "0.001",
        "optimizer": "AdamW",
        "settings.mosaic": "0.0",
    }
    assert compared.best_job_id == two.job_id
    named = await editor.CompareJobs(api.CompareJobsRequest(job_ids=[three.job_id, one.job_id]))
    assert [line.job_id for line in named.jobs] == [three.job_id, one.job_id]


async def test_of_jobs_that_see_nothing_yet_none_is_the_best(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    sweep = await make_sweep(editor)
    for _ in range(2):
        scripted = ScriptedWorker(worker)
        await scripted.acquire()
        nothing = Report(epoch_complete=Epoch(epoch=1, metrics={"map50_95": 0.0}, best=True))
        await scripted.report(training_started(), nothing)
    compared = await editor.CompareJobs(api.CompareJobsRequest(sweep_id=sweep.id))
    assert [dict(line.metrics) for line in compared.jobs[:2]] == [{"map50_95": 0.0}] * 2
    assert compared.best_job_id == ""


async def test_what_cannot_be_compared_is_refused(editor: Editor) -> None:
    job, nobody = await make_job(editor), str(new_id())
    for wrong, reason in [
        (api.CompareJobsRequest(), "INVALID_COMPARISON"),
        (api.CompareJobsRequest(job_ids=[job.id] * 101), "INVALID_COMPARISON"),
        (api.CompareJobsRequest(job_ids=[job.id], sweep_id=nobody), "INVALID_COMPARISON"),
        (api.CompareJobsRequest(job_ids=[nobody]), "JOB_NOT_FOUND"),
        (api.CompareJobsRequest(sweep_id=nobody), "SWEEP_NOT_FOUND"),
        (api.CompareJobsRequest(job_ids=["x"]), "INVALID_ID"),
    ]:
        assert (await refusal(editor.CompareJobs(wrong))).reason == reason
