"""What a worker reports of its attempt, turned into events and epochs: fenced, each once, in order."""

from collections.abc import Sequence
from datetime import datetime

from annotateforge.api.trainer.v1.event_pb2 import EpochStart, Progress
from annotateforge.api.trainer.v1.job_pb2 import Epoch
from annotateforge.api.trainer.v1.worker_service_pb2 import Report
from annotateforge.runtime.errors import FailedPrecondition
from annotateforge.trainer import estimates
from annotateforge.trainer.class_findings import MOST_EPOCH_CLASSES, check_class_metrics, check_values
from annotateforge.trainer.job import Change, Draft, JobState
from annotateforge.trainer.lifecycle import fence
from annotateforge.trainer.outcomes import check_reason, told_warning
from annotateforge.trainer.status import Status
from annotateforge.trainer.violations import Violations

MOST_REPORTS = 1000
"""Most reports in one call."""
STAGES = ("downloading", "training", "validating")
"""What Progress.stage may be."""

_NEVER_NEGATIVE = (
    *("images_per_second", "loader_wait_percent", "gpu_memory_bytes", "host_memory_bytes"),
    "training_seconds",
)
_LAST_SECOND = 253_402_300_799


def record(job: JobState, attempt: int, reports: Sequence[Report], now: datetime) -> Change:
    """Record reports of the open attempt; those up to `accepted_through` are known and are passed over.

    Aborted ATTEMPT_STALE; InvalidArgument INVALID_REPORT; FailedPrecondition REPORT_MISSING when a number was
    left out, ATTEMPT_NOT_TRAINING or TRAINING_STARTED_TWICE when they do not fit the job's status.
    """
    fence(job, attempt)
    _check(reports, job.total_epochs)
    draft = Draft(job, now, attempt)
    for report in reports:
        if report.number == 0:
            time = report.time.ToDatetime(now.tzinfo) if report.HasField("time") else now
            draft.tell(time, progress=_progress(report.progress, job))
        elif report.number > draft.job.accepted_through:
            if report.number != draft.job.accepted_through + 1:
                raise FailedPrecondition(
                    "REPORT_MISSING",
                    f"Report {report.number} cannot follow report {draft.job.accepted_through}. "
                    "Send those between first.",
                    metadata={"accepted_through": str(draft.job.accepted_through)},
                )
            draft.set(accepted_through=report.number)
            _apply(draft, report)
    return draft.done()


def _check(reports: Sequence[Report], total_epochs: int) -> None:
    """InvalidArgument INVALID_REPORT for reports that no state of the job could take."""
    violations = Violations()
    if len(reports) > MOST_REPORTS:
        violations.add("reports", f"has {len(reports):,} entries; at most {MOST_REPORTS:,} are possible")
    for index, report in enumerate(reports[:MOST_REPORTS]):
        _check_one(violations, f"reports[{index}]", report, total_epochs)
    violations.raise_any("INVALID_REPORT")


def _apply(draft: Draft, report: Report) -> None:
    kind = report.WhichOneof("payload")
    if kind == "training_started":
        if draft.job.status is not Status.PREPARING:
            raise FailedPrecondition("TRAINING_STARTED_TWICE", "The attempt has started training already.")
        draft.become(Status.TRAINING, device=report.training_started.device, seconds_per_epoch=None)
    elif kind == "warning":
        draft.record(warning=told_warning(report.warning))
    elif draft.job.status is not Status.TRAINING:
        raise FailedPrecondition("ATTEMPT_NOT_TRAINING", "Report training_started before the first epoch.")
    elif kind == "epoch_start":
        _restart_at(draft, report.epoch_start.epoch)
        start = EpochStart(epoch=report.epoch_start.epoch, total_epochs=draft.job.total_epochs)
        draft.record(epoch_start=start)
    else:
        _complete_epoch(draft, report.epoch_complete)


