"""Sweeps: many jobs that differ in some settings, made in one transaction, and compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from annotateforge.api.trainer.v1.event_pb2 import JobEvent
from annotateforge.api.trainer.v1.job_pb2 import Job, JobConfig
from annotateforge.api.trainer.v1.sweep_pb2 import ComparedJob, Sweep
from annotateforge.api.trainer.v1.trainer_service_pb2 import CreateJobRequest, CreateSweepRequest
from annotateforge.runtime.database import Connection, Pool
from annotateforge.runtime.differences import fields_that_differ
from annotateforge.runtime.errors import Aborted, InvalidArgument, NotFound
from annotateforge.runtime.ids import new_id
from annotateforge.trainer import store, sweep_store
from annotateforge.trainer.comparison import compared
from annotateforge.trainer.config import filled_config
from annotateforge.trainer.job import Change
from annotateforge.trainer.jobs import Jobs
from annotateforge.trainer.journal import Journal, job_not_found
from annotateforge.trainer.messages import job_message
from annotateforge.trainer.orders import LONGEST_NAME, Order, read_order
from annotateforge.trainer.request_keys import RequestKey
from annotateforge.trainer.status import Status
from annotateforge.trainer.sweep_points import config_at, point_name, points_of
from annotateforge.trainer.violations import Violations

MOST_COMPARED = 100
"""Most jobs in one comparison."""


@dataclass(frozen=True, slots=True)
class SweepOrder:
    """A sweep to be made, checked."""

    sweep: Sweep
    request: RequestKey | None
    orders: tuple[Order, ...]
    """One for each job."""


def read_sweep_order(request: CreateSweepRequest) -> SweepOrder:
    """Check a CreateSweepRequest and lay out its jobs. InvalidArgument INVALID_JOB with all that is wrong."""
    base = read_order(
        CreateJobRequest(
            name=request.name,
            description=request.description,
            task_type=request.task_type,
            config=config_at(request.config, (), ()),
        )
    )
    violations = Violations()
    key = RequestKey.of(request, violations)
    points = points_of(request.axes, request.samples, request.seed, violations)
    orders = []
    for number, point in enumerate(points, 1):
        config = config_at(request.config, request.axes, point)
        name = f"{base.name} {number}: {point_name(request.axes, point)}"
        filled = filled_config(config, request.task_type, violations, f"jobs[{number}].config")
        orders.append(replace(base, name=name[:LONGEST_NAME], config=filled))
    violations.raise_any("INVALID_JOB")
    sweep = Sweep(
        name=base.name,
        task_type=request.task_type,
        axes=request.axes,
        samples=request.samples,
        seed=request.seed,
    )
    return SweepOrder(sweep, key, tuple(orders))


class Sweeps:
    """All sweeps."""

    def __init__(self, pool: Pool, journal: Journal, jobs: Jobs) -> None:
        self._pool = pool
        self._journal = journal
        self._jobs = jobs

    async def create(self, order: SweepOrder) -> Sweep:
        """Freeze the data set once and put all jobs into the queue, or none. The same request again
        answers the first sweep.

        AlreadyExists REQUEST_ID_REUSED for another request with its id. Raises what `Jobs.create` does.
        """
        found = await self._made_by(order.request)
        if found is not None:
            return await self.get(found)
        dataset = await self._jobs.prepare(order.orders)
        job_ids = [new_id() for _ in order.orders]
        await self._jobs.hold(dataset, job_ids)
        sweep_id, changes = new_id(), list[Change]()
        async with self._pool.acquire() as connection, connection.transaction():
            now = await store.read_clock(connection)
            order.sweep.id = str(sweep_id)
            order.sweep.create_time.FromDatetime(now)
            message = order.sweep.SerializeToString()
            written = await sweep_store.insert_sweep(connection, sweep_id, order.request, message)
            if written:
                for job_id, one in zip(job_ids, order.orders, strict=True):
                    change = await self._jobs.write_within(connection, job_id, one, dataset, now)
                    assert change is not None, "a job of a sweep has no request id that could be taken"
                    changes.append(change)
                await sweep_store.insert_sweep_jobs(connection, sweep_id, job_ids)
        for change in changes:
            await self._journal.announce(None, change)
        found = sweep_id if written else await self._made_by(order.request)
        if found is None:
            raise Aborted("TRANSACTION_CONFLICT", "The same sweep was made and is gone again. Try again.")
        return await self.get(found)

    async def get(self, sweep_id: UUID) -> Sweep:
        """One sweep. NotFound SWEEP_NOT_FOUND."""
        async with self._pool.acquire() as connection:
            message = await sweep_store.read_sweep(connection, sweep_id)
            if message is None:
                raise NotFound(
                    "SWEEP_NOT_FOUND", f"There is no sweep {sweep_id}.", metadata={"sweep_id": str(sweep_id)}
                )
            sweep = Sweep.FromString(message)
            sweep.job_ids.extend(map(str, await sweep_store.list_sweep_jobs(connection, sweep_id)))
        return sweep

    async def compare(self, job_ids: Sequence[UUID]) -> tuple[list[str], list[ComparedJob]]:
        """The settings in which jobs differ, and a line for each job in the order asked for.

        NotFound JOB_NOT_FOUND; InvalidArgument INVALID_COMPARISON for none or too many.
        """
        if not 1 <= len(job_ids) <= MOST_COMPARED:
            raise InvalidArgument.of_field(
                "INVALID_COMPARISON", "job_ids", f"are {len(job_ids):,}; name 1 to {MOST_COMPARED} jobs"
            )
        async with self._pool.acquire() as connection, connection.transaction(readonly=True):
            jobs = [await _read(connection, job_id) for job_id in job_ids]
            differing = fields_that_differ(JobConfig.DESCRIPTOR, [job.config for job in jobs])
            return differing, [await _line(connection, job, differing) for job in jobs]

    async def _made_by(self, request: RequestKey | None) -> UUID | None:
        if request is None:
            return None
        async with self._pool.acquire() as connection:
            made = await sweep_store.find_sweep(connection, request.id)
        return None if made is None else made.by(request, "sweep")


async def _read(connection: Connection, job_id: UUID) -> Job:
    record = await store.read_job(connection, job_id)
    if record is None:
        raise job_not_found(job_id)
    return job_message(record, with_log=False)


async def _line(connection: Connection, job: Job, differing: Sequence[str]) -> ComparedJob:
    job_id = UUID(job.id)
    if job.status == Status.COMPLETED.proto:
        message = await store.read_completion(connection, job_id)
        if message is not None:
            return compared(job, differing, None, JobEvent.FromString(message).training_complete)
    return compared(job, differing, await sweep_store.read_best_epoch(connection, job_id), None)
