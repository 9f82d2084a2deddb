"""What can go wrong between a client and its server."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class ClientError(Exception):
    """Anything that keeps a call from succeeding; the text says what happened and what to do."""


class WrongArgument(ClientError):
    """The caller gave what can never be right, such as a task that does not exist; nothing was sent."""


class ServerAway(ClientError):
    """The server cannot be reached or did not answer in time."""


@dataclass(frozen=True)
class Detail:
    """What is wrong with one field of a request."""

    field: str
    description: str


class ServerRefused(ClientError):
    """The server answered with an error. docs/errors.md of AnnotateForge lists the reasons."""

    def __init__(
        self,
        code: int,
        status: str,
        reason: str,
        message: str,
        details: tuple[Detail, ...] = (),
        report: Mapping[str, Any] | None = None,
    ) -> None:
        """code: of HTTP; status: its gRPC name, such as NOT_FOUND; reason: stable UPPER_SNAKE name; report:
        JSON of a message that says more, with DATASET_INVALID a HealthReport.
        """
        super().__init__(message)
        self.code = code
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details
        self.report = report

    def __str__(self) -> str:
        untold = [detail for detail in self.details if detail.description not in self.message]
        fields = "".join(f"\n  {detail.field}: {detail.description}" for detail in untold)
        return f"{self.message} ({self.reason}){fields}"
