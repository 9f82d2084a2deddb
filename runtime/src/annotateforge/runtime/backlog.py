"""What waits for one reader of a live stream: in order, bounded, a Gap in place of what it did not take."""

import asyncio
from collections import deque
from typing import Generic, Self, TypeVar

from annotateforge.runtime.feed import GAP, Gap

E = TypeVar("E")


class Backlog(Generic[E]):
    """Items for one reader, as an asynchronous iterator; ends once it is closed and what waits is taken."""

    def __init__(self, limit: int) -> None:
        """`limit`: most items that wait; with one more all of them become a Gap."""
        self._limit = limit
        self._waiting: deque[E | Gap] = deque()
        self._arrived = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E | Gap:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()

    def put(self, item: E | Gap) -> None:
        """Hand over an item. A Gap replaces all that waits: who sees it reads the truth, which holds it."""
        overflowing = len(self._waiting) >= self._limit
        if overflowing or isinstance(item, Gap):
            self._waiting.clear()
            self._waiting.append(GAP)
        if not isinstance(item, Gap):
            self._waiting.append(item)
        self._arrived.set()

    def close(self) -> None:
        """End the iteration after what waits."""
        self._closed = True
        self._arrived.set()
