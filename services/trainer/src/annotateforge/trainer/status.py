"""Where a job stands and where it may go from there."""

from collections.abc import Mapping
from enum import StrEnum

from annotateforge.api.trainer.v1.job_pb2 import JobStatus
from annotateforge.runtime.errors import Internal


class Status(StrEnum):
    """Status of a job; the words of the proto, of SQL and of REST."""

    PENDING = "pending"
    PREPARING = "preparing"
    TRAINING = "training"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def proto(self) -> JobStatus.ValueType:
        """The proto's number of the status."""
        return JobStatus.Value(f"JOB_STATUS_{self.upper()}")

    @property
    def leased(self) -> bool:
        """Whether a worker has the job: an attempt is open and has a lease."""
        return self in LEASED

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to the job."""
        return not TRANSITIONS[self]


class Outcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    """The model is registered."""
    FAILED = "failed"
    """The worker says that no attempt can do it."""
    CANCELLED = "cancelled"
    """The worker stopped because somebody cancelled the job."""
    RELEASED = "released"
    """The worker handed the job back because it was shut down."""
    LOST = "lost"
    """The lease ran out: the worker was not heard of."""
    INTERRUPTED = "interrupted"
    """The worker says that another attempt can go on where it could not."""


TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.PREPARING, Status.CANCELLED}),
    Status.PREPARING: frozenset({Status.TRAINING, Status.FAILED, Status.CANCELLED, Status.PENDING}),
    Status.TRAINING: frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.PENDING}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}
"""Every transition that there is; docs/job-lifecycle.md draws them."""

LEASED = frozenset({Status.PREPARING, Status.TRAINING})
"""Statuses in which a worker has the job."""


def check_transition(before: Status, after: Status) -> None:
    """Internal ILLEGAL_TRANSITION when the table does not have it, which is a fault of the program."""
    if after not in TRANSITIONS[before]:
        raise Internal("ILLEGAL_TRANSITION", f"A job that is {before} cannot become {after}.")


def status_of(proto: JobStatus.ValueType) -> Status | None:
    """The status behind the proto's number; None for unspecified. ValueError when there is no such status."""
    if proto == JobStatus.JOB_STATUS_UNSPECIFIED:
        return None
    return Status(JobStatus.Name(proto).removeprefix("JOB_STATUS_").lower())
