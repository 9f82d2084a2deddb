"""Holds: the dataset service deletes no data set of a job that has not ended, because the trainer asks it not
to.

A job is created under a hold that ends by itself, in the name of whoever creates it; so nothing is left when
the job is never written. The sweep turns it into one that lasts, and releases it when the job has ended or
is gone. Each of its steps can be repeated, and is, until it is written down as done.
"""

from contextlib import AbstractAsyncContextManager

import grpc
import structlog

from annotateforge.api.dataset.v1.dataset_pb2 import Dataset
from annotateforge.api.dataset.v1.dataset_service_pb2 import HoldDatasetRequest, ReleaseDatasetRequest
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import DeadlineExceeded, DomainError, NotFound, Unavailable
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.runtime.sweep import Sweep
from annotateforge.trainer import hold_store as store
from annotateforge.trainer.records import DatasetHold

_BATCH = 50
_EVERY = 5.0
_TIMEOUT = 10.0

log = structlog.get_logger()


class DatasetHolds:
    """Keeps the dataset service's holds as the jobs need them."""

    def __init__(self, pool: Pool, channel: grpc.aio.Channel) -> None:
        """`channel` leads to the dataset service, with a token of the trainer's own."""
        self._pool = pool
        self._stub = DatasetServiceStub(channel)
        self._sweep = Sweep("data set holds", self.settle, _EVERY)

    def wake(self) -> None:
        """Look now; to be called when a job was made or has ended."""
        self._sweep.wake()

    def sweeping(self) -> AbstractAsyncContextManager[None]:
        """Sweep for the time of the context."""
        return self._sweep.running()

    async def settle(self) -> bool:
        """Ask for the holds that lack and release those that are not needed; whether more may be left."""
        async with self._pool.acquire() as connection:
            new = await store.list_jobs_without_hold(connection, _BATCH)
            await store.add_holds(
                connection, [(job_id, Dataset.FromString(dataset).id) for job_id, dataset in new]
            )
            lacking = await store.list_unconfirmed_holds(connection, _BATCH)
            over = await store.list_holds_of_ended_jobs(connection, _BATCH)
        settled, refused = len(new), None
        for hold, wanted in [*((hold, True) for hold in lacking), *((hold, False) for hold in over)]:
            try:
                settled += await self._settle(hold, wanted=wanted)
            except (Unavailable, DeadlineExceeded):
                raise
            except DomainError as error:
                # That of this data set alone: the others' are settled all the same.
                log.warning("a hold is refused", dataset_id=hold.dataset_id, error=str(error))
                refused = error
        if refused is not None:
            raise refused
        # Where another process is at all of them, there is nothing to do here.
        return settled > 0 and _BATCH in (len(new), len(lacking), len(over))

    async def _settle(self, hold: DatasetHold, *, wanted: bool) -> bool:
        """Ask for a hold or release it, and write that down; False when it is not for us to do."""
        async with self._pool.acquire() as connection, connection.transaction():
            if not await store.lock_hold(connection, hold.job_id, wanted=wanted):
                return False
            if wanted:
                await self._hold(hold)
                await store.confirm_hold(connection, hold.job_id)
            else:
                await self._release(hold)
                await store.delete_hold(connection, hold.job_id)
        return True

    async def _hold(self, hold: DatasetHold) -> None:
        request = HoldDatasetRequest(dataset_id=hold.dataset_id, holder=hold.holder)
        try:
            await self._stub.HoldDataset(request, timeout=_TIMEOUT)
        except grpc.aio.AioRpcError as error:
            what = from_rpc_error(error)
            if not isinstance(what, NotFound):
                raise what from error
            # The job will fail for it and say so.
            log.warning("a job's data set is gone", job_id=str(hold.job_id), dataset_id=hold.dataset_id)

    async def _release(self, hold: DatasetHold) -> None:
        request = ReleaseDatasetRequest(dataset_id=hold.dataset_id, holder=hold.holder)
        try:
            await self._stub.ReleaseDataset(request, timeout=_TIMEOUT)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
