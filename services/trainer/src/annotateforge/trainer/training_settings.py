"""Ultralytics' training settings beyond those of JobConfig: what each takes, its default, and whom it is for.

Names and defaults are ultralytics' (8.4, cfg/default.yaml). Ranges, defaults and tasks are said once, by the
options of TrainingSettings' fields; their comments say the same to users, which a test compares. What would
have no effect is refused, so that nothing is accepted and ignored.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import FieldDescriptor

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.options.v1 import options_pb2
from annotateforge.api.trainer.v1.training_settings_pb2 import (
    AutoAugment,
    TrainingSettings,
)
from annotateforge.runtime.rest.names import enum_numbers
from annotateforge.trainer.violations import Violations

_CLASSIFY, _DETECT, _SEGMENT = (
    TaskType.TASK_TYPE_CLASSIFY,
    TaskType.TASK_TYPE_DETECT,
    TaskType.TASK_TYPE_SEGMENT,
)
_ALL = frozenset({_CLASSIFY, _DETECT, _SEGMENT})


@dataclass(frozen=True, slots=True)
class Setting:
    """What one field of TrainingSettings takes."""

    default: float
    """As the proto carries it: a truth value, a number of an enum, or a number."""
    low: float = 0.0
    high: float = 1.0
    above: bool = False
    """Whether `low` itself is too low."""
    below: bool = False
    """Whether `high` itself is too high."""
    tasks: frozenset[TaskType.ValueType] = _ALL

    def takes(self, value: float) -> bool:
        """Whether a number is in range."""
        return (
            math.isfinite(value)
            and (self.low < value or (value == self.low and not self.above))
            and (value < self.high or (value == self.high and not self.below))
        )

    def range_text(self) -> str:
        """Such as "0 to 1" or "above 0, at most 1", as the proto's comment has it."""
        if not self.above:
            return f"{self.low:,g} to {self.high:,.0f}"
        return f"above {self.low:,g}, {'below' if self.below else 'at most'} {self.high:,.0f}"


def _setting(field: FieldDescriptor) -> Setting:
    said = field.GetOptions().Extensions[options_pb2.setting]
    default: float
    if field.enum_type is not None:
        default = enum_numbers(field.enum_type)[said.default]
    else:
        default = json.loads(said.default)
    return Setting(
        default,
        said.minimum,
        said.maximum,
        said.exclusive_minimum,
        said.exclusive_maximum,
        frozenset(TaskType.Value(f"TASK_TYPE_{task.upper()}") for task in said.tasks) or _ALL,
    )


SETTINGS: Mapping[str, Setting] = {
    field.name: _setting(field) for field in TrainingSettings.DESCRIPTOR.fields
}
"""What each field takes, by name, in the proto's order."""

# Those whose groups of parameters have a momentum that is warmed up; the Adam family has betas instead.
_WITH_MOMENTUM = ("SGD", "MuSGD", "RMSProp")
_COLOURS = ("hsv_h", "hsv_s", "hsv_v")
_MIXES = ("mosaic", "mixup", "cutmix")


def fill_settings(
    settings: TrainingSettings,
    task: TaskType.ValueType,
    optimizer: str,
    layers: int | None,
    violations: Violations,
    field: str,
) -> None:
    """Check the settings and fill in the defaults of those that have an effect.

    `optimizer` by its name in `optimizers`; `layers` are the architecture's, None while it is not known.
    Filling in what is filled in changes nothing.
    """
    _check_values(settings, task, violations, field)
    without_effect = dict(_without_effect(settings, task, optimizer))
    for name, setting in SETTINGS.items():
        given = settings.HasField(name)  # type: ignore[arg-type]  # a test compares the names
        if task not in setting.tasks:
            if given:
                words = " or ".join(sorted(TaskType.Name(one)[10:].lower() for one in setting.tasks))
                violations.add(f"{field}.{name}", f"has an effect on {words} only; leave it out")
        elif name in without_effect:
            if given:
                violations.add(f"{field}.{name}", f"has no effect {without_effect[name]}; leave it out")
        elif not given:
            setattr(settings, name, setting.default)
    check_freeze(settings.freeze, layers, violations, f"{field}.freeze")


def check_freeze(freeze: int, layers: int | None, violations: Violations, field: str) -> None:
    """Check that a model with so many layers, None where that is not known, has something left to train."""
    if layers is not None and freeze >= layers:
        violations.add(
            field, f"is {freeze}, and the model has {layers} layers; something must be left to train"
        )


def _check_values(
    settings: TrainingSettings, task: TaskType.ValueType, violations: Violations, field: str
) -> None:
    for descriptor, value in settings.ListFields():
        setting = SETTINGS[descriptor.name]
        if descriptor.enum_type is not None:
            if value not in descriptor.enum_type.values_by_number:
                names = (name for name, number in enum_numbers(descriptor.enum_type).items() if number)
                violations.add(f"{field}.{descriptor.name}", f"must be one of {', '.join(names)}")
            elif value == 0:
                # "unspecified" is the same as leaving it out.
                settings.ClearField(descriptor.name)  # type: ignore[arg-type]  # the descriptor's own name
        elif not isinstance(value, bool) and not setting.takes(value):
            violations.add(
                f"{field}.{descriptor.name}",
                f"is {value:g}; it must be {setting.range_text()}"
                + (f"; leave it out for {setting.default:g}" if task in setting.tasks else ""),
            )


def _without_effect(
    settings: TrainingSettings, task: TaskType.ValueType, optimizer: str
) -> Iterator[tuple[str, str]]:
    """Settings of the task that others shut out, and why."""
    if optimizer == "auto":
        for name in ("momentum", "warmup_momentum", "warmup_bias_lr"):
            yield name, "with the optimizer auto, which chooses its own"
    elif optimizer not in _WITH_MOMENTUM:
        yield "warmup_momentum", f"with the optimizer {optimizer}"
    off = AutoAugment.AUTO_AUGMENT_OFF
    if task == _CLASSIFY and settings.auto_augment != off:
        for name in _COLOURS:
            yield name, "unless auto_augment is off"
    if settings.rect:
        for name in _MIXES:
            yield name, "with rect"
