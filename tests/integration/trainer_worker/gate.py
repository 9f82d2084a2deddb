"""A line between a worker and a service that can be cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Gate:
    """Passes TCP connections on to a service, until it is told otherwise."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._open = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._cuts: list[int] = []
        self.address = ""
        """Where to connect to."""
        self.answered = 0
        """Bytes that the service has sent so far."""
        self.cuts = 0
        """How often `cut_at` has cut."""
        self.refused = 0
        """Connections that came while it was closed."""

    def close(self) -> None:
        """Cut what is connected, and let nobody in."""
        self._open = False
        self._cut()

    def open(self) -> None:
        """Let everybody in again."""
        self._open = True

    def cut_at(self, *answered: int) -> None:
        """Cut once at each of these numbers of bytes that the service has sent."""
        self._cuts = sorted(answered)

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            self.refused += 1
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        pair = {writer, there_writer}
        self._writers |= pair
        try:
            await asyncio.gather(
                self._pass_on(reader, there_writer, answers=False),
                self._pass_on(there_reader, writer, answers=True),
            )
        except OSError:
            pass
        finally:
            self._writers -= pair
            for each in pair:
                each.transport.abort()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        while data := await reader.read(16384):
            writer.write(data)
            await writer.drain()
            if answers:
                self.answered += len(data)
                if self._cuts and self.answered >= self._cuts[0]:
                    self._cuts.pop(0)
                    self.cuts += 1
                    self._cut()
        raise ConnectionResetError


@contextlib.asynccontextmanager
async def gate_to(target: str) -> AsyncIterator[Gate]:
    """A gate to a service for the time of the context."""
    gate = Gate(target)
    server = await asyncio.start_server(gate._serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    gate.address = f"{host}:{port}"
    try:
        yield gate
    finally:
        gate.close()
        server.close()
