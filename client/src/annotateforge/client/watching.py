# Made by client/make_sync.py of aio/watching.py; change that.
"""Follows a job over the gateway's WebSocket, however often the connection drops."""

import time
from collections.abc import Callable, Iterator, Mapping

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import connect

from annotateforge.api.trainer.v1 import event_pb2
from annotateforge.client.errors import ServerAway, WrongArgument
from annotateforge.client.live_events import GIVE_UP_AFTER, MAX_MESSAGE, Link, event_of, over, socket_address
from annotateforge.client.wire import is_local


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
    address = socket_address(url, job_id)
    link = Link()
    while True:
        try:
            with connect(
                f"{address}?after={after}",
                additional_headers=dict(headers),
                compression=None,
                open_timeout=10,
                close_timeout=1,
                max_size=MAX_MESSAGE,
                proxy=None if is_local(url) else True,
            ) as socket:
                link.opened()
                for text in socket:
                    link.works()
                    event = event_of(text)
                    after = max(after, event.sequence)
                    yield event
                if over(socket.close_code, socket.close_reason):
                    return
                problem = f"{url} is going away"
        except ConnectionClosed as closed:
            received = closed.rcvd
            if received is not None and over(received.code, received.reason):
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
        time.sleep(link.pause())
