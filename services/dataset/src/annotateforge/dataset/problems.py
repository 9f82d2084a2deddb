"""Problems: what an upload or an import found wrong with single files while the rest went on."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What a problem means, named as in the protos."""

    INFO = "info"
    """Worth knowing; nothing was left out."""
    WARNING = "warning"
    """Something was left out; the rest went in."""
    ERROR = "error"
    """What was asked cannot be done."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was found in one file."""

    severity: Severity
    reason: str
    """Stable UPPER_SNAKE name, described in docs/errors.md."""
    file: str
    """Path of the file, inside the archive where there is one; empty when it concerns the whole."""
    line: int
    """Line in a text file, from 1; 0 when it has none."""
    message: str
    hint: str
    path: str = ""
    """JSON path inside the file; empty when the line says it."""


@dataclass(frozen=True, slots=True)
class ProblemCount:
    """How many problems of one kind were found."""

    severity: Severity
    reason: str
    count: int
