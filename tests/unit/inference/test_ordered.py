import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from annotateforge.inference.ordered import in_order


async def stream(items: Iterable[int]) -> AsyncIterator[int]:
    for item in items:
        yield item


async def test_results_come_in_the_order_of_the_items_whichever_is_ready_first() -> None:
    ready = [asyncio.Event() for _ in range(4)]

    async def work(number: int, item: int) -> int:
        await ready[number].wait()
        if number:
            ready[number - 1].set()
        return item * 10

    ready[3].set()
    assert [result async for result in in_order(stream(range(4)), work, 4)] == [0, 10, 20, 30]


async def test_no_more_than_the_window_are_taken_and_not_answered() -> None:
    taken = 0

    async def counted() -> AsyncIterator[int]:
        nonlocal taken
        for item in range(20):
            taken += 1
            yield item

    async def work(number: int, item: int) -> int:
        return item

    answered = 0
    async for result in in_order(counted(), work, 3):
        assert result == answered
        # The reader may go on while this consumer waits.
        for _ in range(10):
            await asyncio.sleep(0)
        assert taken <= answered + 3
        answered += 1
    assert answered == taken == 20


async def test_the_first_failure_ends_the_stream_after_the_results_before_it() -> None:
    cancelled = asyncio.Event()

    async def work(number: int, item: int) -> int:
        if number == 1:
            raise ValueError(item)
        if number == 2:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
        return item

    results = in_order(stream(range(5)), work, 3)
    assert await anext(results) == 0
    with pytest.raises(ValueError, match="1"):
        await anext(results)
    assert cancelled.is_set()


async def test_a_failure_to_read_the_items_comes_after_the_results_before_it() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise ConnectionError("gone")

    async def work(number: int, item: int) -> int:
        await asyncio.sleep(0.01)
        return item

    results = in_order(broken(), work, 3)
    assert await anext(results) == 1
    with pytest.raises(ConnectionError):
        await anext(results)


async def test_a_consumer_that_leaves_cancels_what_was_begun() -> None:
    running = 0

    async def work(number: int, item: int) -> int:
        nonlocal running
        running += 1
        try:
            if number:
                await asyncio.Event().wait()
            return item
        finally:
            running -= 1

    results = in_order(stream(range(5)), work, 3)
    assert await anext(results) == 0
    await results.aclose()
    assert running == 0
