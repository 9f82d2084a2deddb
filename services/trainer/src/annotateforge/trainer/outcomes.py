"""What a worker tells in words and at the end of an attempt, checked and cut to what can be published.

Texts are cut and not refused: a job whose failure was refused could not end.
"""

from annotateforge.api.trainer.v1.event_pb2 import TrainingComplete, Warning
from annotateforge.api.trainer.v1.job_pb2 import Failure
from annotateforge.runtime.ids import parse_id
from annotateforge.trainer.class_findings import (
    MOST_CLASSES,
    check_class_metrics,
    check_confusion_matrix,
)
from annotateforge.trainer.violations import Violations

LOG_TAIL_LINES = 200
"""Most lines of a failure's log that are kept: the last ones."""
LONGEST_LINE = 1000
"""Most characters of such a line."""
LONGEST_TEXT = 4000
"""Most characters of a message or a hint."""


def told_failure(failure: Failure) -> Failure:
    """A failure as it is kept. InvalidArgument INVALID_OUTCOME when it has no reason or a giant one."""
    violations = Violations()
    check_reason(violations, "failed.reason", failure.reason)
    violations.raise_any("INVALID_OUTCOME")
    return Failure(
        reason=failure.reason,
        message=told_text(failure.message),
        hint=told_text(failure.hint),
        log_tail=[_cut(line, LONGEST_LINE) for line in failure.log_tail[-LOG_TAIL_LINES:]],
    )


def told_warning(warning: Warning) -> Warning:
    """A warning as it is kept."""
    return Warning(
        reason=warning.reason,
        message=told_text(warning.message),
        hint=told_text(warning.hint),
    )


def told_result(result: TrainingComplete) -> TrainingComplete:
    """A result as it is kept: its model's id in canonical form, its numbers finite.

    InvalidArgument INVALID_ID for a model_id that is none, INVALID_OUTCOME for numbers that cannot be.
    """
    model_id = parse_id(result.model_id, "completed.model_id")
    violations = Violations()
    violations.finite("completed", result)
    if len(result.metrics) > 100:
        violations.add("completed.metrics", f"has {len(result.metrics):,} entries; at most 100 are possible")
    check_class_metrics(violations, "completed.class_metrics", result.class_metrics, MOST_CLASSES)
    check_confusion_matrix(violations, "completed.confusion_matrix", result.confusion_matrix)
    for name in ("best_epoch", "epochs_trained", "training_seconds"):
        if getattr(result, name) < 0:
            violations.add(f"completed.{name}", "must not be negative")
    violations.raise_any("INVALID_OUTCOME")
    kept = TrainingComplete()
    kept.CopyFrom(result)
    kept.model_id = str(model_id)
    return kept


def cancelled(current_epoch: int, total_epochs: int) -> Failure:
    """Why a cancelled job has no model: what is shown as its failure, and nowhere kept."""
    return Failure(
        reason="CANCELLED",
        message=f"Somebody cancelled the job after {current_epoch} of {total_epochs} epochs.",
        hint="Restart the job if it is wanted after all; it then begins at the beginning.",
    )


def told_text(text: str) -> str:
    """A message or a hint as it is kept: at most 4,000 characters."""
    return _cut(text, LONGEST_TEXT)


def check_reason(violations: Violations, field: str, reason: str) -> None:
    """Check a stable name such as "OUT_OF_MEMORY": 1 to 100 characters."""
    violations.text(field, reason, longest=100, required=True)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
