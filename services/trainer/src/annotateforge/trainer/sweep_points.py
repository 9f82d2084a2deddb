"""The points of a sweep: which configs it makes of one. Pure, and the same for the same seed."""

import functools
import itertools
import math
import random
from collections.abc import Iterator, Sequence

from google.protobuf.descriptor import FieldDescriptor

from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.sweep_pb2 import SweepAxis, SweepRange
from annotateforge.runtime.rest.parameters import Parameter, parameters_of
from annotateforge.runtime.rest.values import Refused
from annotateforge.trainer.config_changes import DATA
from annotateforge.trainer.violations import Violations, shown

MOST_AXES = 10
MOST_VALUES = 100
MOST_JOBS = 100
"""Most jobs of one sweep."""

_MOST_DRAWS = 1000
"""Draws for each point that is wanted before there are taken to be no more."""

Point = tuple[str, ...]
"""A value for each axis, as a text."""

_WHOLE = (
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
)
_NUMBERS = (*_WHOLE, FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)


def points_of(axes: Sequence[SweepAxis], samples: int, seed: int, violations: Violations) -> list[Point]:
    """Every combination of the axes' values, the last axis changing fastest; or so many different ones, drawn
    at random, when `samples` is not 0.

    What is wrong goes into `violations`, and then there are no points.
    """
    before = len(violations)
    _check_axes(axes, samples, violations)
    violations.whole("samples", samples, 0, MOST_JOBS, otherwise="every combination")
    if len(violations) > before:
        return []
    combinations = math.prod(len(axis.values) or math.inf for axis in axes)
    if samples and samples > combinations:
        violations.add("samples", f"is {samples}, and there are {combinations} combinations; leave it out")
        return []
    if not samples and combinations > MOST_JOBS:
        violations.add(
            "axes", f"make {combinations:,} jobs; at most {MOST_JOBS} are possible: set samples to draw some"
        )
        return []
    if not samples:
        return list(itertools.product(*(axis.values for axis in axes)))
    points: dict[Point, None] = {}
    for point in itertools.islice(_draws(axes, random.Random(seed)), _MOST_DRAWS * samples):
        points[point] = None
        if len(points) == samples:
            break
    else:
        violations.add("samples", f"is {samples}; the ranges of whole numbers have not so many values")
        return []
    return list(points)


def config_at(base: JobConfig, axes: Sequence[SweepAxis], point: Point) -> JobConfig:
    """The config with the values of a point."""
    config = JobConfig()
    config.CopyFrom(base)
    for axis, text in zip(axes, point, strict=True):
        _parameters()[axis.setting].set(config, [text])
    return config


def point_name(axes: Sequence[SweepAxis], point: Point) -> str:
    """Such as "learning_rate=0.01, mosaic=0"."""
    names = (axis.setting.rpartition(".")[2] for axis in axes)
    return ", ".join(f"{name}={value}" for name, value in zip(names, point, strict=True))


def _draws(axes: Sequence[SweepAxis], source: random.Random) -> Iterator[Point]:
    while True:
        yield tuple(
            source.choice(axis.values) if axis.values else _drawn(axis.setting, axis.range, source)
            for axis in axes
        )


def _drawn(setting: str, range_: SweepRange, source: random.Random) -> str:
    if range_.logarithmic:
        value = math.exp(source.uniform(math.log(range_.low), math.log(range_.high)))
    else:
        value = source.uniform(range_.low, range_.high)
    return _as_text(_parameters()[setting], value)


def _as_text(parameter: Parameter, value: float) -> str:
    # Four digits: nobody wants to read more, and nothing depends on them.
    return str(round(value)) if parameter.field.cpp_type in _WHOLE else f"{value:.4g}"


def _check_axes(axes: Sequence[SweepAxis], samples: int, violations: Violations) -> None:
    if not 1 <= len(axes) <= MOST_AXES:
        violations.add("axes", f"has {len(axes)} entries; 1 to {MOST_AXES} are possible")
    for index, axis in enumerate(axes[:MOST_AXES]):
        field = f"axes[{index}]"
        parameter = _parameters().get(axis.setting)
        if parameter is None:
            violations.add(
                f"{field}.setting",
                f"{shown(axis.setting)} is no setting that a sweep can change; name one such as "
                "learning_rate or settings.mosaic",
            )
        elif any(other.setting == axis.setting for other in axes[:index]):
            violations.add(f"{field}.setting", "is there twice")
        elif axis.HasField("range"):
            _check_range(axis, parameter, samples, violations, field)
        else:
            _check_axis_values(axis, parameter, violations, field)


def _check_range(
    axis: SweepAxis, parameter: Parameter, samples: int, violations: Violations, field: str
) -> None:
    low, high = axis.range.low, axis.range.high
    if axis.values:
        violations.add(f"{field}.values", "are given, and a range; leave one of them out")
    if not samples:
        violations.add(f"{field}.range", "can only be drawn from; set samples, or give values")
    if parameter.field.cpp_type not in _NUMBERS:
        violations.add(f"{field}.range", "is of something that is no number; give values")
    elif not (math.isfinite(high - low) and low < high):
        violations.add(f"{field}.range", "must have a low end below its high end")
    elif axis.range.logarithmic and low <= 0:
        violations.add(f"{field}.range.low", "must be above 0 when it is logarithmic")
    else:
        for end, value in (("low", low), ("high", high)):
            try:
                parameter.read(_as_text(parameter, value))
            except Refused:
                violations.add(f"{field}.range.{end}", f"is {value:g}, which {axis.setting} cannot be")


def _check_axis_values(axis: SweepAxis, parameter: Parameter, violations: Violations, field: str) -> None:
    if not 1 <= len(axis.values) <= MOST_VALUES:
        violations.add(f"{field}.values", f"has {len(axis.values)} entries; 1 to {MOST_VALUES} are possible")
        return
    seen: set[object] = set()
    for number, text in enumerate(axis.values):
        try:
            value = parameter.read(text)
        except Refused as refused:
            violations.add(f"{field}.values[{number}]", f"{shown(text)}: {refused.description}")
            continue
        if value in seen:
            violations.add(f"{field}.values[{number}]", f"{shown(text)} is there twice")
        seen.add(value)


@functools.cache
def _parameters() -> dict[str, Parameter]:
    return {
        name: parameter
        for name, parameter in parameters_of(JobConfig.DESCRIPTOR).items()
        if name.partition(".")[0] not in DATA and name != "priority" and not parameter.field.is_repeated
    }
