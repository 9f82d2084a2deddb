"""RegisterModel streams as a worker sends them, and what calls answer."""

import hashlib
from collections.abc import Awaitable, Iterator, Mapping
from typing import Any

import grpc
import pytest

from annotateforge.api.dataset.v1.dataset_pb2 import TASK_TYPE_DETECT
from annotateforge.api.registry.v1 import registry_service_pb2 as api
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.rpc_status import from_rpc_error

ARTIFACTS: Mapping[str, bytes] = {
    "best.pt": b"the weights" * 1000,
    "last.pt": b"other weights" * 500,
    "results.csv": b"epoch,loss\n1,0.5\n",
}


def header(**fields: Any) -> api.RegisterModelRequest:
    """A header that is right; `fields` replace its own."""
    values: dict[str, Any] = {
        "job_id": str(new_id()),
        "attempt": 1,
        "name": "Particles",
        "task_type": TASK_TYPE_DETECT,
        "architecture": "yolov8n",
        "classes": ["RBC", "WBC"],
        "image_size": 640,
        "metrics": {"map50": 0.71, "map50_95": 1 / 3},
        "dataset_id": str(new_id()),
        "dataset_digest": "ab" * 32,
        "config": JobConfig(model="yolov8n", epochs=3, seed=2**60),
        "best_epoch": 2,
        "epochs_trained": 3,
    }
    return api.RegisterModelRequest(header=api.RegisterModelHeader(**(values | fields)))


def artifact(name: str, data: bytes, **fields: Any) -> api.RegisterModelRequest:
    """An artifact's header that is right; `fields` replace its own."""
    values: dict[str, Any] = {
        "name": name,
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return api.RegisterModelRequest(artifact=api.ArtifactHeader(**(values | fields)))


def chunks(data: bytes, size: int = 4096) -> Iterator[api.RegisterModelRequest]:
    """The bytes of an artifact."""
    for start in range(0, len(data), size):
        yield api.RegisterModelRequest(chunk=data[start : start + size])


def registration(
    artifacts: Mapping[str, bytes] = ARTIFACTS, **fields: Any
) -> Iterator[api.RegisterModelRequest]:
    """A whole stream."""
    yield header(**fields)
    for name, data in artifacts.items():
        yield artifact(name, data)
        yield from chunks(data)


async def register(worker: RegistryServiceStub, **fields: Any) -> str:
    """Register a model; answers its id."""
    return (await worker.RegisterModel(registration(**fields))).model.id


async def refusal(call: Awaitable[object]) -> DomainError:
    """The error with which a call fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)
