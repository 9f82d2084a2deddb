"""Follows a job over the gateway's WebSocket, however often the connection drops."""

import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import orjson
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import connect

from annotateforge.api.trainer.v1 import event_pb2
from annotateforge.client.errors import ClientError, ServerAway, ServerRefused
from annotateforge.runtime.rest.codec import from_object

GIVE_UP_AFTER = 120.0
"""Seconds without a connection after which watching fails."""

_DONE = 1000
_REFUSED = {
    4400: ("INVALID_ARGUMENT", 400),
    4401: ("UNAUTHENTICATED", 401),
    4403: ("PERMISSION_DENIED", 403),
    4404: ("NOT_FOUND", 404),
}
_ENVELOPE = ("sequence", "job_id", "attempt", "time")
_LONGEST_PAUSE = 5.0
_MAX_MESSAGE = 4 * 1024 * 1024


def watch(url: str, headers: Mapping[str, str], job_id: str, after: int) -> Iterator[event_pb2.JobEvent]:
    """Yield a job's events after a sequence and go on live until the job has ended.

    url: the gateway's, http(s)://host:port. Stored events come each once and in order; live-only ones (sequence 0)
    as they come. ServerRefused when the job is not there or the token not good; ServerAway when there was no
    connection for GIVE_UP_AFTER seconds.
    """
    address = f"{url.replace('http', 'ws', 1)}/api/v1/training/ws/{quote(job_id, safe='')}"
    pause = 0.1
    lost = time.monotonic()
    while True:
        try:
            with connect(
                f"{address}?after={after}",
                additional_headers=dict(headers),
                compression=None,
                open_timeout=10,
                max_size=_MAX_MESSAGE,
                proxy=None,
            ) as socket:
                for text in socket:
                    event = event_of(orjson.loads(text))
                    after = max(after, event.sequence)
                    pause = 0.1
                    yield event
                    lost = time.monotonic()
                _end(socket.close_code, socket.close_reason)
                return
        except ConnectionClosed as closed:
            _end(closed.rcvd.code if closed.rcvd else None, closed.rcvd.reason if closed.rcvd else "")
        except InvalidURI as error:
            raise ClientError(f"{url!r} is no address of a server.") from error
        except (OSError, InvalidHandshake) as error:
            if time.monotonic() - lost > GIVE_UP_AFTER:
                raise ServerAway(f"{url} cannot be reached any more ({error}).") from error
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def event_of(flat: dict[str, Any]) -> event_pb2.JobEvent:
    """The event that a WebSocket message tells of."""
    kind = flat.pop("type")
    envelope = {name: flat.pop(name) for name in _ENVELOPE if name in flat}
    return from_object(event_pb2.JobEvent, {**envelope, kind: flat}, lenient=True)


def _end(code: int | None, reason: str | None) -> None:
    """Raise what a close code means, unless it is no reason to stop."""
    if code in _REFUSED:
        status, http_code = _REFUSED[code]
        raise ServerRefused(http_code, status, status, reason or "The server refused to be watched.")
