"""Work on a stream of items, several at a time, with the results in the order of the items."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def in_order(
    items: AsyncIterator[Item], work: Callable[[int, Item], Coroutine[Any, Any, Result]], window: int
) -> AsyncGenerator[Result, None]:
    """Results of `work(number, item)`, numbered from 0, in the order of the items.

    At most `window` items are taken and not yet answered, so that a consumer that is slow stops the producer.
    The first failure in that order, of the work or of the items, ends the stream; what was begun after it is
    cancelled.
    """
    room = asyncio.Semaphore(window)
    begun: asyncio.Queue[asyncio.Future[Result] | None] = asyncio.Queue()

    async def begin() -> None:
        try:
            await room.acquire()
            number = 0
            async for item in items:
                begun.put_nowait(asyncio.create_task(work(number, item)))
                number += 1
                await room.acquire()
            begun.put_nowait(None)
        except Exception as error:
            failed: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            begun.put_nowait(failed)

    open_: list[asyncio.Future[Any]] = [asyncio.create_task(begin(), name="begin")]
    try:
        while (result := await begun.get()) is not None:
            open_.append(result)
            yield await result
            open_.pop()
            room.release()
    finally:
        while not begun.empty():
            if (waiting := begun.get_nowait()) is not None:
                open_.append(waiting)
        for unfinished in open_:
            unfinished.cancel()
        await asyncio.gather(*open_, return_exceptions=True)
