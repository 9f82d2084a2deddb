"""Errors as values of the domain: a gRPC code, a stable reason, and a sentence that says what to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Self

from google.protobuf.message import Message

DOMAIN = "annotateforge"
"""The domain of every ErrorInfo that this system sends."""
REPORT_BYTES = 2400
"""Most bytes of an error's report: errors travel in metadata, of which many clients take 8 KiB in all."""


class Code(IntEnum):
    """Canonical status codes, numbered and mapped to HTTP as google/rpc/code.proto has them."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    @property
    def http_status(self) -> int:
        """The HTTP status with which REST answers an error of this code."""
        return _HTTP_STATUS[self]


_HTTP_STATUS: Mapping[Code, int] = {
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """What is wrong with one field of the input."""

    field: str
    """Path of the field as the caller wrote it, such as `config.epochs` or `annotations[3].box.x_min`."""
    description: str
    """What is wrong and what would be right."""


class DomainError(Exception):
    """Something that a caller is told: which code, why, and what to do.

    Raise one of the subclasses; each stands for one gRPC code. Every `reason` is described in docs/errors.md.
    """

    code: ClassVar[Code] = Code.UNKNOWN

    reason: str
    """Stable UPPER_SNAKE name of the cause, for programs."""
    message: str
    """One or two sentences for people, with what to do about it."""
    metadata: dict[str, str]
    """Further facts for programs, such as the id of what was not found."""
    violations: tuple[FieldViolation, ...]
    """Fields of the input that are wrong, where it is the input."""
    report: Message | None
    """A message of the API that says more, such as what a check has found. One of more than REPORT_BYTES does
    not travel.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        violations: Iterable[FieldViolation] = (),
        metadata: Mapping[str, str] | None = None,
        report: Message | None = None,
    ) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})
        self.report = report

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class Cancelled(DomainError):
    """The caller went away."""

    code = Code.CANCELLED


class InvalidArgument(DomainError):
    """The input is wrong whatever the state of the system."""

    code = Code.INVALID_ARGUMENT

    @classmethod
    def of_field(
        cls, reason: str, field: str, description: str, *, metadata: Mapping[str, str] | None = None
    ) -> Self:
        """One wrong field; the message is put together from the field and the description."""
        return cls(
            reason,
            f"{field}: {description}" if field else description,
            violations=[FieldViolation(field, description)],
            metadata=metadata,
        )

    @classmethod
    def of_fields(cls, reason: str, violations: Iterable[FieldViolation]) -> Self:
        """Several wrong fields at once; the message names the first ones."""
        found = tuple(violations)
        shown = "; ".join(f"{v.field}: {v.description}" for v in found[:3])
        more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
        return cls(reason, shown + more, violations=found)


class OutOfRange(DomainError):
    """An offset lies beyond the end."""

    code = Code.OUT_OF_RANGE


class NotFound(DomainError):
    """What was asked for is not there."""

    code = Code.NOT_FOUND


class AlreadyExists(DomainError):
    """What should be made is there already."""

    code = Code.ALREADY_EXISTS


class FailedPrecondition(DomainError):
    """The input is right, but the system is not in a state for it."""

    code = Code.FAILED_PRECONDITION


class Aborted(DomainError):
    """Somebody else was first: a stale attempt, a lost race. Read again before trying again."""

    code = Code.ABORTED


class Unauthenticated(DomainError):
    """The caller did not prove who they are."""

    code = Code.UNAUTHENTICATED


class PermissionDenied(DomainError):
    """The caller is known and may not do this."""

    code = Code.PERMISSION_DENIED


class ResourceExhausted(DomainError):
    """A limit of size, number or space is reached."""

    code = Code.RESOURCE_EXHAUSTED


class Unimplemented(DomainError):
    """The server does not have this method."""

    code = Code.UNIMPLEMENTED


class Unavailable(DomainError):
    """Something that is needed is away; the same call may work in a moment."""

    code = Code.UNAVAILABLE


class DeadlineExceeded(DomainError):
    """It took longer than the caller would wait."""

    code = Code.DEADLINE_EXCEEDED


class Internal(DomainError):
    """A fault of the system itself."""

    code = Code.INTERNAL


_BY_CODE: Mapping[Code, type[DomainError]] = {
    kind.code: kind
    for kind in (
        Cancelled,
        InvalidArgument,
        OutOfRange,
        NotFound,
        AlreadyExists,
        FailedPrecondition,
        Aborted,
        Unauthenticated,
        PermissionDenied,
        ResourceExhausted,
        Unimplemented,
        Unavailable,
        DeadlineExceeded,
        Internal,
    )
}


def error_type(code: Code) -> type[DomainError]:
    """The subclass of DomainError that stands for a code; UNKNOWN and DATA_LOSS become Internal."""
    return _BY_CODE.get(code, Internal)
