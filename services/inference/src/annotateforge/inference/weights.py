"""Weights on the disk: brought from the registry once, and never used unless their digest is right."""

import asyncio
import contextlib
import hashlib
import os
from pathlib import Path
from typing import BinaryIO

import grpc
import structlog

from annotateforge.api.registry.v1 import registry_service_pb2 as registry
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.inference.catalog import KnownModel, registry_error
from annotateforge.runtime.errors import Aborted, DomainError, Unavailable
from annotateforge.runtime.ids import new_id

PATIENCE = 30.0
"""Seconds to wait for the registry's next chunk."""
_HASH_CHUNK = 1024 * 1024

log = structlog.get_logger()


class WeightsCache:
    """A folder of weights under their SHA-256; those that were not used for longest go when it is full."""

    def __init__(self, folder: Path, most_bytes: int, stub: RegistryServiceStub) -> None:
        """Makes the folder, readable by this user alone; what a killed process had begun to write there is
        removed.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for abandoned in folder.glob("*.part"):
            abandoned.unlink(missing_ok=True)
        self._folder = folder
        self._most_bytes = most_bytes
        self._stub = stub

    async def path_of(self, model: KnownModel) -> Path:
        """The file of a model's weights, downloaded where it is missing.

        Aborted MODEL_CHANGED when the registry holds other weights for the model by now. Unavailable
        REGISTRY_UNAVAILABLE. NotFound MODEL_NOT_FOUND.
        """
        path = self._folder / f"{model.weights_sha256}.pt"
        if await asyncio.to_thread(_is_intact, path, model.weights_sha256):
            return path
        await self._download(model, path)
        await asyncio.to_thread(self._make_room, path)
        return path

    async def _download(self, model: KnownModel, path: Path) -> None:
        part = self._folder / f"{new_id()}.part"
        log.info("weights are brought", model_id=str(model.id), size_bytes=model.weights_size_bytes)
        try:
            with part.open("xb") as file:
                await self._receive(model, file)
            # Whoever wrote the same name in the meantime wrote the same bytes.
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    async def _receive(self, model: KnownModel, file: BinaryIO) -> None:
        call = self._stub.DownloadArtifact(registry.DownloadArtifactRequest(model_id=str(model.id)))
        digest, size = hashlib.sha256(), 0
        try:
            while True:
                async with asyncio.timeout(PATIENCE):
                    message = await call.read()
                if message is grpc.aio.EOF or not isinstance(message, registry.DownloadArtifactResponse):
                    break
                if message.HasField("info"):
                    if message.info.etag != model.weights_sha256:
                        raise Aborted("MODEL_CHANGED", "The model was trained anew meanwhile. Try again.")
                    continue
                size += len(message.chunk)
                if size > model.weights_size_bytes:
                    break
                digest.update(message.chunk)
                file.write(message.chunk)
        except grpc.aio.AioRpcError as error:
            raise registry_error(error) from error
        except TimeoutError as error:
            raise _not_answering() from error
        finally:
            call.cancel()
        if digest.hexdigest() != model.weights_sha256:
            log.error("weights came damaged", model_id=str(model.id), size_bytes=size)
            raise _not_answering()

    def _make_room(self, keep: Path) -> None:
        """Delete what was not used for longest until the rest fits; models in memory no longer need their
        files.
        """
        files = []
        for path in self._folder.glob("*.pt"):
            with contextlib.suppress(FileNotFoundError):
                files.append((path.stat().st_mtime_ns, path.stat().st_size, path))
        held = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if held <= self._most_bytes:
                return
            if path != keep:
                path.unlink(missing_ok=True)
                held -= size


def _is_intact(path: Path, sha256: str) -> bool:
    """Whether the file is there with these bytes; marks it as used now."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_HASH_CHUNK):
                digest.update(chunk)
        os.utime(path)
    except FileNotFoundError:
        return False
    return digest.hexdigest() == sha256


def _not_answering() -> DomainError:
    return Unavailable("REGISTRY_UNAVAILABLE", "The weights could not be brought. Try again in a moment.")
