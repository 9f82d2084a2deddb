"""Checkpoints of jobs: the newest one of each is kept in the blob store until the job ends."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from annotateforge.api.content.v1.content_pb2 import ContentInfo
from annotateforge.api.trainer.v1.worker_service_pb2 import (
    CheckpointHeader,
    DownloadCheckpointRequest,
    DownloadCheckpointResponse,
    UploadCheckpointRequest,
)
from annotateforge.runtime.blob_claims import claiming
from annotateforge.runtime.blob_sweep import BlobSweep
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import (
    DeadlineExceeded,
    FieldViolation,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
)
from annotateforge.runtime.ids import parse_id
from annotateforge.runtime.ranges import requested_range
from annotateforge.trainer import lifecycle, store
from annotateforge.trainer.job import JobState, SavedCheckpoint
from annotateforge.trainer.journal import Journal, job_not_found
from annotateforge.trainer.violations import Violations

LARGEST_CHUNK = 1024 * 1024
PATIENCE = 60.0
"""Seconds to wait for the next part of an upload."""
LONGEST_UPLOAD = 3600.0
"""Seconds that one upload may take; below the lifetime of its claims."""

_SHA256 = re.compile(r"[0-9a-f]{64}")

Parts = AsyncIterator[UploadCheckpointRequest]


@dataclass(frozen=True, slots=True)
class Upload:
    """What a worker wants to be kept."""

    job_id: UUID
    attempt: int
    epoch: int
    size_bytes: int
    sha256: str


class Checkpoints:
    """Takes checkpoints from workers and hands them out to those that go on."""

    def __init__(
        self, pool: Pool, journal: Journal, blobs: BlobStore, sweep: BlobSweep, most_bytes: int
    ) -> None:
        """most_bytes: most bytes of one checkpoint."""
        self._pool = pool
        self._journal = journal
        self._blobs = blobs
        self._sweep = sweep
        self._most_bytes = most_bytes

    async def take(self, parts: Parts) -> SavedCheckpoint:
        """Keep what a stream brings, and answer the job's newest checkpoint. Repeating it is harmless.

        InvalidArgument UNEXPECTED_PART, INVALID_CHECKPOINT, CHUNK_TOO_LARGE, CHECKPOINT_DAMAGED;
        ResourceExhausted CHECKPOINT_TOO_LARGE; DeadlineExceeded UPLOAD_STALLED; NotFound JOB_NOT_FOUND;
        Aborted ATTEMPT_STALE, which also comes before the bytes do.
        """
        try:
            async with asyncio.timeout(LONGEST_UPLOAD):
                return await self._take(parts)
        except TimeoutError as error:
            raise DeadlineExceeded(
                "UPLOAD_STALLED", "The checkpoint did not come in time. Send it again."
            ) from error

    async def _take(self, parts: Parts) -> SavedCheckpoint:
        first = await _next(parts)
        if first is None or first.WhichOneof("part") != "header":
            raise _unexpected("the checkpoint's header must come first")
        upload = read_header(first.header, self._most_bytes)
        job = await self._fenced(upload.job_id, upload.attempt)
        kept = job.checkpoint
        if kept is not None and not lifecycle.wants_checkpoint(job, _saved(upload, kept.time)):
            return kept
        async with claiming(self._pool, self._sweep.wake) as claims:
            await claims.claim([(bytes.fromhex(upload.sha256), upload.size_bytes)])
            await self._blobs.put_stream(_bytes_of(upload, parts), limit=upload.size_bytes)
            async with self._pool.acquire() as connection, connection.transaction():
                # Before blobs are locked through their foreign keys: the order in which the sweep locks.
                await claims.give_back(connection)
                before, change = await self._journal.change_within(
                    connection,
                    upload.job_id,
                    lambda job, now: lifecycle.keep_checkpoint(job, upload.attempt, _saved(upload, now), now),
                )
        await self._journal.announce(before, change)
        assert change.job.checkpoint is not None
        return change.job.checkpoint

    async def hand_out(self, request: DownloadCheckpointRequest) -> AsyncIterator[DownloadCheckpointResponse]:
        """The newest checkpoint of the open attempt's job, from an offset.

        NotFound JOB_NOT_FOUND, CHECKPOINT_NOT_FOUND; Aborted ATTEMPT_STALE; InvalidArgument INVALID_RANGE,
        OutOfRange OFFSET_BEYOND_END.
        """
        job = await self._fenced(parse_id(request.job_id, "job_id"), request.attempt)
        kept = job.checkpoint
        if kept is None:
            raise NotFound("CHECKPOINT_NOT_FOUND", "The job has no checkpoint. Begin at the beginning.")
        part = requested_range(request.offset, 0, kept.size_bytes)
        yield DownloadCheckpointResponse(
            info=ContentInfo(
                content_type="application/octet-stream",
                filename=f"checkpoint-{kept.epoch}.pt",
                total_size=kept.size_bytes,
                etag=kept.sha256,
                offset=part.offset,
                length=part.length,
            )
        )
        async for chunk in self._blobs.stream(kept.sha256, part.offset, part.length):
            yield DownloadCheckpointResponse(chunk=chunk)

    async def _fenced(self, job_id: UUID, attempt: int) -> JobState:
        async with self._pool.acquire() as connection, connection.transaction():
            locked = await store.lock_job(connection, job_id)
        if locked is None:
            raise job_not_found(job_id)
        lifecycle.fence(locked[0], attempt)
        return locked[0]


def read_header(header: CheckpointHeader, most_bytes: int) -> Upload:
    """InvalidArgument INVALID_ID, INVALID_CHECKPOINT; ResourceExhausted CHECKPOINT_TOO_LARGE."""
    job_id = parse_id(header.job_id, "header.job_id")
    violations = Violations()
    violations.whole("header.epoch", header.epoch, 1, 10_000)
    violations.whole("header.size_bytes", header.size_bytes, 1, 2**62)
    if not _SHA256.fullmatch(header.sha256):
        violations.add("header.sha256", "must be 64 lower-case hexadecimal digits")
    violations.raise_any("INVALID_CHECKPOINT")
    if header.size_bytes > most_bytes:
        raise ResourceExhausted(
            "CHECKPOINT_TOO_LARGE",
            f"A checkpoint has at most {most_bytes} bytes; see ANNOTATEFORGE_TRAINER_MOST_CHECKPOINT_BYTES.",
        )
    return Upload(job_id, header.attempt, header.epoch, header.size_bytes, header.sha256)


async def _bytes_of(upload: Upload, parts: Parts) -> AsyncIterator[bytes]:
    """The chunks; ends with an exception unless they are what was announced, so that nothing is kept."""
    size, digest = 0, hashlib.sha256()
    while (part := await _next(parts)) is not None:
        if part.WhichOneof("part") != "chunk":
            raise _unexpected("only chunks may follow the header")
        size += len(part.chunk)
        if len(part.chunk) > LARGEST_CHUNK:
            raise InvalidArgument.of_field(
                "CHUNK_TOO_LARGE", "chunk", f"must have at most {LARGEST_CHUNK} bytes"
            )
        if size > upload.size_bytes:
            break
        digest.update(part.chunk)
        yield part.chunk
    if size != upload.size_bytes or digest.hexdigest() != upload.sha256:
        raise InvalidArgument(
            "CHECKPOINT_DAMAGED",
            "The bytes of the checkpoint are not those of its header. Send it again.",
            violations=[FieldViolation("header.sha256", "is not that of the bytes that came")],
        )


async def _next(parts: Parts) -> UploadCheckpointRequest | None:
    async with asyncio.timeout(PATIENCE):
        return await anext(parts, None)


def _saved(upload: Upload, now: datetime) -> SavedCheckpoint:
    return SavedCheckpoint(upload.epoch, upload.attempt, upload.size_bytes, upload.sha256, now)


def _unexpected(why: str) -> InvalidArgument:
    return InvalidArgument.of_field("UNEXPECTED_PART", "part", why)
