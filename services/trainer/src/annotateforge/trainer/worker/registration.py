"""Brings a trained model to the registry."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from annotateforge.api.registry.v1.registry_service_pb2 import (
    ArtifactHeader,
    RegisterModelHeader,
    RegisterModelRequest,
)
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.api.trainer.v1.event_pb2 import TrainingComplete
from annotateforge.api.trainer.v1.worker_service_pb2 import Assignment
from annotateforge.trainer.worker.artifacts import ArtifactFile, find_artifacts
from annotateforge.trainer.worker.retries import patiently

_CHUNK = 512 * 1024
_LEAST_DEADLINE = 120.0
_SLOWEST = 256 * 1024
"""Bytes a second below which a registration is given up and begun anew."""


async def register(
    stub: RegistryServiceStub,
    assignment: Assignment,
    result: TrainingComplete,
    architecture: str,
    run_dir: Path,
) -> str:
    """Register the model in `run_dir` and answer its id; tried again, which is harmless, until it worked.

    DomainError when the registry refuses it, FileNotFoundError when there is no best.pt.
    """
    files = await asyncio.to_thread(find_artifacts, run_dir)
    header = header_of(assignment, result, architecture)
    deadline = _LEAST_DEADLINE + sum(file.size for file in files) / _SLOWEST

    async def send() -> str:
        response = await stub.RegisterModel(_parts(header, files), timeout=deadline)
        return response.model.id

    return await patiently("register the model", send)


def header_of(assignment: Assignment, result: TrainingComplete, architecture: str) -> RegisterModelHeader:
    """The model's description: the job's, with what came out."""
    job = assignment.job
    return RegisterModelHeader(
        job_id=job.id,
        attempt=assignment.attempt,
        name=job.name,
        task_type=job.task_type,
        architecture=architecture,
        classes=job.dataset.classes,
        image_size=job.config.image_size,
        metrics=result.metrics,
        dataset_id=job.dataset.id,
        dataset_digest=job.dataset.digest,
        config=job.config,
        best_epoch=result.best_epoch,
        epochs_trained=result.epochs_trained,
    )


async def _parts(
    header: RegisterModelHeader, files: list[ArtifactFile]
) -> AsyncIterator[RegisterModelRequest]:
    yield RegisterModelRequest(header=header)
    for file in files:
        yield RegisterModelRequest(
            artifact=ArtifactHeader(
                name=file.path.name,
                content_type=file.content_type,
                size_bytes=file.size,
                sha256=file.sha256,
            )
        )
        with file.path.open("rb") as content:
            while chunk := await asyncio.to_thread(content.read, _CHUNK):
                yield RegisterModelRequest(chunk=chunk)
