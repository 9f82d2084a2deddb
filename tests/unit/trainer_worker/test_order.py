from pathlib import Path
from typing import Any

import pytest

from annotateforge.api.dataset.v1.dataset_pb2 import Dataset, TaskType
from annotateforge.api.trainer.v1.job_pb2 import Job, JobConfig, Pretrained
from annotateforge.trainer.worker.order import Places, TrainingOrder, order_for

PLACES = Places(Path("/data"), Path("/scratch/run"), Path("/weights"), None)


def order(task: TaskType.ValueType = TaskType.TASK_TYPE_DETECT, **config: Any) -> TrainingOrder:
    job = Job(task_type=task, config=JobConfig(**config), dataset=Dataset(classes=["a", "Δ"]))
    return order_for(job, PLACES, architecture="yolov8n", device="cpu", cores=2, allow_downloads=False)


def test_an_order_survives_its_way_to_the_child() -> None:
    given = order(learning_rate=0.1, seed=7)
    line = given.to_json()
    assert line.count(b"\n") == 1
    assert TrainingOrder.from_json(line) == given


def test_a_learning_rate_is_never_left_to_auto_which_would_ignore_it() -> None:
    assert (order(learning_rate=0.1).optimizer, order(learning_rate=0.1).learning_rate) == ("SGD", 0.1)
    assert (order().optimizer, order().learning_rate) == ("auto", None)


@pytest.mark.parametrize(("optimizer", "rate"), [("SGD", 0.01), ("AdamW", 0.001), ("RMSProp", 0.001)])
def test_a_named_optimizer_starts_at_its_documented_rate(optimizer: str, rate: float) -> None:
    assert order(optimizer=optimizer).learning_rate == rate


@pytest.mark.parametrize(
    ("task", "size"), [(TaskType.TASK_TYPE_CLASSIFY, 224), (TaskType.TASK_TYPE_SEGMENT, 640)]
)
def test_image_size_depends_on_the_task(task: TaskType.ValueType, size: int) -> None:
    assert order(task).image_size == size


def test_everything_that_a_config_says_is_in_the_order() -> None:
    given = order(
        epochs=3,
        batch_size=5,
        image_size=96,
        optimizer="NAdam",
        learning_rate=0.5,
        patience=0,
        seed=9,
        loader_workers=0,
        pretrained=Pretrained.PRETRAINED_REQUIRED,
    )
    assert (given.epochs, given.batch_size, given.image_size) == (3, 5, 96)
    assert (given.optimizer, given.learning_rate, given.patience, given.seed) == ("NAdam", 0.5, 0, 9)
    assert (given.loader_workers, given.pretrained) == (0, "required")
    assert given.classes == ("a", "Δ")


def test_a_job_without_a_task_is_refused() -> None:
    with pytest.raises(ValueError, match="task"):
        order(TaskType.TASK_TYPE_UNSPECIFIED)
