"""Rows as they are read: what the store hands out to be shown."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, Self, TypeVar
from uuid import UUID

from annotateforge.trainer.job import JobState, SavedCheckpoint
from annotateforge.trainer.request_keys import RequestKey
from annotateforge.trainer.status import Status

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DatasetHold:
    """A job's hold on its data set."""

    job_id: UUID
    dataset_id: str

    @property
    def holder(self) -> str:
        """How the dataset service knows it."""
        return holder_of(self.job_id)


def holder_of(job_id: UUID) -> str:
    """The name under which a job holds its data set."""
    return f"job:{job_id}"


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """A page of rows, which ends early when they are large."""

    rows: list[T]
    more: bool
    """Whether others follow."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job with what is shown of its newest attempt and its last complete epoch."""

    id: UUID
    name: str
    description: str
    task_type: str
    """Word of the task: classify, detect or segment."""
    config: bytes
    """Serialised JobConfig; its priority is the field of that name here."""
    dataset: bytes
    """Serialised Dataset."""
    priority: int
    restarted_from: UUID | None
    status: Status
    attempt: int
    worker_name: str
    cancel_requested: bool
    last_sequence: int
    total_epochs: int
    current_epoch: int
    epoch: bytes | None
    """Serialised Epoch of current_epoch."""
    create_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    model_id: UUID | None
    failure: bytes | None
    """Serialised Failure."""
    now: datetime
    """When it was read."""
    batch_size: int | None = None
    """Images in a batch since memory ran out; None while it suffices."""
    checkpoint: SavedCheckpoint | None = None

    def begun(self, job: JobState, worker_name: str) -> Self:
        """The same job after a worker took it."""
        return replace(
            self,
            status=job.status,
            attempt=job.attempt,
            worker_name=worker_name,
            last_sequence=job.last_sequence,
            start_time=job.start_time,
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a job is."""

    status: Status
    last_sequence: int


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a job is made with, beside its state."""

    name: str
    description: str
    task_type: str
    config: bytes
    dataset: bytes
    priority: int
    request: RequestKey | None
    restarted_from: UUID | None


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A worker that was heard of lately."""

    id: UUID
    name: str
    description: bytes
    """Serialised Worker as it described itself."""
    load: bytes
    """Serialised Load."""
    heartbeat_time: datetime
    current_job_id: UUID | None
    now: datetime
    """When it was read."""


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt that a worker has."""

    job_id: UUID
    number: int
    accepted_through: int
