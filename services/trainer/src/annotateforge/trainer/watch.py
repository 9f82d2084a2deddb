"""Watching jobs: what is stored first, then what happens, without gap or repeat.

All watchers of a job in one process share one subscription, and each message is decoded once. Whatever NATS
does not bring is noticed by comparing with the jobs' rows every few seconds.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from uuid import UUID

import structlog
from google.protobuf.message import DecodeError

from annotateforge.api.trainer.v1.event_pb2 import JobEvent
from annotateforge.runtime import subjects
from annotateforge.runtime.backlog import Backlog
from annotateforge.runtime.bus import Bus, Message
from annotateforge.runtime.database import Pool, database_error
from annotateforge.runtime.errors import DomainError, OutOfRange, Unavailable
from annotateforge.runtime.feed import GAP, Gap, follow
from annotateforge.trainer import store
from annotateforge.trainer.journal import job_not_found
from annotateforge.trainer.status import status_of

_BACKLOG = 1000
"""Messages that wait for one slow watcher; beyond that it reads the store again."""
_SUBSCRIBE_WITHIN = 1.0
_COMPARE_EVERY = 5.0
_COMPARE_EVERY_WITHOUT_BUS = 1.0

log = structlog.get_logger()


_Watcher = Backlog[JobEvent]
"""The live events of one watcher; where there is a Gap, the store has what is missing."""


class _Feed:
    """What is told of one job, for all of its watchers."""

    def __init__(self, bus: Bus, job_id: UUID, seen: int) -> None:
        self.watchers: set[_Watcher] = set()
        self.seen = seen
        self.listening = asyncio.Event()
        self.late = False
        self._bus = bus
        self._job_id = job_id
        self.task = asyncio.create_task(self._listen(), name="watch")

    async def _listen(self) -> None:
        try:
            async with self._bus.subscribe(subjects.job_feed(self._job_id)) as messages:
                self.listening.set()
                if self.late:
                    self.put(GAP)
                async for message in messages:
                    if isinstance(message, Gap):
                        self.put(message)
                    elif not message.subject.endswith(".control"):
                        self._hear(message)
        except DomainError as error:
            log.warning("watchers read the store instead", job_id=str(self._job_id), error=str(error))
        finally:
            self.listening.set()

    def _hear(self, message: Message) -> None:
        try:
            event = JobEvent.FromString(message.data)
        except DecodeError as error:
            # Whoever tells that, perhaps another version of ours, must not make us deaf to the rest.
            log.warning("what is told makes no sense", subject=message.subject, error=str(error))
            self.put(GAP)
        else:
            self.put(event)

    def put(self, event: JobEvent | Gap) -> None:
        if not isinstance(event, Gap):
            self.seen = max(self.seen, event.sequence)
        for watcher in self.watchers:
            watcher.put(event)

    def close(self) -> None:
        for watcher in self.watchers:
            watcher.close()


class Watches:
    """The jobs that are watched through this process."""

    def __init__(self, pool: Pool, bus: Bus) -> None:
        self._pool = pool
        self._bus = bus
        self._feeds: dict[UUID, _Feed] = {}
        self._stopping = False

    async def watch(self, job_id: UUID, after: int) -> AsyncGenerator[JobEvent]:
        """The events of a job after a sequence, live once they are up to date; ends when the job has ended.

        NotFound JOB_NOT_FOUND; OutOfRange SEQUENCE_AHEAD when the job has no such event yet; Unavailable
        SERVER_STOPPING when the server is being stopped.
        """
        async with self._pool.acquire() as connection:
            job = await store.read_standing(connection, job_id)
        if job is None:
            raise job_not_found(job_id)
        if after > job.last_sequence:
            raise OutOfRange(
                "SEQUENCE_AHEAD",
                f"The job's newest event is {job.last_sequence}, and {after} is after it. Watch from 0.",
                metadata={"last_sequence": str(job.last_sequence)},
            )

        async def fetch(seen: int, limit: int) -> Sequence[JobEvent]:
            async with self._pool.acquire() as connection:
                stored = await store.fetch_events(connection, job_id, seen, limit)
            return [JobEvent.FromString(message) for message in stored]

        if job.status.final:
            async for event in follow(after, fetch, _nothing(), _sequence):
                yield event
            return
        async with self._watching(job_id, job.last_sequence) as live:
            async for event in follow(after, fetch, live, _sequence, _is_last):
                yield event
                if _is_last(event):
                    return
        if self._stopping:
            raise Unavailable(
                "SERVER_STOPPING", "The server is being stopped. Watch again from the last event."
            )
        raise job_not_found(job_id)

    @contextlib.asynccontextmanager
    async def comparing(self) -> AsyncIterator[None]:
        """Notice what NATS did not bring, for the time of the context."""
        task = asyncio.create_task(self._compare_for_ever(), name="watches")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def stop(self) -> None:
        """End all watches: the server is being stopped."""
        self._stopping = True
        for feed in self._feeds.values():
            feed.close()

    @contextlib.asynccontextmanager
    async def _watching(self, job_id: UUID, last_sequence: int) -> AsyncIterator[_Watcher]:
        feed = self._feeds.get(job_id)
        if feed is None:
            # What the job's row says was read before anybody replays the store, so every replay covers it.
            feed = self._feeds[job_id] = _Feed(self._bus, job_id, last_sequence)
        watcher = _Watcher(_BACKLOG)
        feed.watchers.add(watcher)
        try:
            try:
                async with asyncio.timeout(_SUBSCRIBE_WITHIN):
                    await feed.listening.wait()
            except TimeoutError:
                # NATS is just going away. The watch begins all the same, and reads again when subscribed.
                feed.late = True
            if self._stopping:
                watcher.close()
            yield watcher
        finally:
            feed.watchers.discard(watcher)
            if not feed.watchers:
                del self._feeds[job_id]
                feed.task.cancel()
                await asyncio.gather(feed.task, return_exceptions=True)

    async def _compare_for_ever(self) -> None:
        due = 0.0
        while True:
            await asyncio.sleep(_COMPARE_EVERY_WITHOUT_BUS)
            if self._bus.connected and time.monotonic() < due:
                continue
            due = time.monotonic() + _COMPARE_EVERY
            try:
                await self._compare()
            except Exception as error:
                # Without it watchers would hang on whatever NATS did not bring: go on, whatever it is.
                expected = database_error(error) is not None
                log.warning("watches cannot be compared", error=type(error).__name__, exc_info=not expected)

    async def _compare(self) -> None:
        # Watches that begin while the jobs are read may be of jobs that were not asked for.
        feeds = dict(self._feeds)
        if not feeds:
            return
        async with self._pool.acquire() as connection:
            newest = await store.last_sequences(connection, list(feeds))
        for job_id, feed in feeds.items():
            if job_id not in newest:
                feed.close()
            elif newest[job_id] > feed.seen:
                feed.seen = newest[job_id]
                feed.put(GAP)


def _sequence(event: JobEvent) -> int:
    return event.sequence


def _is_last(event: JobEvent) -> bool:
    status = status_of(event.status_change.status) if event.HasField("status_change") else None
    return status is not None and status.final


async def _nothing() -> AsyncIterator[JobEvent | Gap]:
    """The live events of a job that has ended."""
    events: tuple[JobEvent, ...] = ()
    for event in events:
        yield event
