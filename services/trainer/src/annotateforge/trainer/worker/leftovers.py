"""What attempts left that the trainer did not take, while it waits to be offered again."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from annotateforge.trainer.worker.undelivered import Undelivered

AGAIN_AFTER = 10.0
"""Least seconds between two offers."""
LONGEST_PAUSE = 300.0
"""Most seconds between two, when nobody says that it is worth while."""


class Leftovers:
    """Rests of attempts, in the order in which they came."""

    def __init__(self) -> None:
        self._left: dict[Path, Undelivered] = {}
        self._some = asyncio.Event()
        self._changed = asyncio.Event()
        self._hurry = False
        self._pause = AGAIN_AFTER
        self._offered = time.monotonic()

    def add(self, left: Undelivered) -> None:
        """It was just offered, and not taken."""
        self._left[left.folder] = left
        self._offered, self._pause = time.monotonic(), AGAIN_AFTER
        self._some.set()
        self._changed.set()

    def remove(self, left: Undelivered) -> None:
        """The trainer has it, or it is set aside."""
        self._left.pop(left.folder, None)
        if not self._left:
            self._some.clear()

    def all(self) -> Sequence[Undelivered]:
        """What there is, the oldest first."""
        return tuple(self._left.values())

    def wake(self) -> None:
        """The trainer answers again after it did not: offer what there is soon."""
        self._hurry = True
        self._changed.set()

    async def due(self) -> None:
        """Wait until something is to be offered: when woken, or after a pause that doubles from one offer to
        the next, and never before AGAIN_AFTER seconds after the last one.
        """
        await self._some.wait()
        while (left := self._offered + self._least_pause - time.monotonic()) > 0:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._changed.wait()
        self._hurry = False

    def offered(self, *, taken: bool) -> None:
        """All that there is was offered; `taken` says whether some of it was taken."""
        self._offered = time.monotonic()
        self._pause = AGAIN_AFTER if taken else min(2 * self._pause, LONGEST_PAUSE)

    @property
    def _least_pause(self) -> float:
        return AGAIN_AFTER if self._hurry else self._pause
