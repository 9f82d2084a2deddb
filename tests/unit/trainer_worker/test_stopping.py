import asyncio

import pytest

from annotateforge.trainer.worker.stopping import Stop, Stopped, Why


async def answer(value: int) -> int:
    return value


async def test_work_that_is_through_before_anybody_says_stop_answers() -> None:
    assert await Stop().race(answer(7)) == 7


async def test_work_is_cancelled_and_cleaned_up_before_the_race_ends() -> None:
    stop, log = Stop(), []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            log.append("cleaned up")

    asyncio.get_running_loop().call_soon(stop.tell, Why.CANCELLED)
    with pytest.raises(Stopped) as stopped:
        await stop.race(work())
    assert stopped.value.why is Why.CANCELLED
    assert log == ["cleaned up"]


async def test_cancelling_the_race_cancels_the_work() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    racing = asyncio.create_task(Stop().race(work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    racing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing
    assert ended.is_set()


async def test_work_that_cleans_up_is_waited_for_although_the_race_is_cancelled_meanwhile() -> None:
    stop, cleaning, log = Stop(), asyncio.Event(), list[str]()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cleaning.set()
            await asyncio.sleep(0.1)
            log.append("cleaned up")

    racing = asyncio.create_task(stop.race(work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    stop.tell(Why.CANCELLED)
    await cleaning.wait()
    racing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing
    assert log == ["cleaned up"]


async def test_being_lost_outdoes_being_cancelled() -> None:
    stop = Stop()
    stop.tell(Why.CANCELLED)
    stop.tell(Why.LOST)
    stop.tell(Why.CANCELLED)
    assert stop.why is Why.LOST


async def test_work_is_not_begun_when_it_is_to_stop_already() -> None:
    stop = Stop()
    stop.tell(Why.CANCELLED)
    with pytest.raises(Stopped):
        await stop.race(asyncio.sleep(60))
