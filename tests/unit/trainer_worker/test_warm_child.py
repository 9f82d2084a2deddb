"""The child that waits for the next attempt."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from annotateforge.trainer.worker import warm_child
from annotateforge.trainer.worker.warm_child import WarmChild
from tests.unit.trainer_worker.children import listen, order
from tests.unit.trainer_worker.tiny_datasets import write_dataset

WORKER = """
import asyncio, sys
from pathlib import Path
from annotateforge.trainer.worker.warm_child import WarmChild

async def main():
    children = WarmChild(Path(sys.argv[1]) / "children", Path(sys.argv[1]) / "cache", in_advance=True)
    await children.prepare(1)
    print(children.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def children(tmp_path: Path, library_cache: Path) -> WarmChild:
    return WarmChild(tmp_path / "children", library_cache, in_advance=True)


async def gone(pid: int) -> None:
    async with asyncio.timeout(60):
        # Between two questions it may have been collected.
        with contextlib.suppress(psutil.NoSuchProcess):
            while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                await asyncio.sleep(0.02)


async def test_the_child_that_waits_trains_the_next_job_and_leaves_nothing(
    children: WarmChild, tmp_path: Path
) -> None:
    write_dataset(tmp_path / "data", "classify")
    await children.prepare(1)
    await children.prepare(1)
    pid = children.pid
    assert len(list((tmp_path / "children").iterdir())) == 1
    child = await children.take(1, tmp_path / "child.log")
    try:
        assert (child.pid, children.pid) == (pid, None)
        (tmp_path / "scratch").mkdir()
        await child.give(order(tmp_path, "classify", epochs=1))
        told = await listen(child)
    finally:
        await child.stop()
    assert told.trained().epochs_trained == 1
    assert "1 epochs completed" in (tmp_path / "child.log").read_text()
    assert list((tmp_path / "children").iterdir()) == []


async def test_a_child_that_does_not_suit_is_replaced(
    children: WarmChild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await children.prepare(1)
    first = children.pid
    await children.prepare(2)
    second = children.pid
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    await children.prepare(2)
    third = children.pid
    monkeypatch.setattr(warm_child, "MOST_SECONDS", 0.0)
    child = await children.take(2, tmp_path / "child.log")
    pids = [first, second, third, child.pid]
    await child.stop()
    assert len(set(pids)) == 4
    for pid in pids:
        assert pid is not None
        await gone(pid)
    assert list((tmp_path / "children").iterdir()) == []


async def test_a_child_that_died_while_it_waited_is_replaced(children: WarmChild, tmp_path: Path) -> None:
    await children.prepare(1)
    first = children.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await gone(first)
    child = await children.take(1, tmp_path / "child.log")
    assert child.running
    assert child.pid != first
    await child.stop()


async def test_a_killed_worker_leaves_no_child_that_waits(tmp_path: Path) -> None:
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert worker.stdout is not None
    pid = int(await worker.stdout.readline())
    assert psutil.pid_exists(pid)
    worker.kill()
    await worker.wait()
    await gone(pid)


async def test_where_memory_is_short_or_nobody_wants_it_no_child_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unwanted = WarmChild(tmp_path / "children", tmp_path / "cache", in_advance=False)
    await unwanted.prepare(1)
    assert unwanted.pid is None
    monkeypatch.setattr(warm_child, "LEAST_MEMORY", 1 << 60)
    short = WarmChild(tmp_path / "children", tmp_path / "cache", in_advance=True)
    await short.prepare(1)
    assert short.pid is None
