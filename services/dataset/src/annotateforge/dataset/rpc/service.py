"""DatasetService: its handlers joined."""

from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceServicer
from annotateforge.dataset.arranging import Arranger
from annotateforge.dataset.backfill import Backfill
from annotateforge.dataset.imports.importing import Importer
from annotateforge.dataset.imports.opening import Spool
from annotateforge.dataset.inspector import Inspector
from annotateforge.dataset.rpc.datasets import DatasetHandlers
from annotateforge.dataset.rpc.exports import ExportHandlers
from annotateforge.dataset.rpc.images import ImageHandlers
from annotateforge.dataset.rpc.imports import ImportHandlers
from annotateforge.dataset.rpc.projects import ProjectHandlers
from annotateforge.dataset.settings import Settings
from annotateforge.dataset.uploads import Uploader
from annotateforge.runtime.blob_sweep import BlobSweep
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool


class DatasetRpc(
    ProjectHandlers, ImageHandlers, ImportHandlers, ExportHandlers, DatasetHandlers, DatasetServiceServicer
):
    """All of DatasetService; what is below are its parts."""

    def __init__(
        self,
        *,
        pool: Pool,
        blobs: BlobStore,
        sweep: BlobSweep,
        inspector: Inspector,
        uploader: Uploader,
        importer: Importer,
        spool: Spool,
        backfill: Backfill,
        arranger: Arranger,
        settings: Settings,
    ) -> None:
        stall_seconds = settings.dataset_stall_seconds
        ProjectHandlers.__init__(self, pool, sweep)
        ImageHandlers.__init__(self, pool, blobs, inspector, uploader, sweep, stall_seconds)
        ImportHandlers.__init__(
            self,
            pool,
            importer,
            spool,
            settings.dataset_most_archive_bytes,
            stall_seconds,
            settings.dataset_import_seconds,
        )
        # Each class has attributes of its own names; those that are the same are the same objects.
        ExportHandlers.__init__(self, pool, blobs, spool)
        DatasetHandlers.__init__(self, pool, blobs, sweep, spool, backfill, arranger)
