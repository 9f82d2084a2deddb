"""No field of a job's config is accepted and ignored: each changes the data set, the place, or the order that
the child gets, and with it what ultralytics is told. A field that is added needs a value here.
"""

from pathlib import Path
from typing import Any

import pytest

from annotateforge.api.dataset.v1.annotation_pb2 import AnnotationType
from annotateforge.api.dataset.v1.dataset_pb2 import Dataset, Split, TaskType
from annotateforge.api.trainer.v1.job_pb2 import Job, JobConfig, Pretrained
from annotateforge.api.trainer.v1.training_settings_pb2 import (
    AutoAugment,
    CopyPasteMode,
    ImageCache,
    TrainingSettings,
)
from annotateforge.trainer.config import filled_config
from annotateforge.trainer.datasets import spec_of
from annotateforge.trainer.placement import Demand
from annotateforge.trainer.training_settings import SETTINGS
from annotateforge.trainer.violations import Violations
from annotateforge.trainer.worker.child.training import arguments
from annotateforge.trainer.worker.order import Places, TrainingOrder, order_for

PLACES = Places(Path("/data"), Path("/scratch/run"), Path("/weights"), None)
PROJECT = "0190b3c4-0000-7000-8000-000000000000"
# Beside what is tried, so that it is not shut out; and what a value would shut out itself.
WITH: dict[str, Any] = {"optimizer": "SGD", "learning_rate": 0.02}

TRAINING: dict[str, Any] = {
    "epochs": 7,
    "batch_size": 3,
    "image_size": 96,
    "learning_rate": 0.03,
    "optimizer": "AdamW",
    "patience": 5,
    "seed": 11,
    "loader_workers": 3,
    "max_hours": 2.5,
    "pretrained": Pretrained.PRETRAINED_NEVER,
    "model": "yolo11s",
}
"""Fields that the child is told."""
DATA: dict[str, Any] = {
    "project_ids": [PROJECT, PROJECT[:-1] + "1"],
    "classes": ["a", "b"],
    "annotation_types": [AnnotationType.ANNOTATION_TYPE_BOX],
    "split": Split(train_ratio=0.5),
    "backgrounds": True,
}
"""Fields that the dataset service is told."""
PLACE: dict[str, Any] = {"device": "0", "gpus": 1, "min_gpu_memory": 24}
"""Fields by which a worker is found."""
ELSEWHERE = {
    "dataset_id": "tests/integration/trainer/test_creation.py",
    "base_model_id": "tests/integration/trainer/test_base_models.py",
    "priority": "tests/integration/trainer/test_queue.py",
    "settings": "below, one by one",
}
"""Where others are tried, since they name what has to be there, or are columns of their own."""
SETTINGS_GIVEN: dict[str, Any] = {
    "auto_augment": AutoAugment.AUTO_AUGMENT_AUGMIX,
    "copy_paste_mode": CopyPasteMode.COPY_PASTE_MODE_MIXUP,
    "cache": ImageCache.IMAGE_CACHE_RAM,
    "nbs": 32,
    "mask_ratio": 2,
    "freeze": 3,
    "close_mosaic": 2,
    "warmup_epochs": 1.0,
}


def filled(task: TaskType.ValueType, **given: Any) -> JobConfig:
    violations = Violations()
    config = filled_config(JobConfig(**{"project_ids": [PROJECT], **WITH, **given}), task, violations)
    violations.raise_any("INVALID_JOB")
    return config


def ordered(task: TaskType.ValueType, config: JobConfig) -> TrainingOrder:
    job = Job(task_type=task, config=config, dataset=Dataset(classes=["a"]))
    return order_for(job, PLACES, architecture=config.model, device="cpu", cores=2, allow_downloads=False)


def told(order: TrainingOrder) -> dict[str, Any]:
    return arguments(order, "yolov8n.yaml", pretrained=False)


def test_each_field_of_a_config_is_tried_somewhere() -> None:
    fields = {field.name for field in JobConfig.DESCRIPTOR.fields}
    assert {*TRAINING, *DATA, *PLACE, *ELSEWHERE} == fields


@pytest.mark.parametrize("name", TRAINING)
def test_a_field_reaches_the_child(name: str) -> None:
    task = TaskType.TASK_TYPE_DETECT
    before, after = filled(task), filled(task, **{name: TRAINING[name]})
    assert ordered(task, before) != ordered(task, after)


@pytest.mark.parametrize("name", DATA)
def test_a_field_reaches_the_data_set(name: str) -> None:
    task = TaskType.TASK_TYPE_DETECT
    assert spec_of(filled(task), task) != spec_of(filled(task, **{name: DATA[name]}), task)


@pytest.mark.parametrize("name", PLACE)
def test_a_field_decides_which_worker_is_found(name: str) -> None:
    task = TaskType.TASK_TYPE_DETECT
    assert Demand.of(filled(task)) != Demand.of(filled(task, **{name: PLACE[name]}))


@pytest.mark.parametrize("name", [field.name for field in TrainingSettings.DESCRIPTOR.fields])
def test_a_setting_reaches_the_child_and_ultralytics(name: str) -> None:
    setting = SETTINGS[name]
    for task in sorted(setting.tasks):
        default = setting.default
        value = SETTINGS_GIVEN.get(name, not default if isinstance(default, bool) else 0.25)
        assert value != default
        shut_out = {"hsv_h", "hsv_s", "hsv_v"} if task == TaskType.TASK_TYPE_CLASSIFY else set()
        others: dict[str, Any] = {"auto_augment": AutoAugment.AUTO_AUGMENT_OFF} if name in shut_out else {}
        before = filled(task, settings=TrainingSettings(**others))
        given: dict[str, Any] = {**others, name: value}
        after = filled(task, settings=TrainingSettings(**given))
        assert ordered(task, before) != ordered(task, after), task
        assert told(ordered(task, before))[name] != told(ordered(task, after))[name], task
