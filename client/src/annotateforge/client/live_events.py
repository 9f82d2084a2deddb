"""What comes over the gateway's WebSocket, and how a connection fares that is made again and again."""

import time
from typing import Any
from urllib.parse import quote

import orjson

from annotateforge.api.trainer.v1 import event_pb2
from annotateforge.client.errors import ClientError, ServerRefused
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rest.codec import from_object

GIVE_UP_AFTER = 120.0
"""Seconds without a connection after which watching fails."""
MAX_MESSAGE = 4 * 1024 * 1024
"""Most bytes of a message."""

_ENDED = 1000
_REFUSED = {
    4400: ("INVALID_ARGUMENT", 400),
    4401: ("UNAUTHENTICATED", 401),
    4403: ("PERMISSION_DENIED", 403),
    4404: ("NOT_FOUND", 404),
}
_ENVELOPE = ("sequence", "job_id", "attempt", "time")
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
# A server that takes a connection and drops it is not back yet; one that has held it for so many seconds is.
_STEADY_AFTER = 5.0


def socket_address(url: str, job_id: str) -> str:
    """Where a job is watched; url: the gateway's, http(s)://host:port."""
    return f"{url.replace('http', 'ws', 1)}/api/v1/training/ws/{quote(job_id, safe='')}"


class Link:
    """How the connection has fared, and how long to wait before it is made again."""

    def __init__(self) -> None:
        self._opened: float | None = None
        self._down_since: float | None = None
        self._pause = _FIRST_PAUSE

    @property
    def was_ever_open(self) -> bool:
        """Whether there was a connection at any time."""
        return self._opened is not None

    @property
    def seconds_down(self) -> float:
        """How long there has been none that works."""
        return 0.0 if self._down_since is None else time.monotonic() - self._down_since

    def opened(self) -> None:
        """Take note of a connection."""
        self._opened = time.monotonic()

    def works(self) -> None:
        """Take note that something has come."""
        self._down_since = None
        self._pause = _FIRST_PAUSE

    def broke(self) -> bool:
        """Take note that it is down; whether it was up before."""
        now = time.monotonic()
        if self._down_since is not None:
            if self._opened is None or self._opened < self._down_since or now - self._opened < _STEADY_AFTER:
                return False
            self._pause = _FIRST_PAUSE
        self._down_since = now
        return True

    def pause(self) -> float:
        """How many seconds to wait before the next try; longer from time to time."""
        pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        return pause


def event_of(text: str | bytes) -> event_pb2.JobEvent:
    """The event that a WebSocket message tells of. ClientError when it tells of none."""
    try:
        flat: dict[str, Any] = orjson.loads(text)
        kind = flat.pop("type")
        envelope = {name: flat.pop(name) for name in _ENVELOPE if name in flat}
        return from_object(event_pb2.JobEvent, {**envelope, kind: flat}, lenient=True)
    except (ValueError, KeyError, TypeError, AttributeError, DomainError) as error:
        raise ClientError(f"The server sent what is no event of a job: {str(text)[:200]}") from error


def over(code: int | None, reason: str | None) -> bool:
    """Whether a close code means that the job has ended; ServerRefused for a code that refuses."""
    if code in _REFUSED:
        status, http_code = _REFUSED[code]
        name, _, message = (reason or "").partition(": ")
        raise ServerRefused(http_code, status, name or status, message or "The server refused to tell of it.")
    return code == _ENDED
