"""A job as the lifecycle sees it, and what one step of its life changes."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from annotateforge.api.trainer.v1.event_pb2 import JobEvent, StatusChange
from annotateforge.api.trainer.v1.job_pb2 import Epoch, Failure, JobStatus
from annotateforge.trainer.placement import ANYTHING, Demand
from annotateforge.trainer.status import Outcome, Status, check_transition


@dataclass(frozen=True, slots=True)
class SavedCheckpoint:
    """A checkpoint that is kept."""

    epoch: int
    """The epoch after which the state was taken."""
    attempt: int
    """Attempt that saved it."""
    size_bytes: int
    sha256: str
    """64 lower-case hexadecimal digits."""
    time: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an attempt was of no use."""

    attempt: int
    reason: str
    """Stable UPPER_SNAKE name."""
    message: str


@dataclass(frozen=True, slots=True)
class JobState:
    """What the lifecycle decides upon. The rest of a job (its name, its config) never matters here."""

    id: UUID
    status: Status
    total_epochs: int
    """Epochs that were asked for."""
    max_seconds: float | None = None
    """Seconds of training, over all attempts, after which it ends with the epoch at hand; None for no limit.
    """
    demand: Demand = ANYTHING
    """What it asks of a device, by which a worker is found that waits for it."""
    attempt: int = 0
    """Number of the newest attempt; 0 before the first."""
    worker_id: UUID | None = None
    """Worker of the newest attempt."""
    outcome: Outcome | None = None
    """How the newest attempt ended; None while it is open, and before the first."""
    accepted_through: int = 0
    """Number of the newest attempt's last report that is recorded."""
    lost_attempts: int = 0
    """Attempts that were lost or interrupted since the newest checkpoint."""
    troubles: tuple[Trouble, ...] = ()
    """What happened to them, the oldest first."""
    checkpoint: SavedCheckpoint | None = None
    """From where the next attempt goes on."""
    batch_size: int | None = None
    """Images in a batch since memory ran out; None while it suffices."""
    lease_expire_time: datetime | None = None
    """When the open attempt's lease runs out."""
    cancel_requested: bool = False
    """Whether the open attempt is to stop."""
    last_sequence: int = 0
    """Sequence of the newest stored event."""
    current_epoch: int = 0
    """The last complete epoch; 0 before the first."""
    seconds_per_epoch: float | None = None
    """Smoothed duration of the newest attempt's epochs; None before its first."""
    device: str = ""
    """What the newest attempt trains on; empty until training has started."""
    start_time: datetime | None = None
    """When the first attempt began."""
    end_time: datetime | None = None
    """When the job reached a final status."""
    model_id: UUID | None = None
    """The registered model of a completed job."""
    failure: Failure | None = None
    """Why a failed job failed."""


@dataclass(frozen=True, slots=True)
class Change:
    """One step: everything in it is written in one transaction, or nothing is."""

    job: JobState
    """The job after it."""
    events: tuple[JobEvent, ...] = ()
    """Stored events in their order, with their sequences."""
    live: tuple[JobEvent, ...] = ()
    """Live-only events, told once the step is written."""
    restarted_at: int | None = None
    """Epochs from this one on are measured anew: what is known of them goes, before `epochs` comes."""
    epochs: tuple[Epoch, ...] = ()
    """Complete epochs."""


@dataclass(slots=True)
class Draft:
    """A step while it is being decided."""

    job: JobState
    now: datetime
    """Time of its events."""
    attempt: int = 0
    """Attempt to which its events belong; 0 for none."""
    events: list[JobEvent] = field(default_factory=list)
    live: list[JobEvent] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    restarted_at: int | None = None

    def set(self, **state: Any) -> None:
        """Change fields of the job, by name."""
        self.job = replace(self.job, **state)

    def record(self, **payload: Any) -> None:
        """Add a stored event with the next sequence; `payload` is one field of JobEvent's oneof."""
        self.set(last_sequence=self.job.last_sequence + 1)
        event = JobEvent(
            sequence=self.job.last_sequence, job_id=str(self.job.id), attempt=self.attempt, **payload
        )
        event.time.FromDatetime(self.now)
        self.events.append(event)

    def tell(self, time: datetime, **payload: Any) -> None:
        """Add a live-only event that happened at `time`."""
        event = JobEvent(job_id=str(self.job.id), attempt=self.attempt, **payload)
        event.time.FromDatetime(time)
        self.live.append(event)

    def begin(self) -> None:
        """Record the status in which the job is made."""
        previous = JobStatus.JOB_STATUS_UNSPECIFIED
        self.record(status_change=StatusChange(status=self.job.status.proto, previous_status=previous))

    def become(self, status: Status, **state: Any) -> None:
        """Go to another status, as the table allows, change fields with it, and record that."""
        before = self.job.status
        check_transition(before, status)
        self.set(status=status, **state)
        self.record(status_change=StatusChange(status=status.proto, previous_status=before.proto))

    def done(self) -> Change:
        """The step as decided."""
        return Change(
            job=self.job,
            events=tuple(self.events),
            live=tuple(self.live),
            restarted_at=self.restarted_at,
            epochs=tuple(self.epochs),
        )
