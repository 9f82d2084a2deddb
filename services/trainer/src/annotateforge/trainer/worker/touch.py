"""What goes on in the background of an attempt."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine

import structlog

from annotateforge.trainer.worker.stopping import Stop, Why

log = structlog.get_logger()


@contextlib.asynccontextmanager
async def in_touch(stop: Stop, *works: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Keep the lease, send reports and the like for the time of the context; whichever fails stops the
    attempt.
    """
    tasks = [asyncio.create_task(_stopping_when_it_fails(work, stop)) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _stopping_when_it_fails(work: Coroutine[None, None, None], stop: Stop) -> None:
    try:
        await work
    except Exception:
        # Going on would mean to train for nobody, or to wait for ever until reports are accepted.
        log.exception("a task of the attempt failed")
        stop.tell(Why.OUT_OF_TOUCH)
