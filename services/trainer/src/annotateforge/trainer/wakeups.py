"""Wakes those who wait for something to change, in this process and over NATS in all others.

A wake-up only says "look again": what is true stands in Postgres, and one that is lost costs a little time.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

from annotateforge.runtime import subjects
from annotateforge.runtime.bus import Bus
from annotateforge.trainer.relay import relayed


class Waiter:
    """Somebody who waits on one subject; made by `Wakeups.waiting`."""

    def __init__(self, wakeups: "Wakeups") -> None:
        self._wakeups = wakeups
        self._woken = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Whether the server is being stopped: nobody should wait any longer."""
        return self._wakeups.stopping

    async def wait(self, seconds: float) -> None:
        """Return when woken since the last call, when the server is being stopped, or after `seconds`."""
        if not self.stopping and seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
        self._woken.clear()


class Wakeups:
    """Who waits for what, by subject (see `runtime.subjects`)."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiters: dict[str, set[Waiter]] = defaultdict(set)
        self.stopping = False

    @contextlib.contextmanager
    def waiting(self, subject: str) -> Iterator[Waiter]:
        """Wait on a subject: every wake-up from here on is noticed, also between two calls of `wait`."""
        waiter = Waiter(self)
        self._waiters[subject].add(waiter)
        try:
            yield waiter
        finally:
            self._waiters[subject].discard(waiter)
            if not self._waiters[subject]:
                del self._waiters[subject]

    async def wake(self, subject: str) -> None:
        """Wake those who wait on a subject, here and in the other processes."""
        self._wake_here(subject)
        await self._bus.tell(subject)

    def stop(self) -> None:
        """Let everybody go who waits or will wait."""
        self.stopping = True
        self._wake_all()

    def relaying(self) -> AbstractAsyncContextManager[None]:
        """Hear the wake-ups of other processes for the time of the context."""
        return relayed(
            self._bus,
            subjects.job_control("*"),
            hear=lambda message: self._wake_here(message.subject),
            missed=self._wake_all,
        )

    def _wake_here(self, subject: str) -> None:
        for waiter in self._waiters.get(subject, ()):
            waiter._woken.set()

    def _wake_all(self) -> None:
        for subject in self._waiters:
            self._wake_here(subject)
