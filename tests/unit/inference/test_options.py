from typing import Any
from uuid import UUID

import pytest

from annotateforge.api.dataset.v1.dataset_pb2 import TASK_TYPE_SEGMENT
from annotateforge.api.inference.v1.inference_service_pb2 import PredictRequest
from annotateforge.inference.options import LARGEST_IMAGE, Options, Query, Task, check_for_task, read_query
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.ids import new_id


def test_what_is_left_out_has_its_default() -> None:
    query = read_query(PredictRequest(image=b"x", task_type=TASK_TYPE_SEGMENT))
    assert query == Query(b"x", None, Task.SEGMENT, Options(confidence=0.25, iou=0.7, max_objects=300))


def test_zero_is_not_left_out() -> None:
    model_id = str(new_id())
    request = PredictRequest(image=b"x", model_id=model_id, confidence=0.0, iou=0.0, max_objects=1)
    assert read_query(request) == Query(b"x", UUID(model_id), None, Options(0.0, 0.0, 1))


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"confidence": -0.1}, ["confidence"]),
        ({"confidence": float("inf")}, ["confidence"]),
        ({"iou": 1.5, "confidence": float("nan")}, ["confidence", "iou"]),
        ({"max_objects": -1}, ["max_objects"]),
        ({"max_objects": 3001}, ["max_objects"]),
    ],
)
def test_wrong_options_are_all_named(fields: dict[str, Any], wrong: list[str]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        read_query(PredictRequest(image=b"x", task_type=TASK_TYPE_SEGMENT, **fields))
    assert caught.value.reason == "INVALID_OPTIONS"
    assert [violation.field for violation in caught.value.violations] == wrong


@pytest.mark.parametrize(("size", "taken"), [(LARGEST_IMAGE, True), (LARGEST_IMAGE + 1, False)])
def test_an_image_has_a_largest_size(size: int, taken: bool) -> None:
    request = PredictRequest(image=bytes(size), task_type=TASK_TYPE_SEGMENT)
    if taken:
        read_query(request)
        return
    with pytest.raises(InvalidArgument) as caught:
        read_query(request)
    assert caught.value.reason == "IMAGE_TOO_LARGE"


def test_outlines_are_limited_and_boxes_are_not() -> None:
    check_for_task(Options(max_objects=3000), Task.DETECT)
    check_for_task(Options(max_objects=300), Task.SEGMENT)
    with pytest.raises(InvalidArgument):
        check_for_task(Options(max_objects=301), Task.SEGMENT)
