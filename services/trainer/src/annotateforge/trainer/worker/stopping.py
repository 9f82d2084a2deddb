"""Why an attempt has to stop before it is through, and how the work hears of it."""

import asyncio
from collections.abc import Coroutine
from enum import Enum
from typing import Any, TypeVar

from annotateforge.runtime.tasks import until_ended

T = TypeVar("T")


class Why(Enum):
    """Why an attempt has to stop."""

    CANCELLED = "somebody cancelled the job"
    REFUSED = "the trainer does not accept a report"
    OUT_OF_TOUCH = "a fault of the worker itself: it cannot keep the lease or send reports any more"
    LOST = "the trainer gave the job to another worker, or ended it"


class Stopped(Exception):
    """The work was stopped."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


class Stop:
    """Told by whoever hears of it first, heard by the work."""

    def __init__(self) -> None:
        self._told = asyncio.Event()
        self.why: Why | None = None
        """Why; None while there is no need to stop."""

    def tell(self, why: Why) -> None:
        """Stop. Being lost outdoes being cancelled: there is nothing to finish any more."""
        if self.why is not Why.LOST:
            self.why = why
            self._told.set()

    async def race(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work, and cancel it when it is to stop: then Stopped. Leaves no task behind in any case."""
        doing = asyncio.create_task(work)
        hearing = asyncio.create_task(self._told.wait())
        try:
            await asyncio.wait({doing, hearing}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                assert self.why is not None
                raise Stopped(self.why)
            return doing.result()
        finally:
            for task in (doing, hearing):
                task.cancel()
            # What the work still cleans up, such as its processes, is not left to itself.
            await until_ended(doing, hearing)
