"""Workers that wait for a job, and are woken when one comes that fits them, in this process and over NATS in
all others.

For each job one worker is woken, the one that has waited longest: were all of them, they would all search the
queue for the one job. A wake-up says "look again" and promises nothing. So that none is in vain while
somebody else could use it, a worker that leaves without the job that it was woken for passes the wake-up on.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import UUID, uuid4

import orjson
import structlog

from annotateforge.runtime import subjects
from annotateforge.runtime.bus import Bus, Message
from annotateforge.trainer.placement import Demand, Offer
from annotateforge.trainer.relay import relayed

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Vacancy:
    """A job that waits for a worker."""

    job_id: UUID
    demand: Demand


class WaitingWorker:
    """One that waits; made by `WaitingWorkers.waiting`."""

    def __init__(self, room: "WaitingWorkers", offer: Offer) -> None:
        self._room = room
        self._offer = offer
        self._woken = asyncio.Event()
        self._for: list[Vacancy] = []
        """What it was woken for since it began to look."""
        self._looking_for: list[Vacancy] = []
        """What it was woken for before."""
        self.keeps = False
        """Whether it keeps what it has free for a large job, and so is to be woken last."""

    @property
    def stopping(self) -> bool:
        """Whether the server is being stopped: nobody should wait any longer."""
        return self._room.stopping

    async def wait(self, seconds: float) -> None:
        """Return when woken since the last call, when the server is being stopped, or after `seconds`. Those
        who return look at the queue.
        """
        self._looking_for = []
        if not self.stopping and seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
        self._woken.clear()
        self._looking_for, self._for = self._for, []

    def took(self, job_id: UUID) -> None:
        """It has a job: what else it was woken for is for others."""
        self._looking_for = [one for one in self._looking_for if one.job_id != job_id]

    def found_nothing(self) -> None:
        """It has looked and found none: what it was woken for is gone."""
        self._looking_for = []
        self.keeps = False

    def keeps_devices(self) -> None:
        """It has looked and keeps its free devices for a large job: what it was woken for is for others."""
        self.keeps = True
        for vacancy in self._looking_for:
            # Never for one that keeps devices as well: the two would wake each other in turn.
            self._room.wake_here(vacancy, also_keeping=False)
        self._looking_for = []

    def fits(self, vacancy: Vacancy) -> bool:
        """Whether it could be woken for a job."""
        return not self._woken.is_set() and self._offer.fits(vacancy.demand)

    def wake(self, vacancy: Vacancy | None) -> None:
        """Let it look again, for one job or for whatever there is."""
        if vacancy is not None:
            self._for.append(vacancy)
        self._woken.set()

    @property
    def unused(self) -> list[Vacancy]:
        """What it was woken for and did not take."""
        return [*self._looking_for, *self._for]


class WaitingWorkers:
    """All that wait in this process, those first who have waited longest."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        # A dict keeps their order.
        self._waiting: dict[WaitingWorker, None] = {}
        self._name = uuid4().hex
        self.stopping = False

    @contextlib.contextmanager
    def waiting(self, offer: Offer) -> Iterator[WaitingWorker]:
        """Wait for a job: every wake-up from here on is noticed, also between two calls of `wait`."""
        worker = WaitingWorker(self, offer)
        self._waiting[worker] = None
        try:
            yield worker
        finally:
            del self._waiting[worker]
            for vacancy in worker.unused:
                self.wake_here(vacancy)

    async def wake(self, vacancy: Vacancy) -> None:
        """Wake one that the job fits, here and in each of the other processes."""
        self.wake_here(vacancy)
        demand = vacancy.demand
        told = {
            "from": self._name,
            "job_id": str(vacancy.job_id),
            "device": demand.device,
            "gpus": demand.gpus,
            "min_gpu_memory": demand.min_gpu_memory,
        }
        await self._bus.tell(subjects.job_wake(), orjson.dumps(told))

    async def let_go(self) -> None:
        """Let all look again that keep devices for a large job, here and in the other processes: it has been
        taken, or is no longer first.
        """
        self._wake_keeping()
        await self._bus.tell(subjects.job_wake(), orjson.dumps({"from": self._name, "job_id": None}))

    def stop(self) -> None:
        """Let everybody go who waits or will wait."""
        self.stopping = True
        self._wake_all()

    def relaying(self) -> AbstractAsyncContextManager[None]:
        """Hear the wake-ups of other processes for the time of the context."""
        return relayed(self._bus, subjects.job_wake(), hear=self._hear, missed=self._wake_all)

    def _hear(self, message: Message) -> None:
        try:
            told = orjson.loads(message.data)
            if told["from"] == self._name:
                return
            if told["job_id"] is None:
                self._wake_keeping()
                return
            demand = Demand(str(told["device"]), int(told["gpus"]), int(told["min_gpu_memory"]))
            vacancy = Vacancy(UUID(told["job_id"]), demand)
        except (ValueError, KeyError, TypeError, AttributeError):
            # Of another version of ours: it says that there is something, and not what.
            self._wake_all()
        else:
            self.wake_here(vacancy)

    def wake_here(self, vacancy: Vacancy, *, also_keeping: bool = True) -> None:
        """Wake one that the job fits, in this process alone. One that keeps devices for another job is woken
        when there is no other, since it takes only what is more urgent than that, and not at all unless
        `also_keeping`.
        """
        # Where all that it fits are woken already, those will find it.
        fitting = [worker for worker in self._waiting if worker.fits(vacancy)]
        chosen = next((worker for worker in fitting if not worker.keeps), None)
        if chosen is None and fitting and also_keeping:
            chosen = fitting[0]
        if chosen is not None:
            chosen.wake(vacancy)

    def _wake_all(self) -> None:
        for worker in self._waiting:
            worker.wake(None)

    def _wake_keeping(self) -> None:
        for worker in self._waiting:
            if worker.keeps:
                worker.wake(None)
