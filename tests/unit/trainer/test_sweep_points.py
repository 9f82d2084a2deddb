"""The points of a sweep."""

from typing import Any

import pytest

from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.sweep_pb2 import SweepAxis, SweepRange
from annotateforge.trainer.sweep_points import MOST_JOBS, Point, config_at, point_name, points_of
from annotateforge.trainer.violations import Violations

RATES = SweepAxis(setting="learning_rate", range=SweepRange(low=0.001, high=0.1, logarithmic=True))
MOSAIC = SweepAxis(setting="settings.mosaic", values=["0", "0.5", "1"])
OPTIMIZERS = SweepAxis(setting="optimizer", values=["SGD", "AdamW"])


def points(*axes: SweepAxis, samples: int = 0, seed: int = 0) -> list[Point]:
    violations = Violations()
    found = points_of(axes, samples, seed, violations)
    assert len(violations) == 0
    return found


def wrong(*axes: SweepAxis, samples: int = 0) -> list[str]:
    violations = Violations()
    assert points_of(axes, samples, 0, violations) == []
    return [one.field for one in violations._found]


def test_a_grid_has_every_combination_in_order() -> None:
    assert points(OPTIMIZERS, MOSAIC) == [
        (optimizer, mosaic) for optimizer in ("SGD", "AdamW") for mosaic in ("0", "0.5", "1")
    ]


def test_a_draw_is_the_same_for_the_same_seed_and_has_no_point_twice() -> None:
    drawn = points(OPTIMIZERS, RATES, samples=20, seed=7)
    assert drawn == points(OPTIMIZERS, RATES, samples=20, seed=7)
    assert drawn != points(OPTIMIZERS, RATES, samples=20, seed=8)
    assert len(set(drawn)) == 20
    assert all(0.001 <= float(rate) <= 0.1 for _, rate in drawn)
    assert sum(float(rate) < 0.01 for _, rate in drawn) >= 5
    assert sorted(points(OPTIMIZERS, MOSAIC, samples=6)) == sorted(points(OPTIMIZERS, MOSAIC))


def test_whole_numbers_are_drawn_whole() -> None:
    axis = SweepAxis(setting="epochs", range=SweepRange(low=1, high=5))
    assert {int(epochs) for (epochs,) in points(axis, samples=5)} == {1, 2, 3, 4, 5}
    assert wrong(axis, samples=6) == ["samples"]


def test_a_point_becomes_a_config_and_a_name() -> None:
    base = JobConfig(epochs=3)
    config = config_at(base, [OPTIMIZERS, MOSAIC], ("SGD", "0.5"))
    assert (config.epochs, config.optimizer, config.settings.mosaic) == (3, "SGD", 0.5)
    assert base == JobConfig(epochs=3)
    assert point_name([OPTIMIZERS, MOSAIC], ("SGD", "0.5")) == "optimizer=SGD, mosaic=0.5"


@pytest.mark.parametrize(
    ("axes", "samples", "field"),
    [
        ([], 0, "axes"),
        ([SweepAxis(setting="nothing", values=["1"])], 0, "axes[0].setting"),
        ([SweepAxis(setting="project_ids", values=["1"])], 0, "axes[0].setting"),
        ([SweepAxis(setting="split.seed", values=["1"])], 0, "axes[0].setting"),
        ([MOSAIC, MOSAIC], 0, "axes[1].setting"),
        ([SweepAxis(setting="epochs")], 0, "axes[0].values"),
        ([SweepAxis(setting="epochs", values=["1", "x"])], 0, "axes[0].values[1]"),
        ([SweepAxis(setting="epochs", values=["1", "1"])], 0, "axes[0].values[1]"),
        ([RATES], 0, "axes[0].range"),
        ([SweepAxis(setting="optimizer", range=SweepRange(low=0, high=1))], 3, "axes[0].range"),
        ([SweepAxis(setting="epochs", range=SweepRange(low=2, high=2))], 3, "axes[0].range"),
        ([SweepAxis(setting="epochs", range=SweepRange(low=1, high=1e12))], 3, "axes[0].range.high"),
        ([SweepAxis(setting="epochs", range=SweepRange(low=-1e300, high=1))], 3, "axes[0].range.low"),
        ([SweepAxis(setting="learning_rate", range=SweepRange(low=-1e308, high=1e308))], 3, "axes[0].range"),
        (
            [SweepAxis(setting="learning_rate", range=SweepRange(high=1, logarithmic=True))],
            3,
            "axes[0].range.low",
        ),
        ([MOSAIC], 4, "samples"),
        ([RATES], MOST_JOBS + 1, "samples"),
        ([SweepAxis(setting="epochs", values=[str(n) for n in range(1, 99)]), MOSAIC], 0, "axes"),
    ],
)
def test_what_cannot_be_swept_is_refused(axes: list[Any], samples: int, field: str) -> None:
    assert wrong(*axes, samples=samples) == [field]
