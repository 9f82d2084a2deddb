"""How values look in the terminal."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from annotateforge.api.dataset.v1 import dataset_pb2, problem_pb2
from annotateforge.api.trainer.v1 import job_pb2
from annotateforge.runtime.rest.names import enum_names

_TASKS = enum_names(dataset_pb2.TaskType.DESCRIPTOR)
_STATUSES = enum_names(job_pb2.JobStatus.DESCRIPTOR)
_SEVERITIES = enum_names(problem_pb2.Severity.DESCRIPTOR)

_STATUS_STYLES = {
    "pending": "yellow",
    "preparing": "cyan",
    "training": "blue",
    "completed": "green",
    "failed": "red",
    "cancelled": "dim",
}
_SEVERITY_STYLES = {"info": "dim", "warning": "yellow", "error": "red"}
# A name or a log line must not be able to move the cursor or to recolour what follows it.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b.|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


def plain(text: str) -> Text:
    """Text from elsewhere, exactly as it is: no markup in it means anything, and controls are taken out."""
    return Text(_ESCAPES.sub("", text))


def task_name(task: dataset_pb2.TaskType.ValueType) -> str:
    """Such as "detect"."""
    return str(_TASKS[task])


def status_name(status: job_pb2.JobStatus.ValueType) -> str:
    """Such as "training"."""
    return str(_STATUSES[status])


def styled_status(status: job_pb2.JobStatus.ValueType) -> Text:
    """The status in its colour."""
    name = status_name(status)
    return Text(name, _STATUS_STYLES.get(name, ""))


def styled_severity(severity: problem_pb2.Severity.ValueType) -> Text:
    """The severity in its colour."""
    name = str(_SEVERITIES[severity])
    return Text(name, _SEVERITY_STYLES.get(name, ""))


def metrics_text(metrics: Mapping[str, float], limit: int | None = None) -> str:
    """Such as "map50 0.713  map50_95 0.410"; what says most comes first."""
    return "  ".join(f"{name} {metrics[name]:.3f}" for name in best_first(metrics)[:limit])


def best_first(names: Iterable[str]) -> list[str]:
    """Names of metrics, those that say most first."""
    return sorted(names, key=lambda name: (not ("map" in name or "accuracy" in name), name))


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


_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """A curve of numbers in at most `width` characters, from the least to the greatest of them.

    Where there are more numbers than room, each character is the mean of its share of them.
    """
    if len(values) > width:
        edges = [round(place * len(values) / width) for place in range(width + 1)]
        shares = [values[edges[place] : edges[place + 1]] for place in range(width)]
        values = [sum(share) / len(share) for share in shares]
    if not values:
        return ""
    low, high = min(values), max(values)
    if high == low:
        return _BARS[0] * len(values)
    return "".join(_BARS[round((value - low) / (high - low) * (len(_BARS) - 1))] for value in values)