def _complete_epoch(draft: Draft, reported: Epoch) -> None:
    _restart_at(draft, reported.epoch)
    seconds = estimates.smoothed(draft.job.seconds_per_epoch, reported.epoch_seconds)
    epoch = Epoch()
    epoch.CopyFrom(reported)
    epoch.total_epochs = draft.job.total_epochs
    epoch.attempt = draft.attempt
    epoch.time.FromDatetime(draft.now)
    limit, left = draft.job.max_seconds, None
    if limit is not None and epoch.HasField("training_seconds"):
        left = limit - epoch.training_seconds
    epoch.eta_seconds = estimates.eta_seconds(seconds, draft.job.total_epochs - epoch.epoch, left)
    draft.set(current_epoch=epoch.epoch, seconds_per_epoch=seconds)
    draft.epochs.append(epoch)
    draft.record(epoch_complete=epoch)


def _restart_at(draft: Draft, epoch: int) -> None:
    """What was measured from this epoch on before is no part of the model that is being trained now."""
    if epoch <= draft.job.current_epoch:
        draft.restarted_at = min(epoch, draft.restarted_at or epoch)
        draft.epochs = [kept for kept in draft.epochs if kept.epoch < epoch]
        draft.set(current_epoch=epoch - 1)


def _progress(reported: Progress, job: JobState) -> Progress:
    progress = Progress()
    progress.CopyFrom(reported)
    progress.total_epochs = job.total_epochs
    return progress


def _check_one(violations: Violations, field: str, report: Report, total_epochs: int) -> None:
    kind = report.WhichOneof("payload")
    if kind is None:
        violations.add(field, "needs exactly one payload")
        return
    if (report.number == 0) != (kind == "progress"):
        violations.add(f"{field}.number", "must be 0 for progress and at least 1 for everything else")
    elif report.number < 0:
        violations.add(f"{field}.number", "must not be negative")
    if not 0 <= report.time.seconds <= _LAST_SECOND or not 0 <= report.time.nanos < 10**9:
        violations.add(f"{field}.time", "is no time between the years 1970 and 9999")
    violations.finite(field, report)
    field = f"{field}.{kind}"
    if kind == "training_started":
        violations.text(f"{field}.device", report.training_started.device, longest=100)
    elif kind == "epoch_start":
        violations.whole(f"{field}.epoch", report.epoch_start.epoch, 1, total_epochs)
    elif kind == "progress":
        _check_progress(violations, field, report.progress, total_epochs)
    elif kind == "epoch_complete":
        _check_epoch(violations, field, report.epoch_complete, total_epochs)
    else:
        check_reason(violations, f"{field}.reason", report.warning.reason)


def _check_progress(violations: Violations, field: str, progress: Progress, total_epochs: int) -> None:
    if progress.stage not in STAGES:
        violations.add(f"{field}.stage", f"must be one of {', '.join(STAGES)}")
    violations.whole(f"{field}.epoch", progress.epoch, 0, total_epochs)
    for name in ("done", "total"):
        if getattr(progress, name) < 0:
            violations.add(f"{field}.{name}", "must not be negative")
    check_values(violations, f"{field}.train_losses", progress.train_losses)


def _check_epoch(violations: Violations, field: str, epoch: Epoch, total_epochs: int) -> None:
    violations.whole(f"{field}.epoch", epoch.epoch, 1, total_epochs)
    if epoch.epoch_seconds < 0:
        violations.add(f"{field}.epoch_seconds", "must not be negative")
    for name in ("metrics", "train_losses", "val_losses", "learning_rates"):
        check_values(violations, f"{field}.{name}", getattr(epoch, name))
    for name in _NEVER_NEGATIVE:
        if getattr(epoch, name) < 0:
            violations.add(f"{field}.{name}", "must not be negative")
    check_class_metrics(violations, f"{field}.class_metrics", epoch.class_metrics, MOST_EPOCH_CLASSES)
