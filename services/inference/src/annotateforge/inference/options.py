"""What a caller asks of a model: the request, checked."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.inference.v1.inference_service_pb2 import PredictRequest
from annotateforge.runtime.errors import FieldViolation, InvalidArgument
from annotateforge.runtime.ids import parse_id

MOST_OBJECTS = 3000
MOST_OUTLINED_OBJECTS = 300
"""Every object of a segmentation costs a mask of the model's image size while it is computed."""
LARGEST_IMAGE = 15 * 1024 * 1024


class Task(StrEnum):
    """What a model does, by ultralytics' names."""

    CLASSIFY = "classify"
    DETECT = "detect"
    SEGMENT = "segment"


TASKS: dict[int, Task] = {
    dataset_pb2.TASK_TYPE_CLASSIFY: Task.CLASSIFY,
    dataset_pb2.TASK_TYPE_DETECT: Task.DETECT,
    dataset_pb2.TASK_TYPE_SEGMENT: Task.SEGMENT,
}


@dataclass(frozen=True, slots=True)
class Options:
    """Which of the objects that a model finds are told; of no meaning for classification."""

    confidence: float = 0.25
    """Least confidence, 0 to 1."""
    iou: float = 0.7
    """Overlap above which the less sure of two objects is dropped, 0 to 1."""
    max_objects: int = 300


@dataclass(frozen=True, slots=True)
class Query:
    """One image to predict. At least one of model_id and task is there."""

    image: bytes
    model_id: UUID | None
    task: Task | None
    options: Options


def read_query(request: PredictRequest) -> Query:
    """Check a request. InvalidArgument: IMAGE_EMPTY, IMAGE_TOO_LARGE, INVALID_OPTIONS, INVALID_TASK_TYPE,
    MODEL_REQUIRED, INVALID_ID.
    """
    violations = list(_wrong_options(request))
    if violations:
        raise InvalidArgument.of_fields("INVALID_OPTIONS", violations)
    if request.task_type and request.task_type not in TASKS:
        raise InvalidArgument.of_field(
            "INVALID_TASK_TYPE", "task_type", "must be classify, detect or segment"
        )
    if not request.model_id and not request.task_type:
        raise InvalidArgument.of_field(
            "MODEL_REQUIRED",
            "model_id",
            "name a model, or with task_type the task whose active model predicts",
        )
    if not request.image:
        raise InvalidArgument.of_field("IMAGE_EMPTY", "image", "is required: the bytes of an encoded image")
    if len(request.image) > LARGEST_IMAGE:
        raise InvalidArgument.of_field(
            "IMAGE_TOO_LARGE", "image", f"has {len(request.image)} bytes; at most {LARGEST_IMAGE} are taken"
        )
    given = Options()
    return Query(
        image=request.image,
        model_id=parse_id(request.model_id, "model_id") if request.model_id else None,
        task=TASKS.get(request.task_type),
        options=Options(
            confidence=request.confidence if request.HasField("confidence") else given.confidence,
            iou=request.iou if request.HasField("iou") else given.iou,
            max_objects=request.max_objects if request.HasField("max_objects") else given.max_objects,
        ),
    )


def _wrong_options(request: PredictRequest) -> Iterator[FieldViolation]:
    for field in ("confidence", "iou"):
        value = getattr(request, field)
        if not (math.isfinite(value) and 0 <= value <= 1):
            yield FieldViolation(field, "must be 0 to 1")
    if request.HasField("max_objects") and not 1 <= request.max_objects <= MOST_OBJECTS:
        yield FieldViolation("max_objects", f"must be 1 to {MOST_OBJECTS}")


def check_for_task(options: Options, task: Task) -> None:
    """What depends on the model's task. InvalidArgument INVALID_OPTIONS."""
    if task is Task.SEGMENT and options.max_objects > MOST_OUTLINED_OBJECTS:
        raise InvalidArgument.of_field(
            "INVALID_OPTIONS", "max_objects", f"must be 1 to {MOST_OUTLINED_OBJECTS} for segmentation"
        )
