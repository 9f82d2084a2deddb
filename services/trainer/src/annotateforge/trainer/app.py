"""The trainer API's settings and wiring: production, tests and `annotateforge up` all enter `running`."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from annotateforge.api.trainer.v1.trainer_service_pb2_grpc import add_TrainerServiceServicer_to_server
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import add_WorkerServiceServicer_to_server
from annotateforge.runtime.auth import Role, TokenVerifier
from annotateforge.runtime.blob_sweep import BlobSweep
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.bus import connect_bus
from annotateforge.runtime.call import caller_token
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.database import database
from annotateforge.runtime.outbox import Outbox
from annotateforge.runtime.own_token import OwnToken
from annotateforge.runtime.server import serve
from annotateforge.runtime.settings import (
    Address,
    BusSettings,
    DatabaseSettings,
    ServiceSettings,
    StoreSettings,
)
from annotateforge.trainer.base_models import BaseModels
from annotateforge.trainer.checkpoints import Checkpoints
from annotateforge.trainer.dataset_holds import DatasetHolds
from annotateforge.trainer.datasets import Datasets
from annotateforge.trainer.jobs import Jobs
from annotateforge.trainer.journal import Journal
from annotateforge.trainer.leases import Heartbeats, LeaseSweeper
from annotateforge.trainer.logs import Logs
from annotateforge.trainer.queue import Queue
from annotateforge.trainer.rpc import TrainerRpc
from annotateforge.trainer.sweeps import Sweeps
from annotateforge.trainer.waiting_workers import WaitingWorkers
from annotateforge.trainer.wakeups import Wakeups
from annotateforge.trainer.watch import Watches
from annotateforge.trainer.worker_rpc import WorkerRpc

SCHEMA = "trainer"
TRAINER_SERVICE = "annotateforge.api.trainer.v1.TrainerService"
WORKER_SERVICE = "annotateforge.api.trainer.v1.WorkerService"
LEASES_UNTIL_OFFLINE = 3
"""A worker that was not heard of for so many leases is shown as offline."""


class Settings(DatabaseSettings, BusSettings, StoreSettings, ServiceSettings):
    """What the trainer API reads from the environment."""

    dataset_address: Address
    """Where the dataset service is reached."""
    registry_address: Address
    """Where the registry is reached."""
    lease_seconds: Annotated[float, Field(ge=0.5, le=3600)] = 15.0
    """How long an attempt lives without a heartbeat of its worker."""
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 5
    """Attempts in a row that may be lost or interrupted without a new checkpoint before a job fails."""
    trainer_most_checkpoint_bytes: Annotated[int, Field(ge=1)] = 32 * 1024**3
    """Most bytes that a checkpoint may have."""
    freeze_timeout_seconds: Annotated[float, Field(ge=1, le=3600)] = 600.0
    """How long freezing a job's data set may take."""


@dataclass(frozen=True, slots=True)
class App:
    """The trainer API as it runs."""

    address: str
    """Where it is reached, host:port."""


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[App]:
    """Run the trainer API for the time of the context."""
    lease = timedelta(seconds=settings.lease_seconds)
    # A folder of its own within the store: this service deletes blobs that its own tables do not need.
    blobs = BlobStore.open(f"{settings.store_url.rstrip('/')}/trainer")
    async with (
        database(
            settings.database_url, SCHEMA, "annotateforge.trainer", max_size=settings.database_pool_size
        ) as pool,
        connect_bus(settings.nats_url, "trainer") as bus,
        open_channel(settings.dataset_address, caller_token) as dataset_channel,
        open_channel(settings.registry_address, caller_token) as registry_channel,
        open_channel(
            settings.dataset_address,
            OwnToken(settings.secret.get_secret_value(), Role.EDITOR, "service:trainer"),
        ) as own_dataset_channel,
    ):
        await bus.declare_streams()
        outbox = Outbox(pool, bus)
        wakeups = Wakeups(bus)
        waiting_workers = WaitingWorkers(bus)
        watches = Watches(pool, bus)
        sweep = BlobSweep(pool, blobs, references=("checkpoints",))
        holds = DatasetHolds(pool, own_dataset_channel)
        journal = Journal(pool, outbox, bus, wakeups, waiting_workers, sweep, holds.wake)
        checkpoints = Checkpoints(pool, journal, blobs, sweep, settings.trainer_most_checkpoint_bytes)
        online_for = LEASES_UNTIL_OFFLINE * lease
        jobs = Jobs(
            pool,
            journal,
            Datasets(dataset_channel, settings.freeze_timeout_seconds),
            BaseModels(registry_channel),
            online_for,
        )
        queue = Queue(pool, journal, waiting_workers, lease)
        heartbeats = Heartbeats(pool, journal, wakeups, lease)
        logs = Logs(pool, bus)
        trainer = TrainerRpc(pool, jobs, Sweeps(pool, journal, jobs), logs, watches, online_for)
        worker = WorkerRpc(queue, heartbeats, journal, checkpoints, logs, lease, settings.max_attempts)
        async with (
            outbox.sweeping(),
            sweep.sweeping(),
            holds.sweeping(),
            wakeups.relaying(),
            waiting_workers.relaying(),
            watches.comparing(),
            LeaseSweeper(pool, journal, lease, settings.max_attempts).sweeping(),
            serve(
                settings.listen,
                [
                    (add_TrainerServiceServicer_to_server, trainer, TRAINER_SERVICE),
                    (add_WorkerServiceServicer_to_server, worker, WORKER_SERVICE),
                ],
                TokenVerifier.from_settings(settings),
            ) as server,
        ):
            with _letting_go(wakeups, waiting_workers, watches):
                yield App(server.address)


@contextlib.contextmanager
def _letting_go(*rooms: Wakeups | WaitingWorkers | Watches) -> Iterator[None]:
    """At the end, before the server stops: let those go who wait, whom it would have to cancel."""
    try:
        yield
    finally:
        for room in rooms:
            room.stop()
