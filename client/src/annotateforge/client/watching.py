"""Follows a job over the gateway's WebSocket, however often the connection drops."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import orjson
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import connect

from annotateforge.api.trainer.v1 import event_pb2
from annotateforge.client.errors import ClientError, ServerAway, ServerRefused, WrongArgument
from annotateforge.client.transport import is_local
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rest.codec import from_object

GIVE_UP_AFTER = 120.0
"""Seconds without a connection after which watching fails."""

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
_MAX_MESSAGE = 4 * 1024 * 1024


def watch(
    url: str,
    headers: Mapping[str, str],
    job_id: str,
    after: int,
    lost: Callable[[str], None] | None = None,
) -> Iterator[event_pb2.JobEvent]:
    """Yield a job's events after a sequence and go on live until the job has ended.

    url: the gateway's, http(s)://host:port. lost: told, in words, whenever the connection has dropped; it is
    made again by itself. Stored events come each once and in order; live-only ones (sequence 0) as they come.
    ServerRefused when the job is not there or the token not good; ServerAway when no connection can be made
    at first, or none for GIVE_UP_AFTER seconds later.
    """
    address = f"{url.replace('http', 'ws', 1)}/api/v1/training/ws/{quote(job_id, safe='')}"
    link = _Link()
    while True:
        try:
            with connect(
                f"{address}?after={after}",
                additional_headers=dict(headers),
                compression=None,
                open_timeout=10,
                close_timeout=1,
                max_size=_MAX_MESSAGE,
                proxy=None if is_local(url) else True,
            ) as socket:
                link.opened()
                for text in socket:
                    link.works()
                    event = event_of(text)
                    after = max(after, event.sequence)
                    yield event
                if _over(socket.close_code, socket.close_reason):
                    return
                problem = f"{url} is going away"
        except ConnectionClosed as closed:
            received = closed.rcvd
            if received is not None and _over(received.code, received.reason):
                return
            problem = f"the connection to {url} was lost"
            if received is not None and received.reason:
                problem += f" ({received.reason})"
        except InvalidURI as error:
            raise WrongArgument(f"{url!r} is no address of a server.") from error
        except (OSError, InvalidHandshake) as error:
            problem = f"{url} cannot be reached: {error}"
            if not link.was_ever_open:
                raise ServerAway(f"{problem}.") from error
        if link.broke() and lost is not None:
            lost(problem)
        if link.seconds_down > GIVE_UP_AFTER:
            raise ServerAway(f"{problem}. It has been away for {GIVE_UP_AFTER:.0f} s.")
        link.pause()


class _Link:
    """How the connection has fared, and how long to wait before it is made again."""

    def __init__(self) -> None:
        self._opened: float | None = None
        self._down_since: float | None = None
        self._pause = _FIRST_PAUSE

    @property
    def was_ever_open(self) -> bool:
        return self._opened is not None

    @property
    def seconds_down(self) -> float:
        return 0.0 if self._down_since is None else time.monotonic() - self._down_since

    def opened(self) -> None:
        self._opened = time.monotonic()

    def works(self) -> None:
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

    def pause(self) -> None:
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


def event_of(text: str | bytes) -> event_pb2.JobEvent:
    """The event that a WebSocket message tells of. ClientError when it tells of none."""
    try:
        flat: dict[str, Any] = orjson.loads(text)
        kind = flat.pop("type")
        envelope = {name: flat.pop(name) for name in _ENVELOPE if name in flat}
        return from_object(event_pb2.JobEvent, {**envelope, kind: flat}, lenient=True)
    except (ValueError, KeyError, TypeError, AttributeError, DomainError) as error:
        raise ClientError(f"The server sent what is no event of a job: {str(text)[:200]}") from error


def _over(code: int | None, reason: str | None) -> bool:
    """Whether a close code means that the job has ended; ServerRefused for a code that refuses."""
    if code in _REFUSED:
        status, http_code = _REFUSED[code]
        name, _, message = (reason or "").partition(": ")
        raise ServerRefused(http_code, status, name or status, message or "The server refused to tell of it.")
    return code == _ENDED
