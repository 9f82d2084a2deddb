"""What the registry keeps: models, the files that belong to them, and the stretches of time in which they
were active.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from annotateforge.runtime.errors import Aborted, FailedPrecondition, NotFound

WEIGHTS = "best.pt"
"""Name of the artifact that holds a model's weights; every model has it."""

RESULTS = "results.csv"
"""Name of the artifact that holds what was measured epoch by epoch, as ultralytics writes it."""


class TaskType(StrEnum):
    """What a model does; the values are those of the enum in SQL."""

    CLASSIFY = "classify"
    DETECT = "detect"
    SEGMENT = "segment"


class Change(StrEnum):
    """What happened to a model; the values end the subjects under which it is told."""

    REGISTERED = "registered"
    UPDATED = "updated"
    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Training:
    """Where a model comes from and what came out, as its worker tells it."""

    job_id: UUID
    attempt: int
    """Attempt of the job, from 1. A later one replaces what an earlier one registered."""
    task_type: TaskType
    architecture: str
    classes: tuple[str, ...]
    """Labels; the position is the class id."""
    image_size: int
    """Side in pixels of the images that it was trained on."""
    metrics: Mapping[str, float]
    """Finite numbers of the final evaluation, by name."""
    dataset_id: UUID
    dataset_digest: str
    """SHA-256 of the manifest in hexadecimal, or empty."""
    config: bytes
    """annotateforge.api.trainer.v1.JobConfig in protobuf's binary form."""
    best_epoch: int
    """From 1; 0 when unknown."""
    epochs_trained: int


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that belongs to a model."""

    name: str
    content_type: str
    size_bytes: int
    sha256: str
    """In lower-case hexadecimal; also the name of its blob."""


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model."""

    id: UUID
    name: str
    description: str
    training: Training
    weights_size_bytes: int
    weights_sha256: str
    create_time: datetime
    activate_time: datetime | None
    """Since when it is the active model of its task; None when it is not."""

    @property
    def is_active(self) -> bool:
        """Whether it is the active model of its task."""
        return self.activate_time is not None


@dataclass(frozen=True, slots=True)
class Activation:
    """A stretch of time in which a model was the active one of its task."""

    id: int
    model_id: UUID
    task_type: TaskType
    activate_time: datetime
    deactivate_time: datetime | None
    activated_by: str
    """Subject of the token."""


def model_not_found(model_id: UUID) -> NotFound:
    """There is no such model, or no longer."""
    return NotFound("MODEL_NOT_FOUND", f"There is no model {model_id}.", metadata={"model_id": str(model_id)})


def artifact_not_found(model_id: UUID, name: str) -> NotFound:
    """The model has no file of that name."""
    return NotFound(
        "ARTIFACT_NOT_FOUND",
        f"The model {model_id} has no artifact {name!r}. ListArtifacts says which it has.",
        metadata={"model_id": str(model_id), "name": name},
    )


def model_active(model_id: UUID) -> FailedPrecondition:
    """An active model is not deleted."""
    return FailedPrecondition(
        "MODEL_ACTIVE",
        f"The model {model_id} is the active one of its task. Activate another one or deactivate it first.",
        metadata={"model_id": str(model_id)},
    )


def attempt_stale(job_id: UUID, attempt: int, newest: int) -> Aborted:
    """A later attempt of the job has registered its model already."""
    return Aborted(
        "ATTEMPT_STALE",
        f"Attempt {newest} of job {job_id} has registered its model; attempt {attempt} is too late.",
        metadata={"job_id": str(job_id), "attempt": str(attempt), "newest_attempt": str(newest)},
    )


def task_type_changed(job_id: UUID, before: TaskType, now: TaskType) -> FailedPrecondition:
    """The attempts of one job train for one task."""
    return FailedPrecondition(
        "TASK_TYPE_CHANGED",
        f"The model of job {job_id} is for the task {before}; another attempt cannot make it one for {now}.",
        metadata={"job_id": str(job_id), "task_type": before},
    )
