"""Real trainings in a real child, each of a few seconds."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from annotateforge.api.trainer.v1.job_pb2 import ClassMetrics, ConfusionMatrix
from annotateforge.trainer.worker.child import network
from tests.unit.trainer_worker.children import Told, order, run_child
from tests.unit.trainer_worker.tiny_datasets import CLASSES, write_dataset

METRICS = {
    "detect": {"precision", "recall", "map50", "map50_95"},
    "segment": {
        f"{part}_{metric}"
        for part in ("box", "mask")
        for metric in ("precision", "recall", "map50", "map50_95")
    },
    "classify": {"top1_accuracy", "top5_accuracy"},
}
LOSSES = {
    "detect": {"box_loss", "cls_loss", "dfl_loss"},
    "segment": {"box_loss", "seg_loss", "cls_loss", "dfl_loss"},
    "classify": {"loss"},
}
# What anybody does with the weights: plain ultralytics, in an interpreter that cannot see this project.
LOAD = """
import json, sys
sys.modules["annotateforge"] = None
from ultralytics import YOLO
image, *files = sys.argv[1:]
for file in files:
    model = YOLO(file)
    result = model.predict(image, imgsz=64, verbose=False)[0]
    print(json.dumps({"task": model.task, "names": list(result.names.items())}))
"""


def load_alone(image: Path, *weights: Path) -> list[Any]:
    folder = image.parent
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOAD, str(image), *map(str, weights)],
        cwd=folder,
        env={"YOLO_CONFIG_DIR": str(folder), "YOLO_OFFLINE": "true", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def check_story(told: Told, epochs: int) -> None:
    # Warnings may come in between: tiny trainings do not go well.
    kinds = [kind for kind in told.kinds() if kind != "warning"]
    assert kinds == ["training_started"] + ["epoch_start", "epoch_complete"] * epochs
    assert [epoch.epoch for epoch in told.epochs()] == list(range(1, epochs + 1))
    assert all(epoch.total_epochs == epochs for epoch in told.epochs())
    assert all(report.HasField("time") for report in told.reports)


def check_classes(task: str, classes: Sequence[ClassMetrics]) -> None:
    """Each class is there with its two validation images, and with all metrics of its own."""
    assert [(one.class_id, one.class_label) for one in classes] == list(enumerate(CLASSES))
    assert [(one.images, one.instances) for one in classes] == [(2, 2), (2, 2)]
    names = {"precision", "recall"} if task == "classify" else METRICS[task]
    assert all(set(one.metrics) == names for one in classes)
    assert all(0 <= value <= 1 for one in classes for value in one.metrics.values())


def check_matrix(task: str, matrix: ConfusionMatrix) -> None:
    """Every validation object is in the column of its class, whatever it was taken for."""
    labels = list(CLASSES) if task == "classify" else [*CLASSES, "background"]
    assert list(matrix.labels) == labels
    counts = [list(row.counts) for row in matrix.rows]
    assert [sum(column) for column in zip(*counts, strict=True)][: len(CLASSES)] == [2, 2]
    assert len(counts) == len(labels)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["detect", "segment", "classify"])
async def test_a_child_trains_each_task_and_reports_every_epoch(
    task: str, tmp_path: Path, library_cache: Path
) -> None:
    data = write_dataset(tmp_path / "data", task)
    told = await run_child(tmp_path, library_cache, order(tmp_path, task))

    result = told.trained()
    check_story(told, 2)
    for epoch in told.epochs():
        assert set(epoch.metrics) == METRICS[task]
        assert set(epoch.train_losses) >= LOSSES[task]
        assert set(epoch.val_losses) == set(epoch.train_losses)
        assert epoch.train_loss == pytest.approx(sum(epoch.train_losses.values()))
        assert epoch.val_loss == pytest.approx(sum(epoch.val_losses.values()))
        assert epoch.epoch_seconds > 0
        assert epoch.learning_rate > 0
        assert set(epoch.learning_rates) == {"pg0", "pg1", "pg2"}
        assert epoch.learning_rates["pg0"] == epoch.learning_rate
        assert epoch.images_per_second > 0
        assert 0 <= epoch.loader_wait_percent <= 100
        assert epoch.host_memory_bytes > 100e6
        assert not epoch.HasField("gpu_memory_bytes")
        check_classes(task, epoch.class_metrics)
    assert told.epochs()[0].best
    assert set(result.metrics) == METRICS[task]
    assert result.epochs_trained == 2
    assert result.best_epoch == max(epoch.epoch for epoch in told.epochs() if epoch.best)

    check_classes(task, result.class_metrics)
    check_matrix(task, result.confusion_matrix)

    run = tmp_path / "scratch" / "run"
    # Pictures of the validation images, as labelled and as predicted.
    assert list(run.glob("val_batch*_labels.jpg"))
    assert list(run.glob("val_batch*_pred.jpg"))
    assert (run / "results.csv").is_file()
    assert (run / "args.yaml").is_file()
    assert list(run.glob("*.png"))
    image = next((data / ("val" if task == "classify" else "images/val")).rglob("*.png"))
    loaded = load_alone(image, run / "weights" / "best.pt", run / "weights" / "last.pt")
    expected = {"task": task, "names": [[index, name] for index, name in enumerate(CLASSES)]}
    assert loaded == [expected, expected]

    assert network.MARK not in told.output
    assert "WARNING" not in told.output


@pytest.mark.slow
async def test_training_stops_early_when_nothing_improves(tmp_path: Path, library_cache: Path) -> None:
    write_dataset(tmp_path / "data", "classify")
    # A rate too small to change anything: the first epoch stays the best.
    changes = {"optimizer": "SGD", "learning_rate": 1e-12, "patience": 1, "epochs": 9}
    told = await run_child(tmp_path, library_cache, order(tmp_path, "classify", **changes))
    result = told.trained()
    assert result.epochs_trained == len(told.epochs()) < 9


@pytest.mark.slow
async def test_equal_orders_give_equal_numbers(tmp_path: Path, library_cache: Path) -> None:
    numbers = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        write_dataset(folder / "data", "classify")
        told = await run_child(folder, library_cache, order(folder, "classify", seed=7))
        told.trained()
        numbers.append([(dict(epoch.metrics), epoch.train_loss, epoch.val_loss) for epoch in told.epochs()])
    assert numbers[0] == numbers[1]


@pytest.mark.slow
async def test_loader_processes_are_used_as_ordered_and_none_is_left(
    tmp_path: Path, library_cache: Path
) -> None:
    write_dataset(tmp_path / "data", "classify")
    told = await run_child(tmp_path, library_cache, order(tmp_path, "classify", loader_workers=2, epochs=1))
    told.trained()
    assert "Using 2 dataloader workers" in told.output


@pytest.mark.slow
async def test_auto_without_weights_starts_from_scratch_and_says_so(
    tmp_path: Path, library_cache: Path
) -> None:
    write_dataset(tmp_path / "data", "classify")
    told = await run_child(tmp_path, library_cache, order(tmp_path, "classify", epochs=1, pretrained="auto"))
    told.trained()
    assert told.warnings() == ["TRAINED_FROM_SCRATCH"]
    assert told.reports[0].HasField("warning")
