"""What a training prints, on its way to the trainer: in batches, at a bounded rate, the newest first of all.

A log is worth less than the training: what cannot be sent is left out in the end, and nothing fails for it.
"""

import asyncio
import contextlib
from collections import deque

import grpc
import structlog

from annotateforge.api.trainer.v1.event_pb2 import LogLine
from annotateforge.api.trainer.v1.worker_service_pb2 import AppendLogRequest, Assignment
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer.worker.lease import is_fenced
from annotateforge.trainer.worker.retries import Backoff
from annotateforge.trainer.worker.stopping import Stop, Why

PAUSE = 1.0
"""Least seconds between two batches."""
BATCH_LINES = 500
BATCH_BYTES = 64 * 1024
"""Most bytes of text in a batch, and so, with the pause, per second."""
WAITING_BYTES = 256 * 1024
"""Bytes of text that may wait; beyond that the oldest lines are left out."""
DEADLINE = 10.0
FLUSH_DEADLINE = 5.0
"""Seconds that an attempt's end may be held up for the end of its log."""

log = structlog.get_logger()


class JobLog:
    """Takes lines at once and sends them when it may."""

    def __init__(self, stub: WorkerServiceStub, assignment: Assignment, stop: Stop) -> None:
        self._stub = stub
        self._job_id = assignment.job.id
        self._attempt = assignment.attempt
        self._stop = stop
        self._number = 0
        self._waiting: deque[LogLine] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._hurry = asyncio.Event()
        self._sent = asyncio.Event()
        self.batches = 0
        """How many were sent."""

    def add(self, text: str) -> None:
        """Take the next line."""
        self._number += 1
        line = LogLine(number=self._number, text=text)
        line.time.GetCurrentTime()
        self._waiting.append(line)
        self._bytes += len(text.encode())
        while self._bytes > WAITING_BYTES:
            self._drop()
        self._sent.clear()
        self._news.set()

    async def send(self) -> None:
        """Send what comes until cancelled, or until the trainer wants nothing any more."""
        backoff = Backoff()
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                batch = self._batch()
                try:
                    await self._stub.AppendLog(
                        AppendLogRequest(job_id=self._job_id, attempt=self._attempt, lines=batch),
                        timeout=DEADLINE,
                    )
                except grpc.aio.AioRpcError as failed:
                    error = from_rpc_error(failed)
                    if is_fenced(error):
                        self._stop.tell(Why.LOST)
                        return
                    log.warning("the log waits", error=str(error), lines=len(self._waiting))
                    if not backoff.may_pass(error):
                        self._forget(batch[-1].number)
                    await backoff.wait()
                    continue
                self.batches += 1
                backoff.reset()
                self._forget(batch[-1].number)
                await self._pause()
            self._sent.set()

    async def flush(self, seconds: float = FLUSH_DEADLINE) -> None:
        """Send what waits without further pauses; given up after `seconds`."""
        self._hurry.set()
        try:
            if self._waiting:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._sent.wait()
        finally:
            self._hurry.clear()

    def _batch(self) -> list[LogLine]:
        batch: list[LogLine] = []
        size = 0
        for line in self._waiting:
            size += len(line.text.encode())
            if batch and (size > BATCH_BYTES or len(batch) == BATCH_LINES):
                break
            batch.append(line)
        return batch

    def _forget(self, through: int) -> None:
        while self._waiting and self._waiting[0].number <= through:
            self._drop()

    def _drop(self) -> None:
        self._bytes -= len(self._waiting.popleft().text.encode())

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PAUSE):
                await self._hurry.wait()
