"""The registry's settings and wiring: production, tests and `annotateforge up` all enter `running`."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from annotateforge.api.registry.v1.registry_service_pb2_grpc import add_RegistryServiceServicer_to_server
from annotateforge.registry.registry import Registry
from annotateforge.registry.rpc import RegistryRpc
from annotateforge.runtime.auth import TokenVerifier
from annotateforge.runtime.blob_sweep import BlobSweep
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.bus import connect_bus
from annotateforge.runtime.database import database
from annotateforge.runtime.outbox import Outbox
from annotateforge.runtime.server import serve
from annotateforge.runtime.settings import BusSettings, DatabaseSettings, ServiceSettings, StoreSettings

SERVICE = "annotateforge.api.registry.v1.RegistryService"
SCHEMA = "registry"


class Settings(DatabaseSettings, BusSettings, StoreSettings, ServiceSettings):
    """What the registry reads from the environment."""

    registry_most_model_bytes: Annotated[int, Field(ge=1)] = 8 * 1024**3
    """Most bytes that the artifacts of one model may have together."""


@dataclass(frozen=True, slots=True)
class App:
    """The registry as it runs."""

    address: str
    """Where it is reached, host:port."""


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[App]:
    """Run the registry for the time of the context."""
    # A folder of its own within the store: this service deletes blobs that its own tables do not need.
    blobs = BlobStore.open(f"{settings.store_url.rstrip('/')}/registry")
    async with (
        database(
            settings.database_url, SCHEMA, "annotateforge.registry", max_size=settings.database_pool_size
        ) as pool,
        connect_bus(settings.nats_url, "registry") as bus,
    ):
        await bus.declare_streams()
        outbox = Outbox(pool, bus)
        sweep = BlobSweep(pool, blobs, references=("artifacts",))
        rpc = RegistryRpc(pool, Registry(pool, outbox, sweep), blobs, settings.registry_most_model_bytes)
        async with (
            outbox.sweeping(),
            sweep.sweeping(),
            serve(
                settings.listen,
                [(add_RegistryServiceServicer_to_server, rpc, SERVICE)],
                TokenVerifier.from_settings(settings),
            ) as server,
        ):
            yield App(server.address)
