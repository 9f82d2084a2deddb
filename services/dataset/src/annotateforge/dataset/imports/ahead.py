"""Work that is begun before its turn, so that what reads, what computes and what stores do not wait for one
another.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")
Begin = Callable[[Coroutine[Any, Any, T]], asyncio.Task[T]]


@asynccontextmanager
async def working_ahead() -> AsyncIterator[Begin[Any]]:
    """Begins work for the time of the context. What fails is raised to whoever awaits it; what nobody awaits
    any more is finished before the context ends, because threads cannot be stopped and use what is closed
    after it.
    """
    under_way: set[asyncio.Task[Any]] = set()

    def begin(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        under_way.add(task)
        task.add_done_callback(end)
        return task

    def end(task: asyncio.Task[Any]) -> None:
        under_way.discard(task)
        if not task.cancelled():
            # Whoever awaits it gets it all the same; it is no news where nobody does.
            task.exception()

    try:
        yield begin
    finally:
        if under_way:
            await asyncio.wait(under_way)
