"""Tasks that end before those who started them go on."""

import asyncio
from typing import Any


async def until_ended(task: asyncio.Task[Any]) -> None:
    """Wait until a task has ended, and raise what it failed with. That it was cancelled is no failure.

    A caller that is cancelled while it waits cancels the task, and is itself cancelled once that has ended:
    `suppress(CancelledError)` around `await task` would take the caller's cancellation for the task's.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
            task.cancel()
    if cancelled is not None:
        raise cancelled
    if not task.cancelled():
        task.result()
