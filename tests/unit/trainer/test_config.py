import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.api.dataset.v1.dataset_pb2 import Split, TaskType
from annotateforge.api.trainer.v1.job_pb2 import JobConfig, Pretrained
from annotateforge.api.trainer.v1.training_settings_pb2 import TrainingSettings
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.trainer.config import MODELS, OPTIMIZERS, filled_config
from annotateforge.trainer.violations import Violations

DETECT = TaskType.TASK_TYPE_DETECT
AN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def fill(config: JobConfig, task: TaskType.ValueType = DETECT) -> JobConfig:
    violations = Violations()
    filled = filled_config(config, task, violations)
    violations.raise_any("INVALID_JOB")
    return filled


def of_projects(**fields: Any) -> JobConfig:
    return JobConfig(project_ids=[AN_ID], classes=["cell"], **fields)


def refused(config: JobConfig) -> dict[str, str]:
    with pytest.raises(InvalidArgument) as caught:
        fill(config)
    assert caught.value.reason == "INVALID_JOB"
    return {violation.field: violation.description for violation in caught.value.violations}


def test_defaults_are_filled_in() -> None:
    filled = fill(of_projects())
    assert (filled.model, filled.epochs, filled.batch_size, filled.image_size) == ("yolov8n", 100, 16, 640)
    assert (filled.patience, filled.seed, filled.device, filled.priority) == (100, 0, "", 0)
    assert filled.pretrained == Pretrained.PRETRAINED_AUTO
    assert filled.optimizer == "auto"
    assert not filled.HasField("learning_rate")
    assert not filled.HasField("loader_workers")


def test_classification_defaults_to_smaller_images() -> None:
    assert fill(of_projects(), TaskType.TASK_TYPE_CLASSIFY).image_size == 224


def test_what_is_given_stays() -> None:
    given_config = of_projects(
        model="yolo11x",
        epochs=3,
        batch_size=1,
        image_size=96,
        learning_rate=0.5,
        device="3",
        pretrained=Pretrained.PRETRAINED_NEVER,
        priority=-7,
        optimizer="NAdam",
        patience=0,
        seed=9,
        loader_workers=0,
        split=Split(train_ratio=0.5),
    )
    kept = fill(given_config)
    given_config.settings.CopyFrom(kept.settings)
    assert kept == given_config


def test_a_learning_rate_without_an_optimizer_means_sgd() -> None:
    assert fill(of_projects(learning_rate=0.02)).optimizer == "SGD"
    assert fill(of_projects(learning_rate=0.02, optimizer="auto")).optimizer == "SGD"
    assert fill(of_projects(learning_rate=0.02, optimizer="AdamW")).optimizer == "AdamW"


def test_an_optimizer_without_a_learning_rate_gets_its_usual_one() -> None:
    assert fill(of_projects(optimizer="SGD")).learning_rate == 0.01
    assert fill(of_projects(optimizer="adamw")).learning_rate == 0.001
    assert fill(of_projects(optimizer="adamw")).optimizer == "AdamW"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("epochs", -1),
        ("epochs", 10_001),
        ("batch_size", 0),
        ("batch_size", -16),
        ("batch_size", 4097),
        ("image_size", 0),
        ("image_size", -640),
        ("image_size", 100),
        ("image_size", 4128),
        ("learning_rate", 0.0),
        ("learning_rate", -0.1),
        ("learning_rate", 1.5),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("priority", 101),
        ("priority", -101),
        ("patience", -1),
        ("seed", -1),
        ("seed", 2**32),
        ("loader_workers", -1),
        ("loader_workers", 65),
        ("model", "yolov9000"),
        ("model", "x" * 100_000),
        ("optimizer", "Lion"),
        ("pretrained", 17),
        ("device", "cuda"),
        ("device", "gpu0"),
        ("device", "-1"),
        ("device", "²"),
        ("base_model_id", "best"),
        ("base_model_id", AN_ID + "\n"),
    ],
)
def test_a_value_beyond_its_limits_is_refused_with_its_path(field: str, value: object) -> None:
    violations = refused(of_projects(**{field: value}))
    assert list(violations) == [f"config.{field}"]
    assert len(violations[f"config.{field}"]) < 300


