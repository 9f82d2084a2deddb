import pytest

from annotateforge.inference.catalog import KnownModel
from annotateforge.inference.engine import class_ids
from annotateforge.inference.options import Task
from annotateforge.runtime.errors import FailedPrecondition
from annotateforge.runtime.ids import new_id


def model(*classes: str) -> KnownModel:
    return KnownModel(new_id(), "Cells", Task.CLASSIFY, classes, 224, "ab" * 32, 1)


def test_equal_labels_are_matched_by_name() -> None:
    assert class_ids({0: "a", 1: "b", 2: "c"}, model("c", "a", "b")) == {0: 1, 1: 2, 2: 0}


def test_other_labels_are_matched_by_position() -> None:
    assert class_ids({0: "0000_x", 1: "0001_y"}, model("x/1", "y")) == {0: 0, 1: 1}


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        class_ids({0: "a"}, model("a", "b"))
    assert caught.value.reason == "MODEL_UNLOADABLE"
