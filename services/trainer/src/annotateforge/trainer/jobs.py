"""Jobs as people see them: made, changed, cancelled, repeated and deleted."""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from annotateforge.api.dataset.v1.dataset_pb2 import Dataset
from annotateforge.api.trainer.v1.trainer_service_pb2 import RestartJobRequest
from annotateforge.api.trainer.v1.worker_pb2 import Worker
from annotateforge.runtime.database import Connection, Pool
from annotateforge.runtime.errors import Aborted, FailedPrecondition, NotFound
from annotateforge.runtime.ids import new_id
from annotateforge.trainer import lifecycle, store, worker_store
from annotateforge.trainer.base_models import BaseModels
from annotateforge.trainer.datasets import Datasets
from annotateforge.trainer.job import Change
from annotateforge.trainer.journal import Journal, job_not_found
from annotateforge.trainer.messages import dataset_ready, task_word
from annotateforge.trainer.orders import Order, Update, repeated
from annotateforge.trainer.placement import Demand, warning_of_no_worker
from annotateforge.trainer.records import JobRecord, NewJob
from annotateforge.trainer.request_keys import RequestKey
from annotateforge.trainer.status import Status
from annotateforge.trainer.violations import Violations


class Jobs:
    """All jobs."""

    def __init__(
        self,
        pool: Pool,
        journal: Journal,
        datasets: Datasets,
        base_models: BaseModels,
        online_for: timedelta,
    ) -> None:
        """online_for: how long a worker that was heard of counts as online."""
        self._online_for = online_for
        self._pool = pool
        self._journal = journal
        self._datasets = datasets
        self._base_models = base_models

    async def get(self, job_id: UUID) -> JobRecord:
        """One job. NotFound JOB_NOT_FOUND."""
        async with self._pool.acquire() as connection:
            record = await store.read_job(connection, job_id)
        if record is None:
            raise job_not_found(job_id)
        return record

    async def create(self, order: Order) -> JobRecord:
        """Freeze the data set and put a job into the queue. The same request again answers the first job.

        AlreadyExists REQUEST_ID_REUSED for another one with its id. Raises what the dataset service and the
        registry answer; see `Datasets.frozen` and `BaseModels.settle`.
        """
        found = await self._made_by(order.request)
        return await self._make(order) if found is None else await self.get(found)

    async def repeat(self, job_id: UUID, request: RestartJobRequest) -> JobRecord:
        """Put a job like another one into the queue, with what is to change. NotFound JOB_NOT_FOUND; raises
        what `create` does. The same request again answers the first result, also when the other job is gone.
        """
        # An id that cannot be is refused with whatever else is wrong.
        found = await self._made_by(RequestKey.of(request, Violations()))
        if found is not None:
            return await self.get(found)
        return await self._make(repeated(await self.get(job_id), request))

    async def _make(self, order: Order) -> JobRecord:
        await self._base_models.settle(order.config, order.task_type)
        dataset = await self._dataset(order)
        job_id = new_id()
        await self.hold(dataset, [job_id])
        return await self.get(await self._write(job_id, order, dataset))

    async def update(self, job_id: UUID, update: Update) -> JobRecord:
        """Change what is not None. NotFound JOB_NOT_FOUND; FailedPrecondition JOB_NOT_PENDING for the
        priority of a job that waits no longer.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            locked = await store.lock_job(connection, job_id)
            if locked is None:
                raise job_not_found(job_id)
            status = locked[0].status
            if update.priority is not None and status is not Status.PENDING:
                raise FailedPrecondition(
                    "JOB_NOT_PENDING", f"The job is {status}; only the priority of a waiting one can change."
                )
            await store.update_job(connection, job_id, update.name, update.description, update.priority)
        if update.priority is not None:
            # It may come before a job now for which a worker keeps its devices, or behind others itself.
            await self._journal.wake_worker(locked[0])
            await self._journal.waits_no_longer(locked[0])
        return await self.get(job_id)

    async def cancel(self, job_id: UUID) -> JobRecord:
        """Cancel a job; see `lifecycle.cancel`. NotFound JOB_NOT_FOUND, FailedPrecondition JOB_ENDED."""
        await self._journal.change(job_id, lifecycle.cancel)
        return await self.get(job_id)

    async def delete(self, job_id: UUID) -> None:
        """Delete a job that has ended; cancel one that has not, and keep it. NotFound JOB_NOT_FOUND."""
        async with self._pool.acquire() as connection, connection.transaction():
            locked = await store.lock_job(connection, job_id)
            if locked is None:
                raise job_not_found(job_id)
            if locked[0].status.final:
                await store.delete_job(connection, job_id)
                return
            before, change = await self._journal.change_within(connection, job_id, lifecycle.cancel)
        await self._journal.announce(before, change)

    async def _made_by(self, request: RequestKey | None) -> UUID | None:
        """The job that this request has made. AlreadyExists REQUEST_ID_REUSED."""
        if request is None:
            return None
        async with self._pool.acquire() as connection:
            made = await store.find_request(connection, request.id)
        return None if made is None else made.by(request, "job")

    async def _dataset(self, order: Order) -> Dataset:
        """The data set to train on; a repeated job gets that of the first one for as long as it is there."""
        config, task = order.config, order.task_type
        if order.dataset is not None and not config.dataset_id:
            with contextlib.suppress(NotFound):
                return await self._datasets.get(order.dataset.id, task)
        return await self._datasets.frozen(config, task)

    async def prepare(self, orders: Sequence[Order]) -> Dataset:
        """The data set of jobs over the same data, frozen once, with each config's architecture settled.

        Raises what `create` does.
        """
        for order in orders:
            await self._base_models.settle(order.config, order.task_type)
        return await self._dataset(orders[0])

    async def hold(self, dataset: Dataset, job_ids: Sequence[UUID]) -> None:
        """Keep the data set from being deleted until the jobs that are about to be written hold it."""
        for job_id in job_ids:
            await self._datasets.hold(dataset.id, job_id)

    async def write_within(
        self, connection: Connection, job_id: UUID, order: Order, dataset: Dataset, now: datetime
    ) -> Change | None:
        """Write a new job inside the caller's transaction, who announces the change after the commit.

        None, and nothing is written, when another job has its request id.
        """
        config = order.config
        if not config.dataset_id:
            # The dataset service has filled in what was left out.
            del config.annotation_types[:]
            config.annotation_types.extend(dataset.spec.annotation_types)
            config.split.CopyFrom(dataset.spec.split)
        new = NewJob(
            name=order.name,
            description=order.description,
            task_type=task_word(order.task_type),
            config=config.SerializeToString(),
            dataset=dataset.SerializeToString(),
            priority=config.priority,
            request=order.request,
            restarted_from=order.restarted_from,
        )
        descriptions = await worker_store.list_worker_descriptions(connection, self._online_for)
        warning = warning_of_no_worker(config, map(Worker.FromString, descriptions))
        change = lifecycle.create(
            job_id, config.epochs, dataset_ready(dataset), now, warning, Demand.of(config)
        )
        return change if await self._journal.create(connection, new, change, now) else None

    async def _write(self, job_id: UUID, order: Order, dataset: Dataset) -> UUID:
        async with self._pool.acquire() as connection, connection.transaction():
            now = await store.read_clock(connection)
            change = await self.write_within(connection, job_id, order, dataset, now)
        if change is not None:
            await self._journal.announce(None, change)
            return change.job.id
        found = await self._made_by(order.request)
        if found is None:
            raise Aborted(
                "TRANSACTION_CONFLICT", "The job of this request id was deleted at the same time. Try again."
            )
        return found
