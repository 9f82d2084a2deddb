"""Handler of exports."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import grpc

from annotateforge.api.content.v1.content_pb2 import ContentInfo
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.dataset.exports import export_format
from annotateforge.dataset.exports.exporting import lay_out_export
from annotateforge.dataset.imports.opening import Spool
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool
from annotateforge.runtime.ids import parse_id
from annotateforge.runtime.ranges import requested_range

Context = grpc.aio.ServicerContext[Any, Any]


class ExportHandlers:
    """ExportProject."""

    def __init__(self, pool: Pool, blobs: BlobStore, spool: Spool) -> None:
        self._pool = pool
        self._blobs = blobs
        self._spool = spool

    async def ExportProject(
        self, request: api.ExportProjectRequest, context: Context
    ) -> AsyncIterator[api.ExportProjectResponse]:
        project_id = parse_id(request.project_id, "project_id")
        kind = export_format(request.format or "yolo")
        with ExitStack() as opened:
            export = await lay_out_export(self._pool, self._blobs, self._spool, project_id, kind, opened)
            part = requested_range(request.offset, request.length, export.layout.size)
            yield api.ExportProjectResponse(
                info=ContentInfo(
                    content_type="application/zip",
                    filename=f"{kind.name}-{project_id}.zip",
                    total_size=export.layout.size,
                    etag=export.layout.etag,
                    offset=part.offset,
                    length=part.length,
                )
            )
            async for chunk in export.stream(part.offset, part.offset + part.length):
                yield api.ExportProjectResponse(chunk=chunk)
