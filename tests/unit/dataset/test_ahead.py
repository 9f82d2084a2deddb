"""Work that is begun ahead: it has ended when what it uses is closed."""

import asyncio
import threading

import pytest

from annotateforge.dataset.imports.ahead import working_ahead


@pytest.mark.parametrize("awaited", [True, False])
async def test_a_thread_has_ended_when_whoever_began_it_is_cancelled_and_goes_on(awaited: bool) -> None:
    begun, may_end, ended = (threading.Event() for _ in range(3))

    def work() -> None:
        begun.set()
        assert may_end.wait(10)
        ended.set()

    async def begins() -> None:
        try:
            async with working_ahead() as begin:
                working = begin(asyncio.to_thread(work))
                await (working if awaited else asyncio.Event().wait())
        finally:
            assert ended.is_set()

    task = asyncio.create_task(begins())
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=0.1)
    assert not done
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_fails_is_raised_to_whoever_awaits_it() -> None:
    async def fails() -> None:
        raise ValueError("spoilt")

    async with working_ahead() as begin:
        working = begin(fails())
        with pytest.raises(ValueError, match="spoilt"):
            await working
