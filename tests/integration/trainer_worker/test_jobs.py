"""Whole jobs: real services, a real worker, real trainings."""

import hashlib
from pathlib import Path

import pytest

from annotateforge.api.registry.v1 import registry_service_pb2 as registry_api
from annotateforge.api.trainer.v1 import trainer_service_pb2 as trainer_api
from annotateforge.api.trainer.v1.job_pb2 import JobStatus, Pretrained
from annotateforge.api.trainer.v1.training_settings_pb2 import TrainingSettings
from annotateforge.trainer.worker.app import running
from tests.integration.trainer_worker.stack import FINAL, Stack
from tests.unit.trainer_worker.tiny_datasets import CLASSES

MAIN_METRIC = {"detect": "map50", "classify": "top1_accuracy"}


def leftovers(worker_dir: Path) -> list[Path]:
    return list((worker_dir / "attempts").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("task", ["detect", "classify"])
async def test_a_job_becomes_a_registered_model(stack: Stack, worker_dir: Path, task: str) -> None:
    job = await stack.job(await stack.project(), task)
    async with running(stack.worker_settings(worker_dir)):
        ended = await stack.ended(job)
        assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure
        assert leftovers(worker_dir) == []

    events = await stack.events(job)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    # When a checkpoint is there depends on how fast it is uploaded; that some are is test_resuming's matter.
    kinds = [event.WhichOneof("payload") for event in events]
    assert [kind for kind in kinds if kind != "checkpoint_saved"] == [
        "status_change",
        "dataset_ready",
        "status_change",
        "status_change",
        "epoch_start",
        "epoch_complete",
        "epoch_start",
        "epoch_complete",
        "training_complete",
        "status_change",
    ]
    complete = events[-2].training_complete
    model = await stack.model(ended.model_id)
    assert complete.model_id == model.id
    assert MAIN_METRIC[task] in complete.metrics
    assert dict(model.metrics) == dict(complete.metrics)
    assert complete.epochs_trained == model.epochs_trained == 2
    assert complete.best_epoch == model.best_epoch >= 1
    assert complete.training_seconds > 0
    assert list(model.classes) == list(CLASSES)
    assert model.architecture == "yolov8n"
    assert model.image_size == 64
    assert model.dataset_digest == job.dataset.digest

    lines = await stack.log(job)
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert any("2 epochs completed" in line.text for line in lines)

    listing = await stack.registry.ListArtifacts(registry_api.ListArtifactsRequest(model_id=model.id))
    artifacts = {artifact.name: artifact for artifact in listing.artifacts}
    assert {"best.pt", "last.pt", "results.csv", "args.yaml", "results.png"} <= set(artifacts)
    assert artifacts["results.png"].content_type == "image/png"
    weights = b""
    request = registry_api.DownloadArtifactRequest(model_id=model.id)
    async for part in stack.registry.DownloadArtifact(request):
        weights += part.chunk
    assert hashlib.sha256(weights).hexdigest() == model.weights_sha256 == artifacts["best.pt"].sha256


@pytest.mark.slow
async def test_a_second_job_uses_the_data_set_on_the_disk_and_starts_from_the_first_model(
    stack: Stack, worker_dir: Path
) -> None:
    project_id = await stack.project()
    async with running(stack.worker_settings(worker_dir, warm_child=True)):
        first = await stack.ended(await stack.job(project_id, epochs=1))
        assert first.status == JobStatus.JOB_STATUS_COMPLETED, first.failure
        folder = worker_dir / "datasets" / first.dataset.digest
        before = (folder / "data.yaml").stat()
        second = await stack.job(
            project_id,
            epochs=1,
            base_model_id=first.model_id,
            pretrained=Pretrained.PRETRAINED_AUTO,
            learning_rate=0.001,
        )
        ended = await stack.ended(second)
        assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure
    after = (folder / "data.yaml").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    log = next((worker_dir / "logs").glob(f"{second.id}-*.log")).read_text()
    assert "Transferred" in log
    assert "SGD(lr=0.001" in log


@pytest.mark.slow
async def test_a_registered_model_is_trained_further_for_other_classes(
    stack: Stack, worker_dir: Path
) -> None:
    project_id = await stack.project()
    async with running(stack.worker_settings(worker_dir)):
        first = await stack.ended(await stack.job(project_id, "detect", epochs=1, model="yolo26n"))
        assert first.status == JobStatus.JOB_STATUS_COMPLETED, first.failure
        one_class = CLASSES[1]
        second = await stack.job(
            project_id,
            "detect",
            classes=[one_class],
            epochs=1,
            base_model_id=first.model_id,
            pretrained=Pretrained.PRETRAINED_AUTO,
            settings=TrainingSettings(freeze=5),
        )
        ended = await stack.ended(second)
        assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure
    model = await stack.model(ended.model_id)
    assert (model.architecture, list(model.classes)) == ("yolo26n", [one_class])
    log = next((worker_dir / "logs").glob(f"{second.id}-*.log")).read_text()
    assert "Transferred" in log
    assert "Freezing layer 'model.4." in log
    request = trainer_api.GetEvaluationRequest(job_id=second.id)
    evaluation = (await stack.trainer.GetEvaluation(request)).evaluation
    assert [one.class_label for one in evaluation.class_metrics] == [one_class]
    assert list(evaluation.confusion_matrix.labels) == [one_class, "background"]


@pytest.mark.slow
async def test_required_weights_that_are_missing_fail_the_job_with_hint_and_log(
    stack: Stack, worker_dir: Path
) -> None:
    job = await stack.job(await stack.project(), pretrained=Pretrained.PRETRAINED_REQUIRED)
    async with running(stack.worker_settings(worker_dir)):
        ended = await stack.ended(job)
    assert ended.status == JobStatus.JOB_STATUS_FAILED
    assert ended.failure.reason == "WEIGHTS_UNAVAILABLE"
    assert ended.failure.hint
    assert ended.failure.log_tail
    assert ended.status in FINAL
    assert leftovers(worker_dir) == []
