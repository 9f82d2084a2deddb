"""The settings of a training: what each takes, and that proto and documentation say the same."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.descriptor import FieldDescriptor

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.options.v1 import options_pb2
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.training_settings_pb2 import AutoAugment, ImageCache, TrainingSettings
from annotateforge.gateway.comments import proto_comments
from annotateforge.runtime.rest.names import enum_names
from annotateforge.trainer.config import OPTIMIZERS, filled_config
from annotateforge.trainer.training_settings import SETTINGS
from annotateforge.trainer.violations import Violations

DETECT, SEGMENT, CLASSIFY = (
    TaskType.TASK_TYPE_DETECT,
    TaskType.TASK_TYPE_SEGMENT,
    TaskType.TASK_TYPE_CLASSIFY,
)
TASKS = (DETECT, SEGMENT, CLASSIFY)
FIELDS: list[FieldDescriptor] = list(TrainingSettings.DESCRIPTOR.fields)
GROUPS = {"optimizer", "schedule", "loss", "regularization", "augmentation", "hardware"}
REPOSITORY = Path(__file__).resolve().parents[3]
PAGE = REPOSITORY / "docs" / "training-settings.md"
RULES = REPOSITORY / "web/src/newJob/settingRules.test.json"
"""What shuts settings out, for the test of the web app's form, which knows it beforehand."""


def filled(task: TaskType.ValueType, config: JobConfig) -> tuple[JobConfig, dict[str, str]]:
    """The config as it would be kept, and what is wrong with it by field."""
    violations = Violations()
    given = JobConfig()
    given.CopyFrom(config)
    given.project_ids[:] = ["0190b3c4-0000-7000-8000-000000000000"]
    kept = filled_config(given, task, violations)
    return kept, {one.field: one.description for one in violations._found}


def wrong(task: TaskType.ValueType, optimizer: str = "", **settings: Any) -> dict[str, str]:
    config = JobConfig(settings=TrainingSettings(**settings), optimizer=optimizer)
    return filled(task, config)[1]


def comment(field: FieldDescriptor) -> str:
    return proto_comments()[field.full_name]


def word(field: FieldDescriptor, value: Any) -> str:
    """A value as the comments write it."""
    if field.enum_type is not None:
        return str(enum_names(field.enum_type)[value])
    if field.type == FieldDescriptor.TYPE_BOOL:
        return "true" if value else "false"
    return f"{value:g}"


def test_defaults_are_those_of_ultralytics() -> None:
    found = find_spec("ultralytics")
    assert found is not None
    assert found.origin is not None
    theirs = yaml.safe_load(Path(found.origin).with_name("cfg").joinpath("default.yaml").read_text())
    # What they write as no value is ours to name: no frozen layer, no cache.
    for field in FIELDS:
        ours = SETTINGS[field.name].default
        known = theirs[field.name] or ours
        assert word(field, ours) == (known if isinstance(known, str) else word(field, known))


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_setting_has_a_title_and_stands_in_a_group(field: FieldDescriptor) -> None:
    said = field.GetOptions().Extensions[options_pb2.setting]
    assert said.title
    assert said.group in GROUPS


def test_the_ranges_of_a_job_are_those_that_the_proto_tells() -> None:
    for field in JobConfig.DESCRIPTOR.fields:
        if not field.GetOptions().HasExtension(options_pb2.setting):
            continue
        said = field.GetOptions().Extensions[options_pb2.setting]
        step = 32 if field.name == "image_size" else 1e-9 if field.type == FieldDescriptor.TYPE_DOUBLE else 1
        for value, fits in [
            (said.minimum + said.exclusive_minimum * step, True),
            (said.minimum - (not said.exclusive_minimum) * step, False),
            (said.maximum, True),
            (said.maximum + step, False),
        ]:
            given = JobConfig(epochs=10_000, gpus=1)
            if field.name in {"gpus", "batch_size"} and value > 1:
                given = JobConfig(epochs=10_000, gpus=int(value), batch_size=64 * 64)
            try:
                setattr(given, field.name, value if field.type == FieldDescriptor.TYPE_DOUBLE else int(value))
            except ValueError:
                # The type itself does not take it.
                assert not fits
                continue
            assert (f"config.{field.name}" in filled(DETECT, given)[1]) != fits, (field.name, value)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_comment_says_what_is_checked(field: FieldDescriptor) -> None:
    setting, text = SETTINGS[field.name], comment(field)
    assert text.endswith(f"Default {word(field, setting.default)}.")
    assert field.has_presence
    if field.enum_type is None and field.type != FieldDescriptor.TYPE_BOOL:
        assert setting.range_text().lower() in text.lower()
    words = [TaskType.Name(task)[10:].lower() for task in TASKS if task in setting.tasks]
    assert (f"Only {' and '.join(words)}." in text) == (len(words) < len(TASKS))


def test_the_page_tells_of_every_setting_in_the_words_of_the_proto() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(field.name, comment(field)) for field in FIELDS]


