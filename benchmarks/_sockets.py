"""A thousand WebSockets in one process, as cheap as can be: a poll loop that notes when messages came.

Not a benchmark: `make bench` runs the files whose names begin with a letter. As a program it takes commands,
one JSON object a line, and answers each with one:

- {"connect": address, "paths": [...]} opens a socket per path; the answer's "group" names them from then on;
- {"count": group} says in "count" how many messages have come to a group since the last time;
- {"collect": path} writes what has come since the last time into a file, as `Received` pickled.
"""

import contextlib
import json
import pickle
import select
import socket
import sys
import time
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TEXT, _CLOSE, _PING = 0x81, 0x88, 0x89
_PONG_HEAD = 0x8A
_NO_MASK = bytes(4)
_BUFFER = 1 << 18
_SEQUENCE = b'"sequence":'


@dataclass
class Received:
    """What came since the last time, by group and, in it, by socket."""

    sequences: "list[list[array[int]]]" = field(default_factory=list)
    """Sequences in the order of their coming."""
    times: "list[list[array[float]]]" = field(default_factory=list)
    """time.monotonic() of each."""
    closed: int = 0
    """Sockets that the server has closed."""


class _Socket:
    __slots__ = ("buffer", "plug", "sequences", "times")

    def __init__(self, plug: socket.socket, rest: bytes) -> None:
        self.plug = plug
        self.buffer = rest
        self.sequences = array("q")
        self.times = array("d")

    def take(self, data: bytes, now: float) -> bool:
        """Note the messages in what was read; False when the server closes."""
        data = self.buffer + data if self.buffer else data
        at, end = 0, len(data)
        while end - at >= 2:
            head, size = data[at], data[at + 1]
            start = at + 2
            if size == 126:
                start += 2
                size = int.from_bytes(data[at + 2 : start])
            elif size == 127:
                start += 8
                size = int.from_bytes(data[at + 2 : start])
            if start + size > end:
                break
            if head == _TEXT:
                found = data.find(_SEQUENCE, start, start + size) + len(_SEQUENCE)
                stop = data.find(b",", found)
                self.sequences.append(int(data[found:stop]))
                self.times.append(now)
            elif head == _PING:
                pong = bytes((_PONG_HEAD, 0x80 | size)) + _NO_MASK + data[start : start + size]
                self.plug.send(pong)
            elif head == _CLOSE:
                return False
            at = start + size
        self.buffer = data[at:]
        return True


def _connected(address: str, path: str) -> _Socket:
    host, _, port = address.rpartition(":")
    plug = socket.create_connection((host, int(port)), timeout=30)
    plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plug.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = plug.recv(_BUFFER)
        if not more:
            raise RuntimeError(f"{address} hung up: {answer!r}")
        answer += more
    head, _, rest = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise RuntimeError(head.decode())
    plug.setblocking(False)
    opened = _Socket(plug, b"")
    opened.take(rest, time.monotonic())
    return opened


class _Clients:
    def __init__(self) -> None:
        self._poll = select.epoll()
        self._poll.register(sys.stdin.fileno(), select.EPOLLIN)
        self._sockets: dict[int, _Socket] = {}
        self._groups: list[list[_Socket]] = []
        self._closed = 0

    def run(self) -> None:
        """Receive and obey until standard input ends."""
        commands = sys.stdin.fileno()
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == commands:
                    line = sys.stdin.readline()
                    if not line:
                        return
                    print(json.dumps(self._obey(json.loads(line))), flush=True)
                else:
                    self._read(self._sockets[descriptor])

    def _read(self, one: _Socket) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = one.plug.recv(_BUFFER)
        if not data or not one.take(data, time.monotonic()):
            self._poll.unregister(one.plug.fileno())
            one.plug.close()
            self._closed += 1

    def _obey(self, command: dict[str, Any]) -> dict[str, object]:
        if "connect" in command:
            return {"group": self._connect(command["connect"], list(command["paths"]))}
        if "count" in command:
            group = self._groups[int(str(command["count"]))]
            return {"count": sum(len(one.sequences) for one in group)}
        received = Received(closed=self._closed)
        for group in self._groups:
            received.sequences.append([one.sequences for one in group])
            received.times.append([one.times for one in group])
            for one in group:
                one.sequences, one.times = array("q"), array("d")
        Path(str(command["collect"])).write_bytes(pickle.dumps(received))
        return {}

    def _connect(self, address: str, paths: list[str]) -> int:
        group = [_connected(address, path) for path in paths]
        for one in group:
            self._sockets[one.plug.fileno()] = one
            self._poll.register(one.plug.fileno(), select.EPOLLIN)
        self._groups.append(group)
        return len(self._groups) - 1


def run() -> None:
    """Be that process."""
    _Clients().run()


if __name__ == "__main__":
    # What is pickled is to be found under the module's own name.
    from benchmarks import _sockets

    _sockets.run()
