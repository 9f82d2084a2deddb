"""Every setting reaches ultralytics: read from the args.yaml of real runs that were given no defaults."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from annotateforge.api.dataset.v1.dataset_pb2 import Dataset, TaskType
from annotateforge.api.trainer.v1.job_pb2 import Job, JobConfig, Pretrained
from annotateforge.api.trainer.v1.training_settings_pb2 import (
    AutoAugment,
    CopyPasteMode,
    ImageCache,
    TrainingSettings,
)
from annotateforge.trainer.config import filled_config
from annotateforge.trainer.training_settings import SETTINGS
from annotateforge.trainer.violations import Violations
from annotateforge.trainer.worker.order import Places, order_for
from tests.unit.trainer_worker.children import CORES, order, run_child
from tests.unit.trainer_worker.tiny_datasets import CLASSES, write_dataset

ALWAYS: dict[str, Any] = {
    "cos_lr": True,
    "lrf": 0.2,
    "momentum": 0.85,
    "weight_decay": 0.001,
    "warmup_epochs": 0.5,
    "warmup_momentum": 0.7,
    "warmup_bias_lr": 0.05,
    "nbs": 8,
    "freeze": 2,
    "hsv_h": 0.1,
    "hsv_s": 0.2,
    "hsv_v": 0.3,
    "scale": 0.3,
    "flipud": 0.1,
    "fliplr": 0.4,
    "fraction": 0.75,
    "amp": False,
    "deterministic": False,
}
OBJECTS: dict[str, Any] = {
    "box": 6.5,
    "cls": 0.75,
    "dfl": 1.25,
    "cls_pw": 0.5,
    "cls_remap": False,
    "degrees": 5.0,
    "translate": 0.2,
    "shear": 2.0,
    "perspective": 0.0005,
    "bgr": 0.1,
    "close_mosaic": 1,
    "multi_scale": 0.5,
}
MIXES: dict[str, Any] = {"mosaic": 0.9, "mixup": 0.3, "cutmix": 0.2}
GIVEN: dict[str, dict[str, Any]] = {
    "detect": {**ALWAYS, **OBJECTS, "rect": True, "cache": ImageCache.IMAGE_CACHE_DISK},
    "segment": {
        **ALWAYS,
        **OBJECTS,
        **MIXES,
        "overlap_mask": False,
        "mask_ratio": 2,
        "copy_paste": 0.5,
        "copy_paste_mode": CopyPasteMode.COPY_PASTE_MODE_MIXUP,
        "cache": ImageCache.IMAGE_CACHE_RAM,
    },
    "classify": {
        **ALWAYS,
        "dropout": 0.1,
        "auto_augment": AutoAugment.AUTO_AUGMENT_OFF,
        "erasing": 0.2,
        "cache": ImageCache.IMAGE_CACHE_RAM,
    },
}
# Enums, which ultralytics takes as words of its own.
WORDS: dict[str, dict[Any, str | None]] = {
    "cache": {ImageCache.IMAGE_CACHE_RAM: "ram", ImageCache.IMAGE_CACHE_DISK: "disk"},
    "auto_augment": {AutoAugment.AUTO_AUGMENT_OFF: None},
    "copy_paste_mode": {CopyPasteMode.COPY_PASTE_MODE_MIXUP: "mixup"},
}
TASKS = {
    "detect": TaskType.TASK_TYPE_DETECT,
    "segment": TaskType.TASK_TYPE_SEGMENT,
    "classify": TaskType.TASK_TYPE_CLASSIFY,
}


def job_of(task: str, config: JobConfig) -> Job:
    """A job as the trainer hands it out, its config filled in."""
    violations = Violations()
    config.project_ids.append("0190b3c4-0000-7000-8000-000000000000")
    filled = filled_config(config, TASKS[task], violations)
    violations.raise_any("INVALID_JOB")
    return Job(task_type=TASKS[task], config=filled, dataset=Dataset(classes=CLASSES))


def test_each_setting_is_tried_with_another_value_than_its_default() -> None:
    assert {name for given in GIVEN.values() for name in given} == set(SETTINGS)
    for given in GIVEN.values():
        assert [name for name, value in given.items() if value == SETTINGS[name].default] == []


@pytest.mark.slow
@pytest.mark.parametrize("task", ["detect", "segment", "classify"])
async def test_every_setting_arrives_in_ultralytics(task: str, tmp_path: Path, library_cache: Path) -> None:
    data = write_dataset(tmp_path / "data", task)
    config = JobConfig(
        settings=TrainingSettings(**GIVEN[task]),
        epochs=2,
        batch_size=4,
        image_size=64,
        optimizer="SGD",
        learning_rate=0.003,
        patience=7,
        seed=11,
        loader_workers=0,
        pretrained=Pretrained.PRETRAINED_NEVER,
    )
    places = Places(data, tmp_path / "scratch" / "run", tmp_path / "weights", None)
    given = order_for(
        job_of(task, config),
        places,
        architecture="yolov8n",
        device="cpu",
        cores=CORES,
        allow_downloads=False,
    )
    told = await run_child(tmp_path, library_cache, given)
    told.trained()

    arguments = yaml.safe_load((tmp_path / "scratch" / "run" / "args.yaml").read_text())
    expected = {
        name: WORDS[name][value] if name in WORDS else value for name, value in GIVEN[task].items()
    } | {"lr0": 0.003, "patience": 7, "seed": 11, "optimizer": "SGD", "epochs": 2, "batch": 4, "imgsz": 64}
    assert {name: arguments[name] for name in expected} == expected


def test_a_config_that_says_nothing_gives_ultralytics_its_own_defaults() -> None:
    import ultralytics

    defaults = yaml.safe_load((Path(ultralytics.__file__).parent / "cfg" / "default.yaml").read_text())
    for task in TASKS:
        places = Places(Path("/d"), Path("/s/run"), Path("/w"), None)
        given = order_for(
            job_of(task, JobConfig()),
            places,
            architecture="yolov8n",
            device="cpu",
            cores=1,
            allow_downloads=False,
        )
        assert dict(given.settings) == {name: defaults[name] for name in given.settings}


@pytest.mark.slow
async def test_training_ends_with_the_epoch_in_which_its_time_is_over(
    tmp_path: Path, library_cache: Path
) -> None:
    write_dataset(tmp_path / "data", "classify")
    given = order(tmp_path, "classify", max_hours=1e-6, epochs=9)
    told = await run_child(tmp_path, library_cache, given)
    result = told.trained()
    assert told.warnings() == ["TIME_LIMIT_REACHED"]
    assert result.epochs_trained == len(told.epochs()) == 1
    assert result.metrics
