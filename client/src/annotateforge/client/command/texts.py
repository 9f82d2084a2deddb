"""How values look in the terminal."""

from collections.abc import Mapping
from datetime import UTC, datetime

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.timestamp_pb2 import Timestamp

from annotateforge.api.dataset.v1 import dataset_pb2, problem_pb2
from annotateforge.api.trainer.v1 import job_pb2

_STATUS_STYLES = {
    "pending": "yellow",
    "preparing": "cyan",
    "training": "blue",
    "completed": "green",
    "failed": "red",
    "cancelled": "dim",
}
_SEVERITY_STYLES = {"info": "dim", "warning": "yellow", "error": "red"}


def task_name(task: dataset_pb2.TaskType.ValueType) -> str:
    """Such as "detect"."""
    return short_name(dataset_pb2.TaskType, task, "TASK_TYPE_")


def status_name(status: job_pb2.JobStatus.ValueType) -> str:
    """Such as "training"."""
    return short_name(job_pb2.JobStatus, status, "JOB_STATUS_")


def styled_status(status: job_pb2.JobStatus.ValueType) -> str:
    """The status in its colour."""
    name = status_name(status)
    return f"[{_STATUS_STYLES.get(name, 'default')}]{name}[/]"


def styled_severity(severity: problem_pb2.Severity.ValueType) -> str:
    """The severity in its colour."""
    name = short_name(problem_pb2.Severity, severity, "SEVERITY_")
    return f"[{_SEVERITY_STYLES.get(name, 'default')}]{name}[/]"


def short_name(enum: EnumTypeWrapper, number: int, prefix: str) -> str:
    """The short lower-case name that REST uses for an enum's value."""
    return enum.Name(number).removeprefix(prefix).lower()


def metrics_text(metrics: Mapping[str, float], limit: int | None = None) -> str:
    """Such as "map50 0.713  map50_95 0.41"."""
    return "  ".join(f"{name} {value:.3g}" for name, value in sorted(metrics.items())[:limit])


def ago(time: Timestamp) -> str:
    """How long ago, such as "5 min ago"; a dash for a time that is not set."""
    if not time.seconds:
        return "-"
    seconds = max(0.0, (datetime.now(UTC) - time.ToDatetime(UTC)).total_seconds())
    return f"{duration(seconds)} ago"


def duration(seconds: float) -> str:
    """Such as "42 s", "5 min", "3 h 10 min" or "4 days"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} days"


def size(count: int) -> str:
    """Such as "6.2 MB"; powers of 1,000."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"
