"""Brings the weights of a registered model that training starts from."""

import asyncio
import contextlib
import hashlib
from pathlib import Path

from annotateforge.api.registry.v1.registry_service_pb2 import DownloadArtifactRequest, GetModelRequest
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.trainer.worker.content import Content
from annotateforge.trainer.worker.failures import ContentDamaged
from annotateforge.trainer.worker.retries import patiently

_DEADLINE = 30.0


async def fetch_base_model(stub: RegistryServiceStub, model_id: str, path: Path) -> None:
    """Download best.pt of a model to `path`.

    DomainError when the registry does not have it, ContentDamaged when it is not what was registered.
    """
    model = (
        await patiently(
            "ask for the base model",
            lambda: stub.GetModel(GetModelRequest(model_id=model_id), timeout=_DEADLINE),
        )
    ).model
    content = Content(
        f"the weights of model {model_id}",
        lambda offset: stub.DownloadArtifact(DownloadArtifactRequest(model_id=model_id, offset=offset)),
    )
    digest = hashlib.sha256()
    with path.open("wb") as file:
        async with contextlib.aclosing(content.chunks()) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
                await asyncio.to_thread(file.write, chunk)
    if digest.hexdigest() != model.weights_sha256:
        raise ContentDamaged(f"the weights of model {model_id} do not have their SHA-256")
