"""What the registry says of models: which there are and which are active."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

import grpc
import structlog

from annotateforge.api.registry.v1 import model_pb2
from annotateforge.api.registry.v1 import registry_service_pb2 as registry
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.inference.options import TASKS, Task
from annotateforge.runtime.errors import (
    Cancelled,
    DeadlineExceeded,
    DomainError,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from annotateforge.runtime.rpc_status import from_rpc_error

TIMEOUT = 5.0
"""Seconds that the registry gets to answer about models."""
FRESH_SECONDS = 30.0
"""Seconds for which an answer about a model is taken as true, unless an event says otherwise."""
MOST_REMEMBERED = 256

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A registered model, as far as predicting needs to know."""

    id: UUID
    name: str
    task: Task
    classes: tuple[str, ...]
    image_size: int
    """Side in pixels to which images are scaled."""
    weights_sha256: str
    weights_size_bytes: int


class Catalog:
    """The registry's models, asked over gRPC and remembered for a while."""

    def __init__(self, stub: RegistryServiceStub) -> None:
        self._stub = stub
        self._remembered: OrderedDict[UUID, tuple[KnownModel, float]] = OrderedDict()

    async def active(self) -> dict[Task, KnownModel]:
        """The active model of every task that has one. Unavailable REGISTRY_UNAVAILABLE."""
        try:
            answer = await self._stub.ListModels(
                registry.ListModelsRequest(is_active=True, page_size=len(Task)), timeout=TIMEOUT
            )
        except grpc.aio.AioRpcError as error:
            raise registry_error(error) from error
        models = [known_model(message) for message in answer.models]
        return {model.task: model for model in models}

    async def get(self, model_id: UUID) -> KnownModel:
        """One model. NotFound MODEL_NOT_FOUND, Unavailable REGISTRY_UNAVAILABLE."""
        model, until = self._remembered.get(model_id, (None, 0.0))
        if model is not None and time.monotonic() < until:
            self._remembered.move_to_end(model_id)
            return model
        try:
            answer = await self._stub.GetModel(
                registry.GetModelRequest(model_id=str(model_id)), timeout=TIMEOUT
            )
        except grpc.aio.AioRpcError as error:
            raise registry_error(error) from error
        found = known_model(answer.model)
        self._remembered[model_id] = (found, time.monotonic() + FRESH_SECONDS)
        self._remembered.move_to_end(model_id)
        while len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return found

    def forget(self, model_id: UUID | None = None) -> None:
        """Ask again about a model, or about all."""
        if model_id is None:
            self._remembered.clear()
        else:
            self._remembered.pop(model_id, None)


def known_model(message: model_pb2.Model) -> KnownModel:
    """A model out of the registry's message."""
    return KnownModel(
        id=UUID(message.id),
        name=message.name,
        task=TASKS[message.task_type],
        classes=tuple(message.classes),
        image_size=message.image_size,
        weights_sha256=message.weights_sha256,
        weights_size_bytes=message.weights_size_bytes,
    )


def registry_error(error: grpc.aio.AioRpcError) -> DomainError:
    """What a failed call to the registry means to whoever asked for a prediction."""
    said = from_rpc_error(error)
    if isinstance(said, Unauthenticated | PermissionDenied):
        # It is this service's own token that was refused, not the caller's.
        log.error("the registry refuses this service's token", reason=said.reason)
    elif not isinstance(said, Unavailable | DeadlineExceeded | Cancelled):
        return said
    return Unavailable("REGISTRY_UNAVAILABLE", "The model registry does not answer. Try again in a moment.")
