"""Fans the events of jobs out to whoever watches: replay from the store, then live, no gap, no repeat."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from annotateforge.api.trainer.v1 import event_pb2
from annotateforge.gateway.watched_job import Store, WatchedJob
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
        encode: Callable[[event_pb2.JobEvent], str],
    ) -> None:
        """`listen` answers what is told about the job with that id, `encode` makes an event's text."""
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

    async def watch(self, job_id: str, after: int) -> AsyncGenerator[str, None]:
        """The job's events after sequence number `after`, encoded: what is stored, then live.

        Ends after the job's last event; for a job that has ended, after replaying. Live-only events come
        once all that is stored has; progress that is overtaken by a newer event is left out. Whoever takes
        the texts slowly goes on from the store. DomainError when the job is deleted meanwhile.
        """
        async with self._joined(job_id) as job:
            seen, shown, logged = after, None, job.logged
            while True:
                if job.head is not None and seen < job.head:
                    text = job.text(seen + 1)
                    if text is not None:
                        seen += 1
                        yield text
                        continue
                    for event in await self._stored(job_id, seen):
                        yield self._encode(event)
                        seen = event.sequence
                elif logged < job.logged:
                    logged, text = job.log_after(logged)
                    yield text
                elif job.failure is not None:
                    raise job.failure
                elif job.ended:
                    return
                elif job.progress is not None and job.progress is not shown:
                    shown = job.progress
                    yield shown
                else:
                    await job.changed()

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
