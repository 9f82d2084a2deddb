"""Checkpoints of an attempt on their way to the trainer, and the one that the attempt goes on from."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc
import structlog

from annotateforge.api.trainer.v1.worker_service_pb2 import (
    Assignment,
    CheckpointHeader,
    DownloadCheckpointRequest,
    UploadCheckpointRequest,
)
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer.worker.content import Content
from annotateforge.trainer.worker.failures import ContentDamaged
from annotateforge.trainer.worker.kept_state import KeptState
from annotateforge.trainer.worker.lease import is_fenced
from annotateforge.trainer.worker.retries import Backoff, may_be_mended
from annotateforge.trainer.worker.stopping import Stop, Why

_CHUNK = 512 * 1024
_LEAST_DEADLINE = 120.0
_SLOWEST = 256 * 1024
"""Bytes a second below which an upload is given up and begun anew."""

log = structlog.get_logger()


class Checkpoints:
    """Uploads the states that the child keeps: one at a time, of those that wait the newest, and no more
    often than it has to.
    """

    def __init__(
        self,
        stub: WorkerServiceStub,
        assignment: Assignment,
        stop: Stop,
        reported: Callable[[], Awaitable[None]],
        kept: KeptState | None,
        every: float,
    ) -> None:
        """reported: waits until all reports so far are accepted. A checkpoint comes after the report of its
        epoch: an attempt that goes on from it does not report that epoch.
        kept: gets what was uploaded last; None removes it.
        every: seconds from the beginning of one upload to that of the next, unless it is in a hurry.
        """
        self._stub = stub
        self._job_id = assignment.job.id
        self._attempt = assignment.attempt
        self._stop = stop
        self._reported = reported
        self._kept = kept
        self._every = every
        self._due = 0.0
        self._hurry = asyncio.Event()
        self._folder: Path | None = None
        self._done = 0
        self._news = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self.refused: DomainError | None = None
        """What the trainer said of the newest state when it did not take it."""

    def watch(self, folder: Path) -> None:
        """Where the child puts its states, as `<epoch>.pt`, each whole or not at all."""
        self._folder = folder

    def look(self) -> None:
        """See whether there is a new state."""
        if self._newest() is not None:
            self._settled.clear()
            self._news.set()

    async def send(self) -> None:
        """Upload what comes until cancelled, or until the trainer wants nothing any more."""
        backoff = Backoff()
        while True:
            await self._news.wait()
            self._news.clear()
            while self._newest() is not None:
                await self._until_due()
                path = self._newest()
                if path is None:
                    break
                try:
                    await self._reported()
                    digest = await self._upload(path)
                except (grpc.aio.AioRpcError, FileNotFoundError) as failed:
                    if isinstance(failed, FileNotFoundError):
                        # The attempt is over, and its folder gone.
                        continue
                    error = from_rpc_error(failed)
                    if is_fenced(error):
                        self._stop.tell(Why.LOST)
                        return
                    log.warning("checkpoint is not taken", error=str(error))
                    if backoff.may_pass(error):
                        self._due = 0.0
                        await backoff.wait()
                        continue
                    # What the trainer does not take is passed over: the next one may be another matter.
                    self.refused = error
                    if not may_be_mended(error):
                        path.unlink(missing_ok=True)
                else:
                    self.refused = None
                    backoff.reset()
                    if self._kept is None:
                        path.unlink(missing_ok=True)
                    else:
                        self._kept.keep(path, digest)
                self._done = max(self._done, int(path.stem))
            self._settled.set()

    async def flush(self) -> None:
        """Wait until the newest state that is there now is uploaded, at once."""
        self._hurry.set()
        try:
            self.look()
            await self._settled.wait()
        finally:
            self._hurry.clear()

    async def _until_due(self) -> None:
        """Wait until the next upload may begin."""
        now = asyncio.get_running_loop().time
        if (left := self._due - now()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._hurry.wait()
        self._due = now() + self._every

    def _newest(self) -> Path | None:
        """The newest state that was not uploaded; older ones are removed."""
        if self._folder is None:
            return None
        found = sorted(self._folder.glob("[0-9]*.pt"))
        for path in found[:-1]:
            path.unlink(missing_ok=True)
        return found[-1] if found and int(found[-1].stem) > self._done else None

    async def _upload(self, path: Path) -> str:
        """Bring a state to the trainer; its SHA-256."""
        # Opened once: a newer state removes the name, not the bytes.
        with path.open("rb") as file:
            size = path.stat().st_size
            digest = (await asyncio.to_thread(hashlib.file_digest, file, "sha256")).hexdigest()

            async def parts() -> AsyncIterator[UploadCheckpointRequest]:
                header = CheckpointHeader(
                    job_id=self._job_id,
                    attempt=self._attempt,
                    epoch=int(path.stem),
                    size_bytes=size,
                    sha256=digest,
                )
                yield UploadCheckpointRequest(header=header)
                file.seek(0)
                while chunk := await asyncio.to_thread(file.read, _CHUNK):
                    yield UploadCheckpointRequest(chunk=chunk)

            await self._stub.UploadCheckpoint(parts(), timeout=_LEAST_DEADLINE + size / _SLOWEST)
        log.info("checkpoint saved", epoch=int(path.stem), bytes=size)
        return digest


async def fetch_checkpoint(stub: WorkerServiceStub, assignment: Assignment, path: Path) -> bool:
    """Download the checkpoint that the job goes on from to `path`; False when the trainer has lost it.

    DomainError when it cannot be had otherwise, ContentDamaged when it is not what was saved.
    """
    saved = assignment.job.checkpoint
    content = Content(
        f"the checkpoint of epoch {saved.epoch}",
        lambda offset: stub.DownloadCheckpoint(
            DownloadCheckpointRequest(job_id=assignment.job.id, attempt=assignment.attempt, offset=offset)
        ),
    )
    digest = hashlib.sha256()
    try:
        with path.open("wb") as file:
            async with contextlib.aclosing(content.chunks()) as chunks:
                async for chunk in chunks:
                    digest.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
    except DomainError as error:
        if error.reason in ("CHECKPOINT_NOT_FOUND", "BLOB_NOT_FOUND"):
            return False
        raise
    if digest.hexdigest() != saved.sha256:
        raise ContentDamaged(f"the checkpoint of epoch {saved.epoch} does not have its SHA-256")
    return True
