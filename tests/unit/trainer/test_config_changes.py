"""A job's config, changed in part for a restart."""

from typing import Any

import pytest

from annotateforge.api.dataset.v1.dataset_pb2 import Split, TaskType
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.training_settings_pb2 import AutoAugment, TrainingSettings
from annotateforge.runtime.ids import new_id
from annotateforge.trainer.config import filled_config
from annotateforge.trainer.config_changes import changed, changes_data, without_defaults
from annotateforge.trainer.violations import Violations

DETECT, CLASSIFY = TaskType.TASK_TYPE_DETECT, TaskType.TASK_TYPE_CLASSIFY
PROJECT = str(new_id())


def kept(task: TaskType.ValueType = DETECT, **config: Any) -> JobConfig:
    """A config as a job has it."""
    if "dataset_id" not in config:
        config = {"project_ids": [PROJECT], "classes": ["a"], "split": Split(seed=42)} | config
    violations = Violations()
    filled = filled_config(JobConfig(**config), task, violations)
    violations.raise_any("INVALID_JOB")
    return filled


def restarted(
    before: JobConfig, *mask: str, task: TaskType.ValueType = DETECT, **changes: Any
) -> tuple[JobConfig, list[str]]:
    """The config of the new job, and the fields that are wrong."""
    violations = Violations()
    made = changed(before, JobConfig(**changes), mask, task, violations)
    return filled_config(made, task, violations), [one.field for one in violations._found]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"optimizer": "AdamW", "epochs": 3},
        {"learning_rate": 0.5, "settings": TrainingSettings(momentum=0.9)},
        {"settings": TrainingSettings(rect=True, fliplr=0.5, box=1.0), "max_hours": 2.0},
    ],
)
def test_without_changes_all_stays(config: dict[str, Any]) -> None:
    before = kept(**config)
    assert restarted(before) == (before, [])
    given = JobConfig(**config)
    bare = without_defaults(before, DETECT)
    assert bare.settings.ListFields() == [
        (field, value) for field, value in given.settings.ListFields() if field.name != "fliplr"
    ]


def test_what_is_given_changes_and_the_rest_stays() -> None:
    before = kept(epochs=3, settings=TrainingSettings(mixup=0.5, mosaic=0.5))
    after, wrong = restarted(before, epochs=9, settings=TrainingSettings(mosaic=0.0))
    assert wrong == []
    assert (after.epochs, after.settings.mosaic, after.settings.mixup) == (9, 0.0, 0.5)
    assert after.project_ids == before.project_ids


def test_defaults_follow_what_they_depend_on() -> None:
    assert restarted(kept(optimizer="SGD"), optimizer="AdamW")[0].learning_rate == 0.001
    assert restarted(kept(optimizer="SGD", learning_rate=0.5), optimizer="AdamW")[0].learning_rate == 0.5
    # Each of these would be refused if the defaults of the first job were taken for wishes.
    assert restarted(kept(), settings=TrainingSettings(rect=True))[1] == []
    assert restarted(kept(optimizer="SGD"), optimizer="AdamW")[1] == []
    colourful = kept(CLASSIFY, settings=TrainingSettings(auto_augment=AutoAugment.AUTO_AUGMENT_OFF))
    settings = TrainingSettings(auto_augment=AutoAugment.AUTO_AUGMENT_AUGMIX)
    assert restarted(colourful, task=CLASSIFY, settings=settings)[1] == []


def test_a_mask_gives_defaults_back() -> None:
    before = kept(epochs=3, optimizer="SGD", settings=TrainingSettings(mosaic=0.5, mixup=0.5))
    after, wrong = restarted(before, "optimizer", "settings.mosaic", "epochs", epochs=5)
    assert wrong == []
    assert (after.optimizer, after.settings.mosaic, after.epochs) == ("auto", 1.0, 5)
    assert after.settings.mixup == 0.5
    assert restarted(before, "settings")[0].settings == kept(optimizer="SGD").settings


def test_a_mask_that_does_not_fit_is_refused() -> None:
    assert restarted(kept(), "epoch")[1] == ["update_mask[0]"]
    assert restarted(kept(), "settings.nothing")[1] == ["update_mask[0]"]
    assert restarted(kept(), "epochs", batch_size=3)[1] == ["config.batch_size"]


def test_another_data_set_takes_the_place_of_projects_and_the_other_way_round() -> None:
    frozen = str(new_id())
    before = kept()
    after, wrong = restarted(before, dataset_id=frozen)
    assert (wrong, after.dataset_id, list(after.project_ids)) == ([], frozen, [])
    assert changes_data(before, after)
    back, wrong = restarted(after, project_ids=[PROJECT], classes=["b"])
    assert (wrong, back.dataset_id, list(back.classes)) == ([], "", ["b"])
    assert not changes_data(before, restarted(before, epochs=1)[0])
    assert changes_data(before, restarted(before, split=Split(seed=7))[0])


def test_another_base_model_brings_its_own_architecture() -> None:
    before = kept(base_model_id=str(new_id()))
    before.model = "yolov8s"
    assert restarted(before, base_model_id=str(new_id()))[0].model == ""
    assert restarted(before, epochs=2)[0].model == "yolov8s"
