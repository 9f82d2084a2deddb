import math

import pytest

from annotateforge.api.trainer.v1.event_pb2 import JobEvent
from annotateforge.api.trainer.v1.job_pb2 import Epoch
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.trainer.violations import Violations


def found(violations: Violations) -> list[str]:
    with pytest.raises(InvalidArgument) as caught:
        violations.raise_any("REASON")
    return [violation.field for violation in caught.value.violations]


def test_nothing_wrong_raises_nothing() -> None:
    violations = Violations()
    violations.text("name", "a", longest=1, required=True)
    violations.whole("count", 3, 1, 3)
    violations.finite("epoch", Epoch(metrics={"map50": 1.0}, learning_rate=0.1))
    violations.raise_any("REASON")


def test_numbers_that_json_cannot_show_are_found_wherever_they_stand() -> None:
    epoch = Epoch(
        metrics={"map50": math.nan, "recall": 0.5}, val_losses={"box": math.inf}, train_loss=-math.inf
    )
    violations = Violations()
    violations.finite("", JobEvent(epoch_complete=epoch))
    assert sorted(found(violations)) == [
        'epoch_complete.metrics["map50"]',
        "epoch_complete.train_loss",
        'epoch_complete.val_losses["box"]',
    ]


def test_texts_are_refused_when_blank_too_long_or_not_storable() -> None:
    violations = Violations()
    violations.text("blank", " \t", longest=5, required=True)
    violations.text("long", "xxxxxx", longest=5)
    violations.text("zero", "a\0b", longest=5)
    assert found(violations) == ["blank", "long", "zero"]


def test_a_giant_input_does_not_make_a_giant_error() -> None:
    violations = Violations()
    for number in range(10_000):
        violations.whole(f"field[{number}]", -1, 0, 1)
    assert len(found(violations)) == 100
