"""An attempt's reports on their way to the trainer: numbered, in order, each until it is accepted."""

import asyncio

import grpc
import structlog

from annotateforge.api.trainer.v1.worker_service_pb2 import Assignment, Report, ReportEventsRequest
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer.worker.lease import heed, is_fenced
from annotateforge.trainer.worker.report_journal import ReportJournal
from annotateforge.trainer.worker.retries import Backoff
from annotateforge.trainer.worker.stopping import Stop, Why

BATCH = 500
"""Most reports in one call."""
BATCH_BYTES = 1024 * 1024
"""Bytes of reports after which a call gets no further ones."""
DEADLINE = 10.0

log = structlog.get_logger()


class Reports:
    """Takes reports at once and sends them when it can. What waits while the trainer is away is sent
    afterwards.
    """

    def __init__(
        self, stub: WorkerServiceStub, assignment: Assignment, stop: Stop, journal: ReportJournal
    ) -> None:
        """journal: where they wait, perhaps with some that an earlier process has left."""
        self._stub = stub
        self._job_id = assignment.job.id
        self._attempt = assignment.attempt
        self._stop = stop
        self._journal = journal
        self._progress: Report | None = None
        self._changed = asyncio.Condition()
        self._news = asyncio.Event()
        if journal.waiting:
            self._news.set()
        self.refused: DomainError | None = None
        """What the trainer said of a report that it will never accept."""

    def add(self, report: Report) -> None:
        """Take the next report; its time is kept, its number is given here.

        Progress is live only: one that has not been sent is dropped as soon as anything newer comes.
        """
        if report.HasField("progress"):
            report.number = 0
            self._progress = report
        else:
            self._progress = None
            report.number = self._journal.last_number + 1
            self._journal.append(report)
        self._news.set()

    async def send(self) -> None:
        """Send what comes until cancelled, or until the trainer wants nothing any more."""
        backoff = Backoff()
        while True:
            await self._news.wait()
            self._news.clear()
            while batch := self._batch():
                try:
                    accepted = await self._send(batch)
                except grpc.aio.AioRpcError as failed:
                    error = from_rpc_error(failed)
                    if is_fenced(error):
                        self._stop.tell(Why.LOST)
                        return
                    if not backoff.may_pass(error):
                        log.error("the trainer refuses reports", error=str(error))
                        self.refused = error
                        self._stop.tell(Why.REFUSED)
                        return
                    log.warning("reports wait", error=str(error), waiting=self._journal.waiting)
                    await backoff.wait()
                    continue
                if await self._drop(batch, accepted):
                    backoff.reset()
                else:
                    await backoff.wait()

    async def flush(self) -> None:
        """Wait until all that was added is accepted, for ever if the attempt has to stop meanwhile."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._journal.waiting)

    def _batch(self) -> list[Report]:
        """What is sent next; progress after all that came before it."""
        batch = self._journal.batch(BATCH, BATCH_BYTES)
        if self._progress is not None and len(batch) == self._journal.waiting and len(batch) < BATCH:
            batch.append(self._progress)
        return batch

    async def _send(self, batch: list[Report]) -> int:
        request = ReportEventsRequest(job_id=self._job_id, attempt=self._attempt, reports=batch)
        response = await self._stub.ReportEvents(request, timeout=DEADLINE)
        heed(response.directive, self._stop)
        return response.accepted_through

    async def _drop(self, sent: list[Report], accepted: int) -> bool:
        """Forget what is recorded, and the progress that was sent; False when there was nothing to forget."""
        if sent[-1] is self._progress:
            self._progress = None
        async with self._changed:
            forgotten = self._journal.forget(accepted)
            self._changed.notify_all()
        return forgotten > 0 or sent[-1].number == 0
