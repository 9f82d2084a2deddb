"""Work that is begun before its turn, so that what reads, what computes and what stores do not wait for one
another.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")
Begin = Callable[[Coroutine[Any, Any, T]], asyncio.Future[T]]


@asynccontextmanager
async def working_ahead() -> AsyncIterator[Begin[Any]]:
    """Begins work for the time of the context. What fails is raised to whoever awaits it; what nobody awaits
    any more, also because the wait was cancelled, is finished before the context ends: threads cannot be
    stopped, and they use what is closed after it and store what is claimed until then.
    """
    under_way: set[asyncio.Task[Any]] = set()

    def begin(work: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
        task = asyncio.create_task(work)
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        awaited = asyncio.shield(task)
        for each in (task, awaited):
            each.add_done_callback(_see)
        return awaited

    try:
        yield begin
    finally:
        if under_way:
            await asyncio.wait(under_way)


def _see(work: asyncio.Future[Any]) -> None:
    # Whoever awaits it gets its error all the same; it is no news where nobody does.
    if not work.cancelled():
        work.exception()
