"""A real WebSocket server whose connections follow scripts: what a watcher meets when things go wrong."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

Script = Callable[[ServerConnection, int], None]


@contextmanager
def sockets(*scripts: Script) -> Iterator[str]:
    """Serve WebSockets on a free port, each connection by the next script, the last one for all others."""
    remaining = list(scripts)

    def handle(connection: ServerConnection) -> None:
        script = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        assert connection.request is not None
        after = parse_qs(urlsplit(connection.request.path).query)["after"][0]
        with suppress(ConnectionClosed):
            script(connection, int(after))

    with serve(handle, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def epoch(connection: ServerConnection, sequence: int) -> None:
    """Tell of an epoch."""
    message = {"type": "epoch_start", "sequence": sequence, "job_id": "7", "attempt": 1, "epoch": sequence}
    connection.send(orjson.dumps(message).decode())


def epochs(*sequences: int) -> Script:
    """Tell of epochs and hang up without a word, as a process does that is killed."""

    def script(connection: ServerConnection, _after: int) -> None:
        for sequence in sequences:
            epoch(connection, sequence)
        connection.socket.shutdown(2)

    return script


def closing(code: int, reason: str = "") -> Script:
    """Close with a code."""
    return lambda connection, _after: connection.close(code, reason)


def telling(*events: dict[str, Any]) -> Script:
    """Tell of a whole job, all its events in their sequence, and close as one that has ended."""

    def script(connection: ServerConnection, after: int) -> None:
        for sequence, event in enumerate(events, start=1):
            if sequence > after:
                connection.send(orjson.dumps({"sequence": sequence, "job_id": "7", **event}).decode())

    return script
