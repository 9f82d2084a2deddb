"""Fans the events of jobs out to whoever watches: replay from the store, then live, no gap, no repeat."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from annotateforge.api.trainer.v1 import event_pb2
from annotateforge.gateway.watched_job import Peer, Place, Store, WatchedJob
from annotateforge.runtime.bus import Message
from annotateforge.runtime.errors import DeadlineExceeded, Internal, Unavailable
from annotateforge.runtime.feed import FETCH_LIMIT, Gap

_RETRY_SECONDS = 1.0


@dataclass(slots=True)
class _Entry:
    job: WatchedJob
    task: asyncio.Task[None]
    watchers: int = 0


class Hub:
    """The jobs that are watched in this process."""

    def __init__(
        self,
        store: Store,
        listen: Callable[[str], AsyncGenerator[Message | Gap, None]],
        encode: Callable[[event_pb2.JobEvent], bytes],
    ) -> None:
        """`listen` answers what is told about the job with that id, `encode` makes what a peer is sent."""
        self._store = store
        self._listen = listen
        self._encode = encode
        self._entries: dict[str, _Entry] = {}

    @property
    def watched(self) -> int:
        """How many jobs are watched."""
        return len(self._entries)

    @property
    def watchers(self) -> int:
        """How many watch."""
        return sum(entry.watchers for entry in self._entries.values())

    async def serve(self, job_id: str, after: int, peer: Peer) -> None:
        """Send the job's events after sequence number `after` to a peer: what is stored, then live.

        Returns after the job's last event; for a job that has ended, after replaying. Live-only events come
        once all that is stored has; progress that is overtaken by a newer event before the peer takes it is
        left out. Who takes slowly goes on from the store. DomainError when the job is deleted meanwhile,
        ConnectionResetError when the peer has left.
        """
        async with self._joined(job_id) as job:
            place = Place(after, job.logged)
            while True:
                await self._catch_up(job, place, peer)
                if job.failure is not None:
                    raise job.failure
                if job.ended:
                    return
                await job.carry(peer, place)

    async def _catch_up(self, job: WatchedJob, place: Place, peer: Peer) -> None:
        """Send what there is until the peer has it all."""
        while True:
            if job.head is not None and place.seen < job.head:
                frame = job.frame(place.seen + 1)
                if frame is not None:
                    place.seen += 1
                    await peer.send_frame(frame)
                    continue
                for event in await self._stored(job.job_id, place.seen):
                    await peer.send_frame(self._encode(event))
                    place.seen = event.sequence
            elif place.logged < job.logged:
                place.logged, frame = job.log_after(place.logged)
                await peer.send_frame(frame)
            elif job.failure is None and not job.ended and job.progress not in (None, place.shown):
                place.shown = job.progress
                await peer.send_frame(place.shown)
            else:
                return

    async def _stored(self, job_id: str, after: int) -> Sequence[event_pb2.JobEvent]:
        while True:
            try:
                events = await self._store.events(job_id, after, FETCH_LIMIT)
            except (Unavailable, DeadlineExceeded):
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if not events:
                raise Internal("INTERNAL", f"The events of job {job_id} after {after} are not stored.")
            return events

    @contextlib.asynccontextmanager
    async def _joined(self, job_id: str) -> AsyncIterator[WatchedJob]:
        entry = self._entries.get(job_id)
        if entry is None:
            job = WatchedJob(job_id, self._store, self._encode)
            task = asyncio.create_task(job.run(self._listen(job_id)), name=f"job {job_id}")
            entry = self._entries[job_id] = _Entry(job, task)
        entry.watchers += 1
        try:
            yield entry.job
        finally:
            entry.watchers -= 1
            if entry.watchers == 0:
                del self._entries[job_id]
                entry.task.cancel()
