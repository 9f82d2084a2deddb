"""One job as all of its watchers in this process share it: one subscription, each event encoded once."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from google.protobuf.message import DecodeError

from annotateforge.api.trainer.v1 import event_pb2
from annotateforge.gateway.job_store import Position, is_last
from annotateforge.runtime.bus import Message
from annotateforge.runtime.errors import DeadlineExceeded, DomainError, Internal, Unavailable
from annotateforge.runtime.feed import GAP, Gap, follow

WINDOW = 512
"""Newest events that are kept encoded; who is further behind reads the store."""
LOG_WINDOW = 32
"""Newest messages of the log that are kept encoded; who is further behind misses some."""
_LONGEST_PAUSE = 5.0

log = structlog.get_logger()


class Peer(Protocol):
    """A watcher's connection; see `websocket_protocol.FrameProtocol`."""

    def offer(self, frame: bytes) -> bool:
        """Write now; False, and nothing is written, when it takes slowly or has left."""

    async def send_frame(self, frame: bytes) -> None:
        """Write once it takes what came before. ConnectionResetError when it has left."""

    async def pause(self) -> None:
        """Wait for `wake`. ConnectionResetError when it has left, or does meanwhile."""

    def wake(self) -> None:
        """End a pause."""


@dataclass(slots=True)
class Place:
    """How much of a job a watcher has got."""

    seen: int
    """Sequence of the last event."""
    logged: int
    """How many messages of the log, of those that came in this process."""
    shown: bytes | None = None
    """The last progress."""


class Store(Protocol):
    """Where the truth is; see `job_store.JobStore`."""

    async def position(self, job_id: str, token: str | None = None) -> Position: ...

    async def events(self, job_id: str, after: int, limit: int) -> Sequence[event_pb2.JobEvent]: ...


class WatchedJob:
    """The newest events of a job, encoded, for as long as `run` runs.

    Watchers read it like a log, each at its own pace: `head` is the newest sequence, `frame` answers an event
    near it. Who has caught up is carried: what comes is written to all of them in one go, and who does not
    take it at once goes on reading by itself. Nothing is queued per watcher, so a slow one costs nothing and
    delays nobody.
    """

    def __init__(self, job_id: str, store: Store, encode: Callable[[event_pb2.JobEvent], bytes]) -> None:
        self.job_id = job_id
        self.head: int | None = None
        """Sequence of the newest event; None until it is known."""
        self.ended = False
        """Whether `head` is the job's last event."""
        self.failure: DomainError | None = None
        """Why there will be no more events, such as that the job was deleted."""
        self.progress: bytes | None = None
        """The newest progress, encoded; None when a stored event came after it."""
        self.logged = 0
        """How many messages of the log have come."""
        self._store = store
        self._encode = encode
        self._window: deque[bytes] = deque(maxlen=WINDOW)
        self._log: deque[bytes] = deque(maxlen=LOG_WINDOW)
        self._carried: dict[Peer, Place] = {}
        self._waiting: set[Peer] = set()

    def frame(self, sequence: int) -> bytes | None:
        """The encoded event of this sequence; None when it is not among the newest."""
        if self.head is None:
            return None
        index = len(self._window) - 1 - (self.head - sequence)
        return self._window[index] if 0 <= index < len(self._window) else None

    def log_after(self, seen: int) -> tuple[int, bytes]:
        """The oldest message of the log that is kept and is not among the first `seen`, with its place.

        There is one while `seen` is less than `logged`.
        """
        place = max(seen, self.logged - len(self._log))
        return place + 1, self._log[place - self.logged]

    async def carry(self, peer: Peer, place: Place) -> None:
        """Write what comes to a peer that has all there is, until it does not take it at once or there will
        be no more; `place` is then where it has stopped. A peer that is ahead of what is known waits for the
        next change only. ConnectionResetError when it has left.
        """
        if place.seen != self.head:
            self._waiting.add(peer)
            try:
                await peer.pause()
            finally:
                self._waiting.discard(peer)
            return
        self._carried[peer] = place
        try:
            await peer.pause()
        finally:
            if peer in self._carried:
                self._put_down(peer, self._end())

    async def run(self, messages: AsyncGenerator[Message | Gap, None]) -> None:
        """Follow the job until it has ended; `messages` tells of its events and of gaps, for ever."""
        try:
            await self._follow(_job_events(messages))
        except Exception as error:
            if not isinstance(error, DomainError):
                log.exception("cannot follow a job", job_id=self.job_id)
                error = Internal("INTERNAL", "Something went wrong on our side while following the job.")
            self.failure = error
            self._announce()

    async def _follow(self, live: AsyncIterator[event_pb2.JobEvent | Gap]) -> None:
        pause = 0.5
        while not self.ended:
            try:
                if self.head is None:
                    self.head, self.ended = await self._store.position(self.job_id)
                    self._announce()
                    continue
                async for event in follow(self.head, self._fetch, live, _sequence, is_last):
                    self._take(event)
                    pause = 0.5
                if not self.ended:
                    raise Unavailable("SERVER_STOPPING", "The server is stopping. Connect again in a moment.")
            except (Unavailable, DeadlineExceeded) as error:
                if error.reason == "SERVER_STOPPING":
                    raise
                log.warning("the trainer is away", job_id=self.job_id, error=error.message)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _fetch(self, after: int, limit: int) -> Sequence[event_pb2.JobEvent]:
        return await self._store.events(self.job_id, after, limit)

    def _take(self, event: event_pb2.JobEvent) -> None:
        frame = self._encode(event)
        before = self._end()
        if event.HasField("log"):
            self._log.append(frame)
            self.logged += 1
        elif event.sequence == 0:
            self.progress = frame
        else:
            if event.sequence - 1 != self.head:
                self._window.clear()
            self._window.append(frame)
            self.head = event.sequence
            self.progress = None
            self.ended = is_last(event)
        for peer in [peer for peer in self._carried if not peer.offer(frame)]:
            self._put_down(peer, before)
        if self.ended or self._waiting:
            self._announce()

    def _end(self) -> Place:
        """Where who has all there is stands."""
        return Place(self.head or 0, self.logged, self.progress)

    def _put_down(self, peer: Peer, end: Place) -> None:
        place = self._carried.pop(peer)
        place.seen, place.logged, place.shown = end.seen, end.logged, end.shown
        peer.wake()

    def _announce(self) -> None:
        """Wake all: they have to look for themselves."""
        for peer in (*self._carried, *self._waiting):
            peer.wake()


async def _job_events(
    messages: AsyncGenerator[Message | Gap, None],
) -> AsyncIterator[event_pb2.JobEvent | Gap]:
    async with contextlib.aclosing(messages):
        async for message in messages:
            if isinstance(message, Gap):
                yield message
            elif message.subject.endswith((".events", ".progress", ".log")):
                try:
                    yield event_pb2.JobEvent.FromString(message.data)
                except DecodeError:
                    log.warning("a message is no event", subject=message.subject)
                    yield GAP


def _sequence(event: event_pb2.JobEvent) -> int:
    return event.sequence
