"""Jobs and their stored events, read from the trainer: the truth that NATS only tells of."""

from collections.abc import Sequence
from typing import NamedTuple

import grpc

from annotateforge.api.trainer.v1 import (
    event_pb2,
    job_pb2,
    trainer_service_pb2,
    trainer_service_pb2_grpc,
)
from annotateforge.runtime.rpc_status import from_rpc_error

FINAL = frozenset(
    {
        job_pb2.JOB_STATUS_COMPLETED,
        job_pb2.JOB_STATUS_FAILED,
        job_pb2.JOB_STATUS_CANCELLED,
    }
)
"""Statuses after which nothing happens to a job any more."""


class Position(NamedTuple):
    """Where a job's history stands."""

    sequence: int
    """Of the newest stored event; 0 when there is none."""
    ended: bool
    """Whether that event is the last one."""


def is_last(event: event_pb2.JobEvent) -> bool:
    """Whether a job's history ends with this event."""
    return event.WhichOneof("payload") == "status_change" and event.status_change.status in FINAL


class JobStore:
    """Reads from the trainer over a channel. Its errors are domain errors."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._trainer = trainer_service_pb2_grpc.TrainerServiceStub(channel)

    async def position(self, job_id: str, token: str | None = None) -> Position:
        """Where the job's history stands; with `token` in its owner's name.

        NotFound for a job that is not there, InvalidArgument INVALID_ID for an id that is none.
        """
        try:
            answer = await self._trainer.GetJob(
                trainer_service_pb2.GetJobRequest(job_id=job_id), metadata=_authorization(token), timeout=10
            )
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        return Position(answer.job.last_sequence, answer.job.status in FINAL)

    async def events(self, job_id: str, after: int, limit: int) -> Sequence[event_pb2.JobEvent]:
        """Up to `limit` stored events with a greater sequence than `after`, in order."""
        request = trainer_service_pb2.ListEventsRequest(job_id=job_id, after=after, page_size=limit)
        try:
            return (await self._trainer.ListEvents(request, timeout=30)).events
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error


def _authorization(token: str | None) -> tuple[tuple[str, str], ...] | None:
    return None if token is None else (("authorization", f"Bearer {token}"),)
