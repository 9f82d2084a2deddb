"""Jobs in every status, and what workers send, for the tests of the lifecycle."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from annotateforge.api.trainer.v1.event_pb2 import (
    DatasetReady,
    EpochStart,
    JobEvent,
    Progress,
    TrainingComplete,
    Warning,
)
from annotateforge.api.trainer.v1.job_pb2 import Epoch, Failure
from annotateforge.api.trainer.v1.worker_service_pb2 import Report, TrainingStarted
from annotateforge.trainer import lifecycle, reports
from annotateforge.trainer.job import Change, JobState
from annotateforge.trainer.status import Status, status_of

JOB = UUID("01890a5d-ac96-774b-bcce-000000000001")
WORKER = UUID("01890a5d-ac96-774b-bcce-000000000002")
MODEL = UUID("01890a5d-ac96-774b-bcce-000000000003")
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
LEASE = timedelta(seconds=15)
TOTAL = 5


def created() -> Change:
    return lifecycle.create(JOB, TOTAL, DatasetReady(digest="d"), NOW)


def pending() -> JobState:
    return created().job


def preparing() -> JobState:
    return lifecycle.acquire(pending(), WORKER, LEASE, NOW).job


def training() -> JobState:
    return reports.record(preparing(), 1, [started(1)], NOW).job


def in_status(status: Status) -> JobState:
    """A job that came to a status in the shortest way."""
    match status:
        case Status.PENDING:
            return pending()
        case Status.PREPARING:
            return preparing()
        case Status.TRAINING:
            return training()
        case Status.COMPLETED:
            return lifecycle.complete(training(), 1, TrainingComplete(model_id=str(MODEL)), NOW).job
        case Status.FAILED:
            return lifecycle.fail(training(), 1, Failure(reason="OUT_OF_MEMORY"), NOW).job
        case Status.CANCELLED:
            return lifecycle.cancel(pending(), NOW).job


def started(number: int) -> Report:
    return Report(number=number, training_started=TrainingStarted(device="cpu"))


def epoch_start(number: int, epoch: int) -> Report:
    return Report(number=number, epoch_start=EpochStart(epoch=epoch, total_epochs=TOTAL))


def epoch_complete(number: int, epoch: int, seconds: float = 2.0) -> Report:
    measured = Epoch(epoch=epoch, metrics={"map50": epoch / 10}, train_loss=1 / epoch, epoch_seconds=seconds)
    return Report(number=number, epoch_complete=measured)


def warning(number: int, reason: str = "TRAINED_FROM_SCRATCH") -> Report:
    return Report(number=number, warning=Warning(reason=reason, message="From scratch."))


def progress(done: int = 1) -> Report:
    return Report(progress=Progress(stage="training", epoch=1, done=done, total=10))


def told(events: tuple[JobEvent, ...]) -> list[str]:
    """Events in a word or two each, such as `status_change:training`."""
    words = []
    for event in events:
        kind = str(event.WhichOneof("payload"))
        if kind == "status_change":
            words.append(f"{kind}:{status_of(event.status_change.status)}")
        elif kind in ("retry", "warning", "training_failed"):
            words.append(f"{kind}:{getattr(event, kind).reason}")
        elif kind in ("epoch_start", "epoch_complete"):
            words.append(f"{kind}:{getattr(event, kind).epoch}")
        else:
            words.append(kind)
    return words
