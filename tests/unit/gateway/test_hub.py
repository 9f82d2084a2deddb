"""What watchers of a job see: 1, 2, 3, … without gap or repeat, whatever the bus does."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotateforge.api.trainer.v1 import event_pb2, job_pb2
from annotateforge.gateway import watched_job
from annotateforge.gateway.hub import Hub
from annotateforge.gateway.job_store import FINAL, Position
from annotateforge.runtime import subjects
from annotateforge.runtime.bus import Message
from annotateforge.runtime.errors import DomainError, NotFound, Unavailable
from annotateforge.runtime.feed import GAP, Gap

JOB = "01890a5d-ac96-774b-bcce-b302099a8057"


def epoch(sequence: int) -> event_pb2.JobEvent:
    return event_pb2.JobEvent(sequence=sequence, epoch_start=event_pb2.EpochStart(epoch=sequence))


def ending(sequence: int) -> event_pb2.JobEvent:
    change = event_pb2.StatusChange(status=job_pb2.JOB_STATUS_COMPLETED)
    return event_pb2.JobEvent(sequence=sequence, status_change=change)


def progress(done: int) -> event_pb2.JobEvent:
    return event_pb2.JobEvent(progress=event_pb2.Progress(done=done))


def printed(number: int) -> event_pb2.JobEvent:
    return event_pb2.JobEvent(log=event_pb2.Log(lines=[event_pb2.LogLine(number=number)]))


def encode(event: event_pb2.JobEvent) -> bytes:
    if event.HasField("log"):
        return f"log {event.log.lines[0].number}".encode()
    return str(event.sequence).encode() if event.sequence else f"progress {event.progress.done}".encode()


class Reader:
    """A watcher's connection, which a test reads as an iterator. It takes `room` frames before they are read,
    or any number of them."""

    def __init__(self, room: int | None = None) -> None:
        self._room = room
        self._frames: asyncio.Queue[str | None] = asyncio.Queue()
        self._read = asyncio.Event()
        self._woken = asyncio.Event()
        self.left = False
        self.offered = 0
        """How often a frame was offered at once."""

    def offer(self, frame: bytes) -> bool:
        self.offered += 1
        if self.left or self._full():
            return False
        self._frames.put_nowait(frame.decode())
        return True

    async def send_frame(self, frame: bytes) -> None:
        while self._full() and not self.left:
            self._read.clear()
            await self._read.wait()
        if self.left:
            raise ConnectionResetError
        self._frames.put_nowait(frame.decode())

    async def pause(self) -> None:
        self._woken.clear()
        if not self.left:
            await self._woken.wait()
        if self.left:
            raise ConnectionResetError

    def wake(self) -> None:
        self._woken.set()

    def leave(self) -> None:
        self.left = True
        self.wake()
        self._read.set()

    async def watch(self, hub: Hub, after: int = 0) -> AsyncGenerator[str, None]:
        """What the hub sends, until it has no more to send."""

        async def serve() -> None:
            try:
                await hub.serve(JOB, after, self)
            finally:
                self._frames.put_nowait(None)

        serving = asyncio.create_task(serve())
        try:
            while (text := await self._frames.get()) is not None:
                self._read.set()
                yield text
            await serving
        finally:
            self.leave()
            with contextlib.suppress(ConnectionResetError, DomainError):
                await serving

    def _full(self) -> bool:
        return self._room is not None and self._frames.qsize() >= self._room


def watching(hub: Hub, after: int = 0, room: int | None = None) -> AsyncGenerator[str, None]:
    return Reader(room).watch(hub, after)


class Trainer:
    """Events that are stored, and a bus that tells of them as well or as badly as a test says."""

    def __init__(self) -> None:
        self.stored: list[event_pb2.JobEvent] = []
        self.reads = 0
        self.failure: Exception | None = None
        self._buses: list[asyncio.Queue[Message | Gap]] = []

    async def position(self, job_id: str, token: str | None = None) -> Position:
        await self._answer()
        if not self.stored:
            return Position(0, ended=False)
        last = self.stored[-1]
        return Position(last.sequence, ended=last.status_change.status in FINAL)

    async def events(self, job_id: str, after: int, limit: int) -> Sequence[event_pb2.JobEvent]:
        await self._answer()
        return [event for event in self.stored if event.sequence > after][: min(limit, 7)]

    async def _answer(self) -> None:
        self.reads += 1
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure

    async def listen(self, job_id: str) -> AsyncGenerator[Message | Gap, None]:
        bus: asyncio.Queue[Message | Gap] = asyncio.Queue()
        self._buses.append(bus)
        try:
            yield GAP
            while True:
                yield await bus.get()
        finally:
            self._buses.remove(bus)

    def store(self, event: event_pb2.JobEvent) -> None:
        self.stored.append(event)

    def tell(self, event: event_pb2.JobEvent) -> None:
        for bus in self._buses:
            bus.put_nowait(Message(subjects.job_events(JOB), event.SerializeToString()))

    def gap(self) -> None:
        for bus in self._buses:
            bus.put_nowait(GAP)

    @property
    def subscriptions(self) -> int:
        return len(self._buses)


@pytest.fixture
def trainer() -> Trainer:
    return Trainer()


@pytest.fixture
def hub(trainer: Trainer) -> Hub:
    return Hub(trainer, trainer.listen, encode)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0)


async def collect(hub: Hub, after: int = 0, room: int | None = None) -> list[str]:
    async with asyncio.timeout(20):
        return [text async for text in watching(hub, after, room)]


async def test_a_job_that_has_ended_is_replayed_and_the_watch_ends(hub: Hub, trainer: Trainer) -> None:
    for number in range(1, 30):
        trainer.store(epoch(number))
    trainer.store(ending(30))
    assert await collect(hub) == [str(number) for number in range(1, 31)]
    assert await collect(hub, after=28) == ["29", "30"]
    assert await collect(hub, after=30) == []
    assert await collect(hub, after=99) == []
    await asyncio.sleep(0)
    assert hub.watched == 0


async def test_all_watchers_share_one_subscription(hub: Hub, trainer: Trainer) -> None:
    tasks = [asyncio.create_task(collect(hub)) for _ in range(50)]
    await until(lambda: hub.watchers == 50 and trainer.subscriptions > 0)
    for event in (epoch(1), epoch(2), ending(3)):
        trainer.store(event)
        trainer.tell(event)
    assert trainer.subscriptions == 1
    assert await asyncio.gather(*tasks) == [["1", "2", "3"]] * 50


async def test_a_watch_after_the_end_of_what_there_is_waits_for_what_follows(
    hub: Hub, trainer: Trainer
) -> None:
    trainer.store(epoch(1))
    task = asyncio.create_task(collect(hub, after=3))
    for event in (epoch(2), epoch(3), epoch(4), ending(5)):
        await asyncio.sleep(0.001)
        trainer.store(event)
        trainer.tell(event)
    assert await task == ["4", "5"]


async def test_progress_passes_only_those_who_have_caught_up(hub: Hub, trainer: Trainer) -> None:
    trainer.store(epoch(1))
    seen: list[str] = []

    async def watch() -> None:
        async for text in watching(hub, room=1):
            seen.append(text)

    task = asyncio.create_task(watch())
    await asyncio.sleep(0.01)
    trainer.tell(progress(10))
    await asyncio.sleep(0.01)
    # The second of these two is overtaken before the watcher takes it.
    trainer.tell(progress(20))
    trainer.tell(epoch(2))
    trainer.tell(progress(30))
    trainer.tell(ending(3))
    await asyncio.wait_for(task, 5)
    assert seen == ["1", "progress 10", "progress 20", "2", "3"]


async def test_what_a_training_prints_comes_whole_beside_the_newest_progress(
    hub: Hub, trainer: Trainer
) -> None:
    trainer.store(epoch(1))
    seen: list[str] = []

    async def watch() -> None:
        async for text in watching(hub, room=1):
            seen.append(text)

    task = asyncio.create_task(watch())
    await asyncio.sleep(0.01)
    # All at once: the watcher cannot take them one by one.
    for number in (1, 2, 3):
        trainer.tell(printed(number))
        trainer.tell(progress(number))
    await asyncio.sleep(0.01)
    trainer.tell(epoch(2))
    trainer.tell(printed(4))
    trainer.tell(ending(3))
    await asyncio.wait_for(task, 5)
    assert seen == ["1", "log 1", "log 2", "log 3", "progress 3", "2", "3", "log 4"]


async def test_of_a_flood_of_output_the_newest_comes(hub: Hub, trainer: Trainer) -> None:
    trainer.store(epoch(1))
    task = asyncio.create_task(collect(hub, room=1))
    await asyncio.sleep(0.01)
    for number in range(1, 1001):
        trainer.tell(printed(number))
    trainer.tell(ending(2))
    seen = await asyncio.wait_for(task, 5)
    assert seen[:3] == ["1", "log 1", "2"]
    assert seen[3:] == [f"log {number}" for number in range(1001 - watched_job.LOG_WINDOW, 1001)]


async def test_a_slow_watcher_delays_nobody_and_misses_nothing(
    hub: Hub, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = watched_job.WINDOW * 2
    goes_on = asyncio.Event()
    slow: list[str] = []

    async def watch_slowly() -> None:
        async for text in watching(hub, room=5):
            slow.append(text)
            if len(slow) == 1:
                await goes_on.wait()

    slow_watch = asyncio.create_task(watch_slowly())
    quick_watch = asyncio.create_task(collect(hub))
    await asyncio.sleep(0.01)
    for number in range(1, count):
        trainer.store(epoch(number))
        trainer.tell(epoch(number))
    trainer.store(ending(count))
    trainer.tell(ending(count))
    expected = [str(number) for number in range(1, count + 1)]
    assert await quick_watch == expected
    assert slow == ["1"]
    goes_on.set()
    await asyncio.wait_for(slow_watch, 10)
    assert slow == expected


async def test_who_has_caught_up_is_written_to_without_being_woken(hub: Hub, trainer: Trainer) -> None:
    trainer.store(epoch(1))
    reader = Reader()
    texts = reader.watch(hub)
    assert await anext(texts) == "1"
    await asyncio.sleep(0.01)
    for number in range(2, 10):
        trainer.store(epoch(number))
        trainer.tell(epoch(number))
    await asyncio.sleep(0.01)
    assert reader.offered == 8
    trainer.store(ending(10))
    trainer.tell(ending(10))
    assert [text async for text in texts] == [str(number) for number in range(2, 11)]
    assert reader.offered == 9


async def test_who_has_left_is_forgotten_at_once(hub: Hub, trainer: Trainer) -> None:
    trainer.store(epoch(1))
    reader = Reader()
    serving = asyncio.create_task(hub.serve(JOB, 0, reader))
    await until(lambda: hub.watchers == 1)
    reader.leave()
    with pytest.raises(ConnectionResetError):
        await serving
    assert hub.watched == 0


async def test_a_job_that_is_deleted_ends_the_watch_with_the_reason(hub: Hub, trainer: Trainer) -> None:
    trainer.store(epoch(1))
    task = asyncio.create_task(collect(hub))
    await asyncio.sleep(0.01)
    trainer.failure = NotFound("JOB_NOT_FOUND", "There is no such job.")
    trainer.gap()
    with pytest.raises(NotFound):
        await task


async def test_a_trainer_that_is_away_is_waited_for(hub: Hub, trainer: Trainer) -> None:
    trainer.failure = Unavailable("UNAVAILABLE", "The trainer is away.")
    task = asyncio.create_task(collect(hub))
    await asyncio.sleep(0.05)
    trainer.store(epoch(1))
    trainer.store(ending(2))
    trainer.failure = None
    assert await task == ["1", "2"]


async def test_the_last_to_leave_ends_the_subscription(hub: Hub, trainer: Trainer) -> None:
    tasks = [asyncio.create_task(collect(hub)) for _ in range(3)]
    await until(lambda: hub.watchers == 3 and trainer.subscriptions == 1)
    for number, task in enumerate(tasks):
        assert hub.watched == 1
        assert hub.watchers == 3 - number
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert hub.watched == 0
    await until(lambda: trainer.subscriptions == 0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 60))
def test_watchers_see_every_event_once_and_in_order(seed: int, count: int) -> None:
    """The bus loses, repeats and reorders; watchers come, go and come again."""
    asyncio.run(_storm(random.Random(seed), count))


async def _storm(dice: random.Random, count: int) -> None:
    trainer = Trainer()
    hub = Hub(trainer, trainer.listen, encode)

    async def watch_with_interruptions() -> list[int]:
        seen: list[int] = []
        while not seen or seen[-1] != count:
            stop = dice.randrange(1, 20)
            after, room = seen[-1] if seen else 0, dice.choice([None, 1, 2, 5])
            async with contextlib.aclosing(watching(hub, after, room)) as texts:
                async for text in texts:
                    if not text.startswith("progress"):
                        seen.append(int(text))
                        stop -= 1
                    if stop == 0:
                        break
            await asyncio.sleep(0)
        return seen

    async with asyncio.timeout(20):
        tasks = [asyncio.create_task(watch_with_interruptions()) for _ in range(8)]
        await asyncio.sleep(0)
        for number in range(1, count + 1):
            event = ending(number) if number == count else epoch(number)
            trainer.store(event)
            for _ in range(dice.choice([0, 1, 1, 1, 2])):
                trainer.tell(dice.choice([event, event, event, dice.choice(trainer.stored)]))
            if dice.random() < 0.2:
                trainer.gap()
            if dice.random() < 0.3:
                trainer.tell(progress(number))
            if dice.random() < 0.5:
                await asyncio.sleep(0)
        trainer.gap()
        # Jobs that are watched anew after their end have nobody to tell them; the store has it all.
        assert await asyncio.gather(*tasks) == [list(range(1, count + 1))] * 8
