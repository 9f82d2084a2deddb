import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from annotateforge.runtime.ids import new_id
from annotateforge.trainer import queue_store, worker_store
from annotateforge.trainer.placement import ANYTHING, Offer
from annotateforge.trainer.queue import IdleWorker, Queue
from annotateforge.trainer.queue_store import View
from annotateforge.trainer.waiting_workers import WaitingWorkers

PROCESSOR = Offer(devices=("cpu",), memory=(0,), takes_any=True)


class SlowPool:
    """Connections that say when somebody is giving one back with which a job was chosen, and take long."""

    def __init__(self) -> None:
        self.giving_back = asyncio.Event()

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[SimpleNamespace]:
        connection = SimpleNamespace(chose=False)
        yield connection
        if connection.chose:
            self.giving_back.set()
            await asyncio.sleep(3600)


async def test_a_call_that_is_cancelled_while_it_gives_its_connection_back_hides_no_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job_id = new_id()
    passed_over: list[set[UUID]] = []

    async def look(*_: object) -> View:
        return View(None, (ANYTHING,))

    async def put_worker(*_: object) -> None:
        pass

    async def read_next(connection: Any, _: object, but: Collection[UUID]) -> Any:
        passed_over.append(set(but))
        if len(passed_over) > 1:
            return None
        connection.chose = True
        return SimpleNamespace(record=SimpleNamespace(id=job_id), state=SimpleNamespace(demand=ANYTHING))

    monkeypatch.setattr(queue_store, "look", look)
    monkeypatch.setattr(queue_store, "read_next", read_next)
    monkeypatch.setattr(worker_store, "put_worker", put_worker)
    pool: Any = SlowPool()
    nothing: Any = None
    queue = Queue(pool, nothing, WaitingWorkers(nothing), timedelta(seconds=15))
    worker = IdleWorker(new_id(), "one", PROCESSOR, b"", b"")
    call = asyncio.create_task(queue.acquire(worker, 0))
    await asyncio.wait_for(pool.giving_back.wait(), 10)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert await queue.acquire(worker, 0) is None
    assert passed_over == [set(), set()]
