"""What callers may say about a model and its artifacts: read from the messages, with every fault named at
once.
"""

import math
import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType as TaskTypeProto
from annotateforge.api.registry.v1.registry_service_pb2 import (
    ArtifactHeader,
    RegisterModelHeader,
    UpdateModelRequest,
)
from annotateforge.registry.models import Artifact, TaskType, Training
from annotateforge.runtime.errors import FieldViolation, InvalidArgument
from annotateforge.runtime.ids import parse_id
from annotateforge.runtime.texts import text_defect

LONGEST_NAME = 200
LONGEST_DESCRIPTION = 10_000
MOST_CLASSES = 1000
MOST_METRICS = 200
MOST_CONFIG_BYTES = 256 * 1024
"""A model travels in one NATS message together with its config; see ModelEvent."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_CONTENT_TYPE = re.compile(r"[a-zA-Z0-9.+-]{1,60}/[a-zA-Z0-9.+-]{1,60}(; ?charset=[a-zA-Z0-9-]{1,20})?")
_CONTENT_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".yaml": "application/yaml",
    ".zip": "application/zip",
}
_TASK_TYPES = {
    TaskTypeProto.TASK_TYPE_CLASSIFY: TaskType.CLASSIFY,
    TaskTypeProto.TASK_TYPE_DETECT: TaskType.DETECT,
    TaskTypeProto.TASK_TYPE_SEGMENT: TaskType.SEGMENT,
}


def read_task_filter(number: int) -> TaskType | None:
    """The task that a list is restricted to; None for all. InvalidArgument INVALID_FILTER."""
    if number == TaskTypeProto.TASK_TYPE_UNSPECIFIED:
        return None
    task_type = _task_type(number)
    if task_type is None:
        raise InvalidArgument.of_field(
            "INVALID_FILTER", "task_type", "must be classify, detect or segment; leave it out for all"
        )
    return task_type


def read_update(request: UpdateModelRequest) -> tuple[str | None, str | None]:
    """The name without the blanks around it, and the description; None for what stays. InvalidArgument
    INVALID_MODEL names every field that is wrong.
    """
    name = request.name.strip() if request.HasField("name") else None
    description = request.description if request.HasField("description") else None
    violations = []
    if name is not None and (wrong := text_defect(name, LONGEST_NAME, required=True)):
        violations.append(FieldViolation("name", wrong))
    if description is not None and (wrong := text_defect(description, LONGEST_DESCRIPTION, lines=True)):
        violations.append(FieldViolation("description", wrong))
    if violations:
        raise InvalidArgument.of_fields("INVALID_MODEL", violations)
    return name, description


def read_header(header: RegisterModelHeader) -> tuple[str, Training]:
    """The name and origin of a model to register. InvalidArgument INVALID_MODEL names every field that is
    wrong.
    """
    violations = list(_header_faults(header))
    if violations:
        raise InvalidArgument.of_fields("INVALID_MODEL", violations)
    task_type = _task_type(header.task_type)
    assert task_type is not None
    return _one_line(header.name), Training(
        job_id=parse_id(header.job_id, "header.job_id"),
        attempt=header.attempt,
        task_type=task_type,
        architecture=header.architecture,
        classes=tuple(header.classes),
        image_size=header.image_size,
        metrics=dict(header.metrics),
        dataset_id=parse_id(header.dataset_id, "header.dataset_id"),
        dataset_digest=header.dataset_digest,
        config=header.config.SerializeToString(deterministic=True),
        best_epoch=header.best_epoch,
        epochs_trained=header.epochs_trained,
    )


def _header_faults(header: RegisterModelHeader) -> Iterator[FieldViolation]:
    for field in ("job_id", "dataset_id"):
        try:
            parse_id(getattr(header, field), f"header.{field}")
        except InvalidArgument as error:
            yield from error.violations
    if not 1 <= len(_one_line(header.name)) <= LONGEST_NAME:
        yield FieldViolation("header.name", f"must have 1 to {LONGEST_NAME} characters")
    if _task_type(header.task_type) is None:
        yield FieldViolation("header.task_type", "must be classify, detect or segment")
    if header.attempt < 1:
        yield FieldViolation("header.attempt", "must be at least 1")
    if wrong := text_defect(header.architecture, 100, required=True):
        yield FieldViolation("header.architecture", wrong)
    if not 1 <= len(header.classes) <= MOST_CLASSES:
        yield FieldViolation("header.classes", f"must be 1 to {MOST_CLASSES} labels")
    elif len(set(header.classes)) < len(header.classes):
        yield FieldViolation("header.classes", "must name each label once")
    for position, label in enumerate(header.classes[:MOST_CLASSES]):
        # As lenient as a data set's spec: what could be trained can be registered.
        if not 1 <= len(label) <= 200 or "\0" in label:
            yield FieldViolation(
                f"header.classes[{position}]", "must have 1 to 200 characters, none of them U+0000"
            )
    if not 1 <= header.image_size <= 100_000:
        yield FieldViolation("header.image_size", "must be 1 to 100000 pixels")
    yield from _metric_faults(header)
    if header.dataset_digest and not _DIGEST.fullmatch(header.dataset_digest):
        yield FieldViolation("header.dataset_digest", "must be 64 lower-case hexadecimal digits, or empty")
    if not header.HasField("config"):
        yield FieldViolation("header.config", "is required: how it was trained")
    elif header.config.ByteSize() > MOST_CONFIG_BYTES:
        yield FieldViolation("header.config", f"must have at most {MOST_CONFIG_BYTES} bytes")
    for field in ("best_epoch", "epochs_trained"):
        if getattr(header, field) < 0:
            yield FieldViolation(f"header.{field}", "must not be negative")


def _metric_faults(header: RegisterModelHeader) -> Iterator[FieldViolation]:
    if len(header.metrics) > MOST_METRICS:
        yield FieldViolation("header.metrics", f"must be at most {MOST_METRICS} numbers")
        return
    for name, value in sorted(header.metrics.items()):
        if wrong := text_defect(name, 100, required=True):
            yield FieldViolation("header.metrics", f"has a name that {wrong}")
        elif not math.isfinite(value):
            yield FieldViolation(
                f"header.metrics.{name}", "must be a finite number; leave out what could not be measured"
            )


def read_artifact(header: ArtifactHeader) -> Artifact:
    """An artifact as its sender announces it. InvalidArgument INVALID_ARTIFACT names every field that is
    wrong.
    """
    violations = []
    name = header.name
    if text_defect(name, LONGEST_NAME, required=True) or name in (".", "..") or "/" in name or "\\" in name:
        violations.append(
            FieldViolation(
                "artifact.name", f"must be a file name of 1 to {LONGEST_NAME} characters, no folders"
            )
        )
    content_type = header.content_type or _CONTENT_TYPES.get(
        PurePosixPath(name).suffix.lower(), "application/octet-stream"
    )
    if len(content_type) > 100 or not _CONTENT_TYPE.fullmatch(content_type):
        violations.append(
            FieldViolation("artifact.content_type", "must be a media type such as text/csv, or left out")
        )
    if header.size_bytes < 0:
        violations.append(FieldViolation("artifact.size_bytes", "must not be negative"))
    if not _DIGEST.fullmatch(header.sha256.lower()):
        violations.append(FieldViolation("artifact.sha256", "must be 64 hexadecimal digits"))
    if violations:
        raise InvalidArgument.of_fields("INVALID_ARTIFACT", violations)
    return Artifact(name, content_type, header.size_bytes, header.sha256.lower())


def _task_type(number: int) -> TaskType | None:
    """The task of the wire; None for a number without a name."""
    return next((task_type for known, task_type in _TASK_TYPES.items() if number == known), None)


def _one_line(text: str) -> str:
    """A job's name as a model's. Refusing it here, after the training, would help nobody."""
    return "".join(
        " " if unicodedata.category(character) in ("Cc", "Cs") else character for character in text
    ).strip()
