"""Work that is left over in a table, done in the background: soon after the start, when woken, and every so
often.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog

from annotateforge.runtime.causes import domain_error, first_cause
from annotateforge.runtime.tasks import until_ended

_LONGEST_BACKOFF = 5.0
_FIRST_PAUSE = 0.5
"""Seconds after the start: those who have waited for the service come first."""

log = structlog.get_logger()


class Sweep:
    """Calls for batch after batch until nothing is left, then waits to be woken."""

    def __init__(self, name: str, batch: Callable[[], Awaitable[bool]], every: float) -> None:
        """`batch` does some of the work and answers whether more may be left; it bears being cancelled and
        called again. Without being woken it is called every `every` seconds.
        """
        self._name = name
        self._batch = batch
        self._every = every
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look now."""
        self._woken.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep for the time of the context. No failure ends it: what is left is tried again."""
        task = asyncio.create_task(self._run(), name=self._name)
        try:
            yield
        finally:
            task.cancel()
            await until_ended(task)
            if not task.cancelled():
                task.result()

    async def _run(self) -> None:
        failures = 0
        await self._wait(_FIRST_PAUSE)
        while True:
            self._woken.clear()
            try:
                while await self._batch():
                    pass
                failures = 0
            except Exception as error:
                failures += 1
                cause = first_cause(error)
                log.warning(
                    f"{self._name} waits",
                    failures=failures,
                    error=str(cause) or type(cause).__name__,
                    exc_info=domain_error(error) is None,
                )
            if failures:
                # A wake-up does not shorten this pause: whatever is away gets time to come back.
                await asyncio.sleep(min(0.1 * 2 ** min(failures, 10), _LONGEST_BACKOFF))
            else:
                await self._wait(self._every)

    async def _wait(self, seconds: float) -> None:
        """Wait until it is woken, but not longer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
