"""What other processes tell over NATS, brought to whoever waits in this one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from annotateforge.runtime.bus import Bus, Message
from annotateforge.runtime.feed import Gap


@contextlib.asynccontextmanager
async def relayed(
    bus: Bus, subject: str, hear: Callable[[Message], None], missed: Callable[[], None]
) -> AsyncIterator[None]:
    """For the time of the context call `hear` with each message of a subject, and `missed` where some may be
    lost.
    """
    async with bus.subscribe(subject) as told:

        async def relay() -> None:
            async for message in told:
                if isinstance(message, Gap):
                    missed()
                else:
                    hear(message)

        task = asyncio.create_task(relay(), name=f"relay of {subject}")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
