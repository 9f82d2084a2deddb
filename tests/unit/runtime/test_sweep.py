import asyncio

from structlog.testing import capture_logs

from annotateforge.runtime.errors import Unavailable
from annotateforge.runtime.sweep import Sweep


async def test_batches_are_called_for_until_nothing_is_left_and_again_when_woken() -> None:
    left = 3
    emptied = asyncio.Event()

    async def batch() -> bool:
        nonlocal left
        left -= 1
        if left <= 0:
            emptied.set()
        return left > 0

    sweep = Sweep("test", batch, every=60)
    async with asyncio.timeout(10), sweep.running():
        await emptied.wait()
        assert left == 0
        left = 2
        emptied.clear()
        sweep.wake()
        await emptied.wait()
        assert left == 0


async def test_nobody_need_wake_it_for_ever() -> None:
    called = 0
    enough = asyncio.Event()

    async def batch() -> bool:
        nonlocal called
        called += 1
        if called == 3:
            enough.set()
        return False

    async with asyncio.timeout(10), Sweep("test", batch, every=0.01).running():
        await enough.wait()


async def test_no_failure_ends_it_and_only_a_fault_is_logged_with_its_traceback() -> None:
    failures: list[Exception] = [Unavailable("BUS_UNAVAILABLE", "away"), RuntimeError("a fault")]
    done = asyncio.Event()

    async def batch() -> bool:
        if failures:
            raise failures.pop(0)
        done.set()
        return False

    with capture_logs() as logs:
        async with asyncio.timeout(10), Sweep("test", batch, every=60).running():
            await done.wait()
    assert [(entry["event"], entry["failures"], entry["exc_info"]) for entry in logs] == [
        ("test waits", 1, False),
        ("test waits", 2, True),
    ]


async def test_the_one_cause_of_what_a_task_group_raises_is_named_instead_of_the_group() -> None:
    failing = True
    done = asyncio.Event()

    async def fail() -> None:
        raise Unavailable("STORE_UNAVAILABLE", "The store is away.")

    async def batch() -> bool:
        nonlocal failing
        if failing:
            failing = False
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(fail())
        done.set()
        return False

    with capture_logs() as logs:
        async with asyncio.timeout(10), Sweep("test", batch, every=60).running():
            await done.wait()
    assert [(entry["error"], entry["exc_info"]) for entry in logs] == [
        ("STORE_UNAVAILABLE: The store is away.", False)
    ]


async def test_a_cancellation_that_comes_while_it_stops_is_not_swallowed() -> None:
    began, cleaning, clean = asyncio.Event(), asyncio.Event(), asyncio.Event()
    ended = False

    async def batch() -> bool:
        nonlocal ended
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            cleaning.set()
            await clean.wait()
            ended = True
        return False

    async def serve() -> None:
        async with Sweep("test", batch, every=60).running():
            await began.wait()

    async with asyncio.timeout(10):
        serving = asyncio.create_task(serve())
        await cleaning.wait()
        serving.cancel()
        await asyncio.sleep(0)
        clean.set()
        await asyncio.wait([serving])
    assert serving.cancelled()
    assert ended
