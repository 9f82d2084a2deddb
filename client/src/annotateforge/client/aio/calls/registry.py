"""Calls of the registry: models, their files, and which of them is active."""

from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import IO

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.registry.v1 import model_pb2, registry_service_pb2
from annotateforge.client.aio.calls.pages import listed
from annotateforge.client.aio.transport import Transport
from annotateforge.client.enums import enum_value
from annotateforge.client.references import Search, is_id
from annotateforge.client.whole_file import whole_file

SERVICE = registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"]


class RegistryCalls:
    """Models, artifacts and activations."""

    _transport: Transport

    async def model(self, model_id: str) -> model_pb2.Model:
        """One model."""
        request = registry_service_pb2.GetModelRequest(model_id=model_id)
        return await self._transport.call(SERVICE, "GetModel", request, model_pb2.Model)

    def models(
        self, task_type: str = "", is_active: bool | None = None, *, job_id: str = "", name_contains: str = ""
    ) -> AsyncIterator[model_pb2.Model]:
        """Models, the newest first; of one task, such as "detect", and only active or inactive ones."""
        request = registry_service_pb2.ListModelsRequest(
            task_type=enum_value(dataset_pb2.TaskType, task_type, "task"),
            is_active=is_active,
            job_id=job_id,
            name_contains=name_contains,
        )
        answer = registry_service_pb2.ListModelsResponse
        return listed(self._transport, SERVICE, "ListModels", request, answer, lambda page: page.models)

    async def find_model(self, reference: str) -> model_pb2.Model:
        """The model of this id, the only one of this name, or the one whose id alone begins or ends so.

        ServerRefused MODEL_NOT_FOUND when there is none, WrongArgument when there are several.
        """
        if is_id(reference):
            return await self.model(reference)
        search = Search("model", reference)
        async for found in self.models():
            search.add(found.id, found.name)
        return await self.model(search.found())

    async def update_model(
        self, model_id: str, *, name: str | None = None, description: str | None = None
    ) -> model_pb2.Model:
        """Change a model's name or description."""
        request = registry_service_pb2.UpdateModelRequest(
            model_id=model_id, name=name, description=description
        )
        return await self._transport.call(SERVICE, "UpdateModel", request, model_pb2.Model)

    async def activate_model(self, model_id: str) -> model_pb2.Model:
        """Make a model the active one of its task."""
        request = registry_service_pb2.ActivateModelRequest(model_id=model_id)
        return await self._transport.call(SERVICE, "ActivateModel", request, model_pb2.Model)

    async def deactivate_model(self, model_id: str) -> model_pb2.Model:
        """Leave a model's task without an active model."""
        request = registry_service_pb2.DeactivateModelRequest(model_id=model_id)
        return await self._transport.call(SERVICE, "DeactivateModel", request, model_pb2.Model)

    async def compare_models(self, model_ids: Iterable[str]) -> registry_service_pb2.CompareModelsResponse:
        """Two to six models of one task side by side: the settings that differ, their metrics and curves."""
        request = registry_service_pb2.CompareModelsRequest(model_ids=model_ids)
        answer = registry_service_pb2.CompareModelsResponse
        return await self._transport.call(SERVICE, "CompareModels", request, answer)

    def activations(self, task_type: str = "") -> AsyncIterator[model_pb2.Activation]:
        """Which models were active when, the newest first."""
        request = registry_service_pb2.ListActivationsRequest(
            task_type=enum_value(dataset_pb2.TaskType, task_type, "task")
        )
        answer = registry_service_pb2.ListActivationsResponse
        return listed(
            self._transport, SERVICE, "ListActivations", request, answer, lambda page: page.activations
        )

    async def delete_model(self, model_id: str) -> None:
        """Delete a model with its files."""
        request = registry_service_pb2.DeleteModelRequest(model_id=model_id)
        await self._transport.call(SERVICE, "DeleteModel", request, registry_service_pb2.DeleteModelResponse)

    async def artifacts(self, model_id: str) -> list[model_pb2.Artifact]:
        """The files of a model."""
        request = registry_service_pb2.ListArtifactsRequest(model_id=model_id)
        answer = registry_service_pb2.ListArtifactsResponse
        return list((await self._transport.call(SERVICE, "ListArtifacts", request, answer)).artifacts)

    async def fetch_artifact(self, model_id: str, name: str, file: IO[bytes]) -> int:
        """Write a file of a model into an open one; its size in bytes."""
        request = registry_service_pb2.DownloadArtifactRequest(model_id=model_id, name=name)
        return await self._transport.download(SERVICE, "DownloadArtifact", request, file.write)

    async def download_artifact(
        self, model_id: str, name: str, path: Path, *, received: Callable[[int], None] | None = None
    ) -> int:
        """Write a file of a model to `path`, whole or not at all; its size in bytes.

        `received` is told of every chunk's size.
        """
        request = registry_service_pb2.DownloadArtifactRequest(model_id=model_id, name=name)
        with whole_file(path) as file:

            def write(chunk: bytes) -> None:
                file.write(chunk)
                if received is not None:
                    received(len(chunk))

            return await self._transport.download(SERVICE, "DownloadArtifact", request, write)