@pytest.mark.parametrize("task", TASKS)
def test_defaults_are_filled_in_and_filling_in_again_changes_nothing(task: TaskType.ValueType) -> None:
    kept, problems = filled(task, JobConfig(optimizer="SGD"))
    assert problems == {}
    given = {field.name: value for field, value in kept.settings.ListFields()}
    shut_out = {"hsv_h", "hsv_s", "hsv_v"} if task == CLASSIFY else set()
    assert given == {
        name: setting.default
        for name, setting in SETTINGS.items()
        if task in setting.tasks and name not in shut_out
    }
    assert filled(task, kept) == (kept, {})


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
@pytest.mark.parametrize("task", TASKS)
def test_a_setting_of_other_tasks_is_refused(field: FieldDescriptor, task: TaskType.ValueType) -> None:
    setting = SETTINGS[field.name]
    others: dict[str, Any] = {}
    if task == CLASSIFY and field.name.startswith("hsv"):
        others["auto_augment"] = AutoAugment.AUTO_AUGMENT_OFF
    problems = wrong(task, "SGD", **{field.name: setting.default}, **others)
    assert (problems == {}) == (task in setting.tasks)
    if problems:
        assert "only" in problems[f"config.settings.{field.name}"]


@pytest.mark.parametrize(
    ("settings", "optimizer", "field"),
    [
        ({"momentum": 0.9}, "", "momentum"),
        ({"warmup_bias_lr": 0.0}, "auto", "warmup_bias_lr"),
        ({"warmup_momentum": 0.5}, "auto", "warmup_momentum"),
        ({"warmup_momentum": 0.5}, "AdamW", "warmup_momentum"),
        ({"rect": True, "mosaic": 0.5}, "", "mosaic"),
        ({"rect": True, "mixup": 0.0}, "", "mixup"),
        ({"rect": True, "cutmix": 0.5}, "", "cutmix"),
    ],
)
def test_a_setting_that_another_shuts_out_is_refused(
    settings: dict[str, Any], optimizer: str, field: str
) -> None:
    assert "no effect" in wrong(DETECT, optimizer, **settings)[f"config.settings.{field}"]


def test_colours_of_classification_need_auto_augment_off() -> None:
    assert "auto_augment" in wrong(CLASSIFY, hsv_h=0.1)["config.settings.hsv_h"]
    assert wrong(CLASSIFY, hsv_h=0.1, auto_augment=AutoAugment.AUTO_AUGMENT_OFF) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lrf", 1.1),
        ("lrf", -0.1),
        ("lrf", float("nan")),
        ("momentum", 0.0),
        ("momentum", 1.0),
        ("fraction", 0.0),
        ("nbs", 0),
        ("mask_ratio", 0),
        ("degrees", 181),
        ("freeze", -1),
        ("box", float("inf")),
    ],
)
def test_values_out_of_range_are_refused_with_the_range(name: str, value: float) -> None:
    problem = wrong(SEGMENT, "SGD", **{name: value})[f"config.settings.{name}"]
    assert SETTINGS[name].range_text() in problem


@pytest.mark.parametrize(("task", "layers"), [(DETECT, 23), (CLASSIFY, 10)])
def test_something_must_be_left_to_train(task: TaskType.ValueType, layers: int) -> None:
    assert wrong(task, freeze=layers - 1) == {}
    assert "layers" in wrong(task, freeze=layers)["config.settings.freeze"]


def test_an_enum_that_is_unspecified_has_its_default_and_an_unknown_one_is_refused() -> None:
    kept, problems = filled(
        DETECT, JobConfig(settings=TrainingSettings(cache=ImageCache.IMAGE_CACHE_UNSPECIFIED))
    )
    assert (problems, kept.settings.cache) == ({}, ImageCache.IMAGE_CACHE_OFF)
    assert "off, ram, disk" in wrong(DETECT, cache=9)["config.settings.cache"]


@pytest.mark.parametrize("hours", [0.0, -1.0, 1e9, float("nan")])
def test_hours_that_cannot_be_are_refused(hours: float) -> None:
    assert "config.max_hours" in filled(DETECT, JobConfig(max_hours=hours))[1]
    assert filled(DETECT, JobConfig(max_hours=0.01))[1] == {}


def shut_out(task: TaskType.ValueType, optimizer: str, **others: Any) -> list[str]:
    """Settings of the task that have no effect beside these, each given as its default."""
    names = [name for name, setting in SETTINGS.items() if task in setting.tasks and name not in others]
    given = {name: SETTINGS[name].default for name in names}
    found = wrong(task, optimizer, **given, **others)
    return [name for name in names if "has no effect" in found.get(f"config.settings.{name}", "")]


def test_the_web_app_is_tested_with_what_shuts_settings_out() -> None:
    cases = []
    for task in TASKS:
        beside: list[dict[str, Any]] = [{"rect": False}, {"rect": True}]
        if task == CLASSIFY:
            beside = [{"auto_augment": number} for number in AutoAugment.values() if number]
        for optimizer in OPTIMIZERS:
            for others in beside:
                words = {
                    name: enum_names(AutoAugment.DESCRIPTOR)[value] if name == "auto_augment" else value
                    for name, value in others.items()
                }
                case = {"task": TaskType.Name(task)[10:].lower(), "optimizer": optimizer, "settings": words}
                cases.append({**case, "shutOut": shut_out(task, optimizer, **others)})
    assert any(case["shutOut"] for case in cases)
    wanted = "".join(f"  {json.dumps(case)},\n" for case in cases)
    assert json.loads(RULES.read_text("utf-8")) == cases, f"write this to {RULES.name}:\n[\n{wanted[:-2]}\n]"
