"""The gateway's connection to NATS, without which it also works: what is told over NATS is then read again
every few seconds.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator

import structlog

from annotateforge.runtime.bus import Bus, Message, connect_bus
from annotateforge.runtime.errors import Unavailable
from annotateforge.runtime.feed import GAP, Gap
from annotateforge.runtime.tasks import until_ended

QUIET_SECONDS = 15.0
"""How often listeners read the truth again while NATS is there and silent, should anything have been lost."""
_CONNECT_SECONDS = 30.0

log = structlog.get_logger()


class BusLink:
    """A connection that is made in the background, for ever."""

    def __init__(self, url: str, reread_seconds: float) -> None:
        """`reread_seconds`: how often listeners read the truth again while NATS is away."""
        self._url = url
        self._reread_seconds = reread_seconds
        self._bus: Bus | None = None
        self._found = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether NATS can be reached at this moment."""
        return self._bus is not None and self._bus.connected

    @contextlib.asynccontextmanager
    async def connecting(self) -> AsyncIterator[None]:
        """Connect, and stay connected, for the time of the context."""
        closing = asyncio.Event()
        task = asyncio.create_task(self._connect(closing), name="bus")
        try:
            yield
        finally:
            closing.set()
            if self._bus is None:
                task.cancel()
            await until_ended(task)
            if not task.cancelled():
                task.result()

    async def _connect(self, closing: asyncio.Event) -> None:
        while not closing.is_set():
            try:
                async with connect_bus(self._url, "gateway", timeout=_CONNECT_SECONDS) as bus:
                    self._bus = bus
                    self._found.set()
                    await closing.wait()
            except Unavailable as error:
                log.warning("NATS is away; events are read from the trainer instead", reason=error.reason)
                await asyncio.sleep(self._reread_seconds)

    async def listen(self, subject: str) -> AsyncGenerator[Message | Gap, None]:
        """Messages of a subject for ever, with a Gap wherever some may be missing.

        The first item is a Gap, so that nothing that was told before is missed. While NATS is away, or silent
        for long, there are Gaps too.
        """
        while self._bus is None:
            yield GAP
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._reread_seconds):
                    await self._found.wait()
        async with self._bus.subscribe(subject) as subscription:
            yield GAP
            heard = time.monotonic()
            while True:
                try:
                    async with asyncio.timeout(self._reread_seconds):
                        message = await anext(subscription)
                except TimeoutError:
                    if self._bus.connected and time.monotonic() - heard < QUIET_SECONDS:
                        continue
                    message = GAP
                except StopAsyncIteration:
                    return
                heard = time.monotonic()
                yield message