def test_several_gpus_are_named_or_counted() -> None:
    assert fill(of_projects(device="0, 1")).device == "0,1"
    assert fill(of_projects(device="1,0", gpus=2)).gpus == 2
    assert fill(of_projects(gpus=2, min_gpu_memory=24)).gpus == 2
    assert "names 2" in refused(of_projects(device="0,1", gpus=3))["config.gpus"]
    assert "names 1" in refused(of_projects(device="0", gpus=2))["config.gpus"]
    assert "twice" in refused(of_projects(device="0,1,00"))["config.device"]
    assert "no device" in refused(of_projects(device="0,cpu"))["config.device"]
    assert "no device" in refused(of_projects(device="0,"))["config.device"]
    assert "64" in refused(of_projects(gpus=65))["config.gpus"]


def test_several_gpus_share_the_batch_evenly_and_take_images_at_random() -> None:
    assert fill(of_projects(gpus=2)).batch_size == 16
    assert fill(of_projects(gpus=3)).batch_size == 18
    assert fill(of_projects(device="0,1,2", batch_size=9)).batch_size == 9
    assert "15 or 18" in refused(of_projects(gpus=3, batch_size=16))["config.batch_size"]
    assert refused(of_projects(gpus=4, batch_size=2))["config.batch_size"].endswith(": 4")
    rect = TrainingSettings(rect=True)
    assert "2 GPUs" in refused(of_projects(gpus=2, settings=rect))["config.settings.rect"]


def test_memory_of_a_gpu_means_a_gpu() -> None:
    assert fill(of_projects(min_gpu_memory=24)).gpus == 1
    assert fill(of_projects(min_gpu_memory=24, device="0")).gpus == 0
    assert "cpu" in refused(of_projects(min_gpu_memory=24, device="cpu"))["config.min_gpu_memory"]
    assert "cpu" in refused(of_projects(gpus=1, device="cpu"))["config.gpus"]
    assert "1,024" in refused(of_projects(min_gpu_memory=2000))["config.min_gpu_memory"]


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    description = refused(of_projects(model="resnet50"))["config.model"]
    assert all(model in description for model in MODELS)


def test_an_image_size_that_is_no_multiple_of_32_is_answered_with_the_nearest_ones() -> None:
    assert "640 or 672" in refused(of_projects(image_size=650))["config.image_size"]


def test_everything_wrong_is_told_at_once() -> None:
    violations = refused(of_projects(epochs=0, batch_size=-1, image_size=33, model="?"))
    assert set(violations) == {"config.epochs", "config.batch_size", "config.image_size", "config.model"}


def test_data_is_named_by_projects_or_by_a_data_set_and_not_by_both() -> None:
    assert set(refused(JobConfig())) == {"config.project_ids"}
    both = of_projects(dataset_id=AN_ID, split=Split(seed=1))
    assert set(refused(both)) == {"config.project_ids", "config.classes", "config.split"}
    assert fill(JobConfig(dataset_id=AN_ID.upper())).dataset_id == AN_ID
    assert set(refused(JobConfig(dataset_id="mine"))) == {"config.dataset_id"}


def test_a_base_model_settles_architecture_and_where_to_start_from() -> None:
    filled = fill(of_projects(base_model_id=AN_ID))
    assert filled.model == ""
    for pretrained in (Pretrained.PRETRAINED_REQUIRED, Pretrained.PRETRAINED_NEVER):
        config = of_projects(base_model_id=AN_ID, pretrained=pretrained)
        assert set(refused(config)) == {"config.pretrained"}


@given(
    optimizer=st.sampled_from(["", *OPTIMIZERS]),
    learning_rate=st.none() | st.floats(1e-6, 1),
    model=st.sampled_from(["", *MODELS]),
    epochs=st.none() | st.integers(1, 10_000),
    base_model_id=st.sampled_from(["", AN_ID]),
)
def test_filling_in_a_filled_config_changes_nothing(**fields: object) -> None:
    filled = fill(of_projects(**fields))
    assert fill(filled) == filled
