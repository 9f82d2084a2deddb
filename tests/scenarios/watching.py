"""Follows a job over the WebSocket as a browser does: flat JSON, a new connection whenever one is gone."""

from collections.abc import Iterator
from typing import Any

import orjson
from websockets.sync.client import connect

from tests.scenarios.installation import Running

Event = dict[str, Any]


def watch(installation: Running, job_id: str, *, reconnect_every: int = 1_000_000) -> Iterator[Event]:
    """Yield a job's events until the server ends the stream, leaving after every so many stored events."""
    after = 0
    while True:
        address = installation.url.replace("http", "ws", 1)
        target = f"{address}/api/v1/training/ws/{job_id}?token={installation.token}&after={after}"
        stored = 0
        with connect(target, open_timeout=10, proxy=None) as socket:
            for text in socket:
                event = orjson.loads(text)
                yield event
                if event.get("sequence"):
                    after = event["sequence"]
                    stored += 1
                if stored == reconnect_every:
                    break
            else:
                assert socket.close_code == 1000
                return


def sequences(events: list[Event]) -> list[int]:
    """Sequences of the stored events in the order in which they came."""
    return [event["sequence"] for event in events if event.get("sequence")]


def of_type(events: list[Event], kind: str) -> list[Event]:
    """The events of one type."""
    return [event for event in events if event["type"] == kind]
