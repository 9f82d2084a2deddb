"""Handler of imports."""

import asyncio
from collections.abc import AsyncIterator
from typing import IO, Any

import grpc

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.dataset.imports import check_format
from annotateforge.dataset.imports.importing import Importer
from annotateforge.dataset.imports.opening import Spool
from annotateforge.dataset.rpc.messages import report_message
from annotateforge.dataset.rpc.streams import chunk_of, messages, unexpected_part
from annotateforge.dataset.store.projects import get_project
from annotateforge.runtime.blobs import Buffer
from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import DeadlineExceeded, ResourceExhausted
from annotateforge.runtime.ids import parse_id
from annotateforge.runtime.wire import gets_content

Context = grpc.aio.ServicerContext[Any, Any]
Part = api.ImportArchiveRequest | memoryview
"""A message, or what its chunk holds."""

_WRITE_BYTES = 4 * 1024**2
"""Bytes that are gathered before a thread writes them."""


class ImportHandlers:
    """ImportArchive."""

    def __init__(
        self,
        pool: Pool,
        importer: Importer,
        spool: Spool,
        most_bytes: int,
        stall_seconds: float,
        longest_seconds: float,
    ) -> None:
        self._pool = pool
        self._importer = importer
        self._spool = spool
        self._most_bytes = most_bytes
        self._stall_seconds = stall_seconds
        self._longest_seconds = longest_seconds

    @gets_content(api.ImportArchiveRequest, "chunk")
    async def ImportArchive(
        self, request_iterator: AsyncIterator[Part], context: Context
    ) -> api.ImportArchiveResponse:
        try:
            async with asyncio.timeout(self._longest_seconds):
                return await self._import(request_iterator)
        except TimeoutError as error:
            raise DeadlineExceeded(
                "IMPORT_TOO_SLOW",
                f"The import took longer than {self._longest_seconds:g} s and was given up."
                " Split the archive into several.",
            ) from error

    async def _import(self, request_iterator: AsyncIterator[Part]) -> api.ImportArchiveResponse:
        parts = messages(request_iterator, self._stall_seconds)
        first = await anext(parts, None)
        if not isinstance(first, api.ImportArchiveRequest) or first.WhichOneof("part") != "header":
            raise unexpected_part("a header must come first")
        project_id = parse_id(first.header.project_id, "header.project_id")
        check_format(first.header.format)
        async with self._pool.acquire() as connection:
            await get_project(connection, project_id)
        with self._spool.file() as archive:
            await self._receive(parts, archive)
            report = await self._importer.run(project_id, first.header.format, archive)
        return api.ImportArchiveResponse(report=report_message(report))

    async def _receive(self, parts: AsyncIterator[Part], archive: IO[bytes]) -> None:
        """Write the archive to the disk while it comes."""
        gathered: list[Buffer] = []
        waiting = total = 0
        async for part in parts:
            chunk = chunk_of(part)
            if chunk is None:
                raise unexpected_part("after the header only chunks may come")
            gathered.append(chunk)
            waiting += len(chunk)
            total += len(chunk)
            if total > self._most_bytes:
                raise ResourceExhausted(
                    "ARCHIVE_TOO_LARGE",
                    f"The archive has more than the {self._most_bytes:,} bytes that are allowed."
                    " Split it into several.",
                )
            if waiting >= _WRITE_BYTES:
                await self._write(archive, gathered, waiting)
                gathered, waiting = [], 0
        await self._write(archive, gathered, waiting)

    async def _write(self, archive: IO[bytes], chunks: list[Buffer], count: int) -> None:
        self._spool.reserve(count)
        await asyncio.to_thread(archive.writelines, chunks)
