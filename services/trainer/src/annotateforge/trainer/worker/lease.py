"""Keeps the attempt's lease alive and hears what the trainer wants of it."""

import asyncio
from collections.abc import Callable

import grpc
import structlog
from google.protobuf.duration_pb2 import Duration

from annotateforge.api.trainer.v1.worker_pb2 import Load
from annotateforge.api.trainer.v1.worker_service_pb2 import (
    Assignment,
    Directive,
    HeartbeatRequest,
)
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer.worker.retries import LONGEST_DELAY, Backoff
from annotateforge.trainer.worker.stopping import Stop, Why

HOLD = 4.0
"""Seconds that a heartbeat is held until there is a directive; a third of the lease where that is less."""
ANSWER = 5.0
"""Seconds beyond them that an answer may take."""

log = structlog.get_logger()


def is_fenced(error: DomainError) -> bool:
    """Whether the trainer says that the attempt is no longer this worker's."""
    return error.reason in ("ATTEMPT_STALE", "JOB_NOT_FOUND")


def heed(directive: Directive.ValueType, stop: Stop) -> None:
    """Do as the trainer says."""
    if directive == Directive.DIRECTIVE_CANCEL:
        stop.tell(Why.CANCELLED)


class Lease:
    """The lease of one attempt."""

    def __init__(
        self,
        stub: WorkerServiceStub,
        worker_id: str,
        assignment: Assignment,
        stop: Stop,
        load: Callable[[], Load],
        heard_again: Callable[[], None] = lambda: None,
    ) -> None:
        """heard_again: called when the trainer answers after it did not."""
        self._load = load
        self._heard_again = heard_again
        self._stub = stub
        self._worker_id = worker_id
        self._job_id = assignment.job.id
        self._attempt = assignment.attempt
        self._seconds = assignment.lease.ToTimedelta().total_seconds() or 3 * HOLD
        self._stop = stop

    async def keep(self) -> None:
        """Send heartbeats until cancelled, or until the attempt is another worker's.

        While the trainer is away, the training goes on: it may come back before it has missed the lease.
        """
        # When the trainer is back, the time of a lease is left to be heard of.
        backoff = Backoff(min(LONGEST_DELAY, self._seconds / 4))
        silent = False
        while True:
            hold = min(HOLD, self._seconds / 3)
            # A directive that is known already would be answered at once, again and again.
            wait = hold if self._stop.why is None else 0.0
            try:
                response = await self._stub.Heartbeat(self._request(wait), timeout=wait + ANSWER)
            except grpc.aio.AioRpcError as failed:
                error = from_rpc_error(failed)
                if is_fenced(error):
                    log.warning("lost the attempt", error=str(error))
                    self._stop.tell(Why.LOST)
                    return
                log.warning("heartbeat failed", error=str(error))
                silent = True
                await backoff.wait()
                continue
            backoff.reset()
            if silent:
                silent = False
                self._heard_again()
            self._seconds = response.lease.ToTimedelta().total_seconds() or self._seconds
            heed(response.directive, self._stop)
            if wait == 0:
                await asyncio.sleep(hold)

    def _request(self, wait: float) -> HeartbeatRequest:
        held = Duration()
        held.FromMilliseconds(int(wait * 1000))
        return HeartbeatRequest(
            worker_id=self._worker_id,
            job_id=self._job_id,
            attempt=self._attempt,
            load=self._load(),
            wait=held,
        )
