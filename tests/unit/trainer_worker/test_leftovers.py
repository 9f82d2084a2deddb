"""When what attempts left is offered again."""

import asyncio
import time
from pathlib import Path

import pytest

from annotateforge.api.trainer.v1.job_pb2 import Job
from annotateforge.api.trainer.v1.worker_service_pb2 import Assignment
from annotateforge.trainer.worker import leftovers
from annotateforge.trainer.worker.leftovers import Leftovers
from annotateforge.trainer.worker.undelivered import Undelivered

LEAST = 0.05


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "AGAIN_AFTER", LEAST)
    monkeypatch.setattr(leftovers, "LONGEST_PAUSE", 4 * LEAST)


def left(tmp_path: Path) -> Undelivered:
    return Undelivered.begin(tmp_path, "worker", Assignment(job=Job(id="job"), attempt=1))


async def pause(given: Leftovers) -> float:
    """Seconds until the next offer is due."""
    began = time.monotonic()
    async with asyncio.timeout(30):
        await given.due()
    return time.monotonic() - began


async def test_the_pauses_double_up_to_the_longest(tmp_path: Path) -> None:
    given = Leftovers()
    given.add(left(tmp_path))
    for expected in (1, 2, 4, 4):
        assert await pause(given) >= expected * LEAST * 0.9
        given.offered(taken=False)


async def test_when_something_is_taken_the_pauses_begin_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "LONGEST_PAUSE", 1e6)
    given = Leftovers()
    given.add(left(tmp_path))
    for _ in range(40):
        given.offered(taken=False)
    given.offered(taken=True)
    await pause(given)


async def test_waking_shortens_the_pause_and_never_below_the_least(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "LONGEST_PAUSE", 1e6)
    given = Leftovers()
    given.add(left(tmp_path))
    for _ in range(40):
        given.offered(taken=False)
    given.wake()
    assert await pause(given) >= LEAST * 0.9
    given.offered(taken=False)
    waiting = asyncio.create_task(given.due())
    await asyncio.sleep(2 * LEAST)
    assert not waiting.done()
    given.wake()
    async with asyncio.timeout(30):
        await waiting


async def test_what_comes_new_does_not_wait_for_as_long_as_what_was_offered_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "LONGEST_PAUSE", 1e6)
    given = Leftovers()
    given.add(left(tmp_path))
    for _ in range(40):
        given.offered(taken=False)
    waiting = asyncio.create_task(given.due())
    await asyncio.sleep(2 * LEAST)
    assert not waiting.done()
    began = time.monotonic()
    given.add(left(tmp_path))
    async with asyncio.timeout(30):
        await waiting
    assert time.monotonic() - began >= LEAST * 0.9


async def test_nothing_is_due_when_there_is_nothing(tmp_path: Path) -> None:
    given = Leftovers()
    one = left(tmp_path)
    given.add(one)
    given.remove(one)
    waiting = asyncio.create_task(given.due())
    await asyncio.sleep(3 * LEAST)
    assert not waiting.done()
    waiting.cancel()
