"""Tasks that end before those who started them go on.

`suppress(CancelledError)` around `await task` would take the caller's own cancellation for the task's.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def until_ended(*tasks: asyncio.Task[Any]) -> None:
    """Wait until tasks have ended, in whatever way. A caller that is cancelled meanwhile hears of it then."""
    cancelled: asyncio.CancelledError | None = None
    while not all(task.done() for task in tasks):
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Do some work that soon ends, and do it to its end: a caller that is cancelled meanwhile hears of it
    then.
    """
    task = asyncio.create_task(work)
    await until_ended(task)
    return task.result()
