"""Registering models and reading what calls answer."""

import hashlib
from collections.abc import Awaitable, Iterator
from typing import Any

import grpc
import pytest

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.registry.v1 import registry_service_pb2 as api
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.rpc_status import from_rpc_error
from tests.integration.inference.conftest import CLASSES, IMAGE_SIZE

TASK_TYPES = {
    "detect": dataset_pb2.TASK_TYPE_DETECT,
    "segment": dataset_pb2.TASK_TYPE_SEGMENT,
    "classify": dataset_pb2.TASK_TYPE_CLASSIFY,
}
CHUNK = 512 * 1024


async def register(worker: RegistryServiceStub, weights: bytes, task: str = "detect", **fields: Any) -> str:
    """Register a model with these weights; answers its id."""

    def stream() -> Iterator[api.RegisterModelRequest]:
        values: dict[str, Any] = {
            "job_id": str(new_id()),
            "attempt": 1,
            "name": "Cells",
            "task_type": TASK_TYPES[task],
            "architecture": "yolov8n",
            "classes": CLASSES,
            "image_size": IMAGE_SIZE,
            "dataset_id": str(new_id()),
            "config": JobConfig(),
        }
        yield api.RegisterModelRequest(header=api.RegisterModelHeader(**(values | fields)))
        digest = hashlib.sha256(weights).hexdigest()
        header = api.ArtifactHeader(name="best.pt", size_bytes=len(weights), sha256=digest)
        yield api.RegisterModelRequest(artifact=header)
        for start in range(0, len(weights), CHUNK):
            yield api.RegisterModelRequest(chunk=weights[start : start + CHUNK])

    return (await worker.RegisterModel(stream())).model.id


async def activate(models: RegistryServiceStub, model_id: str) -> None:
    """Make a model the active one of its task."""
    await models.ActivateModel(api.ActivateModelRequest(model_id=model_id))


async def refusal(call: Awaitable[object]) -> DomainError:
    """The error with which a call fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)
