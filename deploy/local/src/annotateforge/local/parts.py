"""The parts of a local installation: the embedded engines and our own processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from annotateforge.local.engine import ExitCallback, previous_log
from annotateforge.local.nats import embedded_nats
from annotateforge.local.postgres import embedded_postgres
from annotateforge.local.service import ServiceProgram, service_process


class PostgresPart:
    """The embedded database; its address is its URL."""

    name = "postgres"

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.previous_log = previous_log(data_dir)

    @asynccontextmanager
    async def running(self, on_exit: ExitCallback) -> AsyncIterator[str]:
        """See `Part.running`; the URL follows from the data directory."""
        async with embedded_postgres(self._data_dir, on_exit=on_exit) as url:
            yield url


class NatsPart:
    """The embedded NATS server; its address is its URL."""

    name = "nats"

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.previous_log = previous_log(data_dir)
        self._port = 0

    @asynccontextmanager
    async def running(self, on_exit: ExitCallback) -> AsyncIterator[str]:
        """See `Part.running`; the port of the first start is taken again."""
        async with embedded_nats(self._data_dir, self._port, on_exit=on_exit) as url:
            self._port = urlsplit(url).port or 0
            yield url


class ServicePart:
    """One of our own processes."""

    def __init__(self, program: ServiceProgram, listen: str | None) -> None:
        """listen: host:port, where port 0 takes a free one at the first start; None for a process that serves
        nothing.
        """
        self._program = program
        self._listen = listen
        self.previous_log = program.previous_log

    @property
    def name(self) -> str:
        """The name shown to people."""
        return self._program.name

    @asynccontextmanager
    async def running(self, on_exit: ExitCallback) -> AsyncIterator[str]:
        """See `Part.running`."""
        async with service_process(self._program, listen=self._listen, on_exit=on_exit) as address:
            if self._listen is not None:
                self._listen = address
            yield address
