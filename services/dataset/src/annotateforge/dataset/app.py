"""The dataset service's wiring: production, tests and `annotateforge up` all enter `running`."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import add_DatasetServiceServicer_to_server
from annotateforge.dataset.arranging import Arranger
from annotateforge.dataset.backfill import Backfill
from annotateforge.dataset.imports.importing import Importer
from annotateforge.dataset.imports.opening import Spool
from annotateforge.dataset.inspector import inspecting
from annotateforge.dataset.lookers import looking
from annotateforge.dataset.rpc.service import DatasetRpc
from annotateforge.dataset.settings import Settings
from annotateforge.dataset.upkeep import Upkeep
from annotateforge.dataset.uploads import Uploader
from annotateforge.runtime.auth import TokenVerifier
from annotateforge.runtime.blob_sweep import BlobSweep
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import database
from annotateforge.runtime.server import serve

SERVICE = "annotateforge.api.dataset.v1.DatasetService"
SCHEMA = "dataset"


@dataclass(frozen=True, slots=True)
class App:
    """The dataset service as it runs."""

    address: str
    """Where it is reached, host:port."""


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[App]:
    """Run the dataset service for the time of the context."""
    # A folder of its own within the store: this service deletes blobs that its own tables do not need.
    blobs = BlobStore.open(f"{settings.store_url.rstrip('/')}/dataset")
    settings.dataset_spool_folder.mkdir(parents=True, exist_ok=True)
    spool = Spool(settings.dataset_spool_folder, settings.dataset_keep_free_bytes)
    pool_size = max(2, settings.database_pool_size)
    async with (
        database(settings.database_url, SCHEMA, "annotateforge.dataset", max_size=pool_size) as pool,
        looking(settings.dataset_image_threads) as lookers,
    ):
        sweep = BlobSweep(pool, blobs, references=("images", "thumbnails"), checked=("dataset_blobs",))
        with inspecting(settings.image_limits, settings.dataset_image_threads) as inspector:
            backfill = Backfill(pool, blobs, lookers)
            arranger = Arranger(blobs)
            upkeep = Upkeep(pool)
            rpc = DatasetRpc(
                pool=pool,
                blobs=blobs,
                sweep=sweep,
                inspector=inspector,
                uploader=Uploader(pool, blobs, inspector, settings.dataset_most_upload_images),
                importer=Importer(
                    pool,
                    blobs,
                    inspector,
                    spool,
                    settings.archive_limits,
                    settings.import_turns,
                    backfill.look_ahead,
                    upkeep.imported,
                    sweep.wake,
                ),
                spool=spool,
                backfill=backfill,
                arranger=arranger,
                settings=settings,
            )
            async with (
                sweep.sweeping(),
                backfill.running(),
                arranger.running(),
                upkeep.running(),
                serve(
                    settings.listen,
                    [(add_DatasetServiceServicer_to_server, rpc, SERVICE)],
                    TokenVerifier.from_settings(settings),
                ) as server,
            ):
                yield App(server.address)
