"""Handlers of data sets and their archives."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import grpc

from annotateforge.api.content.v1.content_pb2 import ContentInfo
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.dataset.archive import Archive, Span
from annotateforge.dataset.arranging import Arranger
from annotateforge.dataset.backfill import Backfill
from annotateforge.dataset.datasets import Dataset
from annotateforge.dataset.health_message import health_message
from annotateforge.dataset.imports.opening import Spool
from annotateforge.dataset.opened import OpenedArchives
from annotateforge.dataset.preparing import Preparer, Progress
from annotateforge.dataset.rpc.dataset_messages import (
    dataset_message,
    entry_message,
    progress_message,
    read_task,
)
from annotateforge.dataset.spec import read_spec
from annotateforge.dataset.store import datasets as store
from annotateforge.dataset.streaming import join_images, stream_archive, stream_images, stream_texts
from annotateforge.runtime.blob_sweep import BlobSweep
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import InvalidArgument, NotFound
from annotateforge.runtime.ids import parse_id
from annotateforge.runtime.paging import read_page
from annotateforge.runtime.ranges import requested_range
from annotateforge.runtime.texts import text_defect
from annotateforge.runtime.wire import in_wire_form

Context = grpc.aio.ServicerContext[Any, Any]

_PROGRESS_EVERY = 0.2
"""Seconds between two messages of progress."""
_ENTRIES = 1000
_MOST_BLOBS = 10_000
_MOST_TEXTS = 100_000
_LONGEST_HOLD = 86_400
"""Seconds."""
_LONGEST_HOLDER = 200


class DatasetHandlers:
    """CheckDataset to DownloadTexts."""

    def __init__(
        self,
        pool: Pool,
        blobs: BlobStore,
        sweep: BlobSweep,
        spool: Spool,
        backfill: Backfill,
        arranger: Arranger,
    ) -> None:
        self._pool = pool
        self._blobs = blobs
        self._sweep = sweep
        self._opened = OpenedArchives(blobs, arranger)
        self._preparer = Preparer(pool, blobs, backfill, self._opened, spool)

    async def CheckDataset(
        self, request: api.CheckDatasetRequest, context: Context
    ) -> api.CheckDatasetResponse:
        report = await self._preparer.check(read_spec(request.spec))
        return api.CheckDatasetResponse(report=health_message(report))

    async def PrepareDataset(
        self, request: api.PrepareDatasetRequest, context: Context
    ) -> AsyncIterator[api.PrepareDatasetResponse]:
        spec = read_spec(request.spec)
        progress = Progress()
        work = asyncio.create_task(self._preparer.prepare(spec, progress), name="prepare data set")
        try:
            shown = None
            while not work.done():
                message = progress_message(progress)
                if message != shown:
                    yield api.PrepareDatasetResponse(progress=message)
                    shown = message
                await asyncio.wait({work}, timeout=_PROGRESS_EVERY)
            yield api.PrepareDatasetResponse(dataset=dataset_message(work.result()))
        finally:
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await work

    async def GetDataset(self, request: api.GetDatasetRequest, context: Context) -> api.GetDatasetResponse:
        return api.GetDatasetResponse(dataset=dataset_message(await self._get_dataset(request.dataset_id)))

    async def ListDatasets(
        self, request: api.ListDatasetsRequest, context: Context
    ) -> api.ListDatasetsResponse:
        page = read_page(request.page_size, request.page_token, (UUID,))
        task = read_task(request.task_type)
        async with self._pool.acquire() as connection:
            found = await store.list_datasets(
                connection, page.cursor[0] if page.cursor else None, task, page.limit
            )
        datasets, next_page_token = page.cut(found, lambda dataset: (dataset.id,))
        return api.ListDatasetsResponse(
            datasets=map(dataset_message, datasets), next_page_token=next_page_token
        )

    async def DeleteDataset(
        self, request: api.DeleteDatasetRequest, context: Context
    ) -> api.DeleteDatasetResponse:
        dataset_id = parse_id(request.dataset_id, "dataset_id")
        async with self._pool.acquire() as connection, connection.transaction():
            await store.delete_dataset(connection, dataset_id)
        self._sweep.wake()
        return api.DeleteDatasetResponse()

    async def HoldDataset(self, request: api.HoldDatasetRequest, context: Context) -> api.HoldDatasetResponse:
        dataset_id = parse_id(request.dataset_id, "dataset_id")
        _check_holder(request.holder)
        if not 0 <= request.seconds <= _LONGEST_HOLD:
            raise InvalidArgument.of_field("INVALID_HOLD", "seconds", f"must be 0 to {_LONGEST_HOLD:,}")
        async with self._pool.acquire() as connection:
            await store.hold_dataset(connection, dataset_id, request.holder, request.seconds)
        return api.HoldDatasetResponse()

    async def ReleaseDataset(
        self, request: api.ReleaseDatasetRequest, context: Context
    ) -> api.ReleaseDatasetResponse:
        dataset_id = parse_id(request.dataset_id, "dataset_id")
        _check_holder(request.holder)
        async with self._pool.acquire() as connection:
            await store.release_dataset(connection, dataset_id, request.holder)
        return api.ReleaseDatasetResponse()

    async def GetManifest(
        self, request: api.GetManifestRequest, context: Context
    ) -> AsyncIterator[api.GetManifestResponse]:
        _, archive = await self._open_archive(request.dataset_id)
        # Names and digests repeat one another: what goes over the line is less than half.
        context.set_compression(grpc.Compression.Gzip)
        labels_sha256 = archive.manifest.label_pack.hex()
        for first in range(0, len(archive), _ENTRIES):
            entries = archive.entries(first, first + _ENTRIES)
            yield api.GetManifestResponse(entries=map(entry_message, entries), labels_sha256=labels_sha256)
            labels_sha256 = ""

    async def DownloadArchive(
        self, request: api.DownloadArchiveRequest, context: Context
    ) -> AsyncIterator[api.DownloadArchiveResponse]:
        dataset, archive = await self._open_archive(request.dataset_id)
        part = requested_range(request.offset, request.length, archive.size)
        digest = dataset.digest.hex()
        yield api.DownloadArchiveResponse(
            info=ContentInfo(
                content_type="application/zip",
                filename=f"{archive.manifest.task.name.lower()}-{digest[:12]}.zip",
                total_size=archive.size,
                etag=digest,
                offset=part.offset,
                length=part.length,
            )
        )
        # The messages as they go over the wire: making each as an object would copy every byte twice more.
        async for parts in stream_archive(archive, self._blobs, part.offset, part.offset + part.length):
            yield in_wire_form(api.DownloadArchiveResponse, "chunk", parts)

    async def DownloadBlobs(
        self, request: api.DownloadBlobsRequest, context: Context
    ) -> AsyncIterator[api.DownloadBlobsResponse]:
        _, archive = await self._open_archive(request.dataset_id)
        images = _wanted_images(archive, request.sha256)
        if request.joined:
            async for chunk, last in join_images(self._blobs, images):
                yield api.DownloadBlobsResponse(chunk=chunk, last=last)
            return
        async for sha256, chunk, last in stream_images(self._blobs, images):
            yield api.DownloadBlobsResponse(sha256=sha256, chunk=chunk, last=last)

    async def DownloadTexts(
        self, request: api.DownloadTextsRequest, context: Context
    ) -> AsyncIterator[api.DownloadTextsResponse]:
        _, archive = await self._open_archive(request.dataset_id)
        spans = _wanted_texts(archive, request.positions)
        async for chunk in stream_texts(archive, self._blobs, spans):
            yield api.DownloadTextsResponse(chunk=chunk)

    async def _get_dataset(self, dataset_id: str) -> Dataset:
        key = parse_id(dataset_id, "dataset_id")
        async with self._pool.acquire() as connection:
            return await store.get_dataset(connection, key)

    async def _open_archive(self, dataset_id: str) -> tuple[Dataset, Archive]:
        dataset = await self._get_dataset(dataset_id)
        return dataset, await self._opened.open(dataset.digest)


def _check_holder(holder: str) -> None:
    if wrong := text_defect(holder, _LONGEST_HOLDER, required=True):
        raise InvalidArgument.of_field("INVALID_HOLD", "holder", wrong)


def _wanted_images(archive: Archive, digests: Sequence[str]) -> list[tuple[str, int]]:
    """Digest and size of the images that were asked for."""
    if not 1 <= len(digests) <= _MOST_BLOBS:
        raise InvalidArgument.of_field("INVALID_DIGEST", "sha256", f"must name 1 to {_MOST_BLOBS:,} digests")
    for number, digest in enumerate(digests):
        if not _DIGEST.fullmatch(digest):
            raise InvalidArgument.of_field(
                "INVALID_DIGEST", f"sha256[{number}]", "must be a SHA-256 of 64 lower-case hexadecimal digits"
            )
    records = archive.manifest.find([bytes.fromhex(digest) for digest in digests]).tolist()
    for digest, record in zip(digests, records, strict=True):
        if record < 0:
            raise NotFound(
                "BLOB_NOT_IN_DATASET",
                f"No image of the data set has the digest {digest}.",
                metadata={"sha256": digest},
            )
    sizes = archive.manifest.records["size"][records].tolist()
    return list(zip(digests, sizes, strict=True))


def _wanted_texts(archive: Archive, positions: Sequence[int]) -> list[Span]:
    """The files that were asked for."""
    if not 1 <= len(positions) <= _MOST_TEXTS:
        raise _wrong_position("positions", f"must name 1 to {_MOST_TEXTS:,} positions")
    spans: list[Span] = []
    for number, position in enumerate(positions):
        if number and position <= positions[number - 1]:
            raise _wrong_position(f"positions[{number}]", "must be greater than the one before")
        span = archive.text(position)
        if span is None:
            raise _wrong_position(f"positions[{number}]", "is neither data.yaml nor a label file")
        spans.append(span)
    return spans


def _wrong_position(field: str, description: str) -> InvalidArgument:
    return InvalidArgument.of_field("INVALID_POSITION", field, description)


_DIGEST = re.compile(r"[0-9a-f]{64}")
