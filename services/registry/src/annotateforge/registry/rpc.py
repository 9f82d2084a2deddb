"""The handlers of RegistryService: check, call, convert."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import grpc

from annotateforge.api.content.v1.content_pb2 import ContentInfo
from annotateforge.api.registry.v1 import registry_service_pb2 as api
from annotateforge.api.registry.v1.model_pb2 import CurvePoint
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceServicer
from annotateforge.registry import messages, store
from annotateforge.registry.comparison import check_number, check_tasks, compared
from annotateforge.registry.curves import LARGEST_TABLE, curve_of
from annotateforge.registry.filenames import weights_filename
from annotateforge.registry.header import read_header, read_task_filter, read_update
from annotateforge.registry.models import RESULTS, WEIGHTS, Artifact, Model, artifact_not_found
from annotateforge.registry.registry import Registry
from annotateforge.registry.upload import Parts, receive_artifacts
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.call import caller
from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import DeadlineExceeded, InvalidArgument
from annotateforge.runtime.ids import parse_id
from annotateforge.runtime.paging import read_page
from annotateforge.runtime.ranges import requested_range
from annotateforge.runtime.telemetry import bind

Context = grpc.aio.ServicerContext[Any, Any]

LONGEST_REGISTRATION = 3600.0
"""Seconds that one RegisterModel may take; below the lifetime of its claims."""


class RegistryRpc(RegistryServiceServicer):
    """RegistryService over a registry and the store of its blobs."""

    def __init__(self, pool: Pool, registry: Registry, blobs: BlobStore, most_model_bytes: int) -> None:
        self._pool = pool
        self._registry = registry
        self._blobs = blobs
        self._most_model_bytes = most_model_bytes

    async def RegisterModel(
        self, request_iterator: AsyncIterator[api.RegisterModelRequest], context: Context
    ) -> api.RegisterModelResponse:
        try:
            async with asyncio.timeout(LONGEST_REGISTRATION):
                model = await self._register(Parts(aiter(request_iterator)))
        except TimeoutError as error:
            raise DeadlineExceeded(
                "UPLOAD_STALLED", f"The model did not come within {LONGEST_REGISTRATION:g} s. Send it again."
            ) from error
        return api.RegisterModelResponse(model=messages.model_message(model))

    async def _register(self, parts: Parts) -> Model:
        first = await parts.take()
        if first is None or first.WhichOneof("part") != "header":
            raise InvalidArgument.of_field("UNEXPECTED_PART", "part", "the model's header must come first")
        name, training = read_header(first.header)
        with bind(job_id=training.job_id):
            found = await self._registry.registered(training)
            if found is not None:
                # Sent again because the answer was lost: the rest need not come.
                return found
            async with self._registry.claiming() as claims:

                async def put(artifact: Artifact, chunks: AsyncIterator[bytes]) -> None:
                    await claims.claim([(bytes.fromhex(artifact.sha256), artifact.size_bytes)])
                    await self._blobs.put_stream(chunks, limit=artifact.size_bytes)

                artifacts = await receive_artifacts(parts, put, self._most_model_bytes)
                return await self._registry.register(name, training, artifacts, claims)

    async def GetModel(self, request: api.GetModelRequest, context: Context) -> api.GetModelResponse:
        model = await self._registry.get(parse_id(request.model_id, "model_id"))
        return api.GetModelResponse(model=messages.model_message(model))

    async def ListModels(self, request: api.ListModelsRequest, context: Context) -> api.ListModelsResponse:
        page = read_page(request.page_size, request.page_token, (UUID,))
        async with self._pool.acquire() as connection:
            found = await store.list_models(
                connection,
                task_type=read_task_filter(request.task_type),
                is_active=request.is_active if request.HasField("is_active") else None,
                job_id=parse_id(request.job_id, "job_id") if request.job_id else None,
                name_contains=request.name_contains or None,
                before=page.cursor[0] if page.cursor else None,
                limit=page.limit,
            )
        models, next_page_token = page.cut(found, lambda model: (model.id,))
        return api.ListModelsResponse(
            models=map(messages.model_message, models), next_page_token=next_page_token
        )

    async def UpdateModel(self, request: api.UpdateModelRequest, context: Context) -> api.UpdateModelResponse:
        model_id = parse_id(request.model_id, "model_id")
        model = await self._registry.update(model_id, *read_update(request))
        return api.UpdateModelResponse(model=messages.model_message(model))

    async def ActivateModel(
        self, request: api.ActivateModelRequest, context: Context
    ) -> api.ActivateModelResponse:
        model = await self._registry.activate(parse_id(request.model_id, "model_id"), caller().subject)
        return api.ActivateModelResponse(model=messages.model_message(model))

    async def DeactivateModel(
        self, request: api.DeactivateModelRequest, context: Context
    ) -> api.DeactivateModelResponse:
        model = await self._registry.deactivate(parse_id(request.model_id, "model_id"))
        return api.DeactivateModelResponse(model=messages.model_message(model))

    async def ListActivations(
        self, request: api.ListActivationsRequest, context: Context
    ) -> api.ListActivationsResponse:
        page = read_page(request.page_size, request.page_token, (int,))
        async with self._pool.acquire() as connection:
            found = await store.list_activations(
                connection,
                task_type=read_task_filter(request.task_type),
                before=page.cursor[0] if page.cursor else None,
                limit=page.limit,
            )
        activations, next_page_token = page.cut(found, lambda activation: (activation.id,))
        return api.ListActivationsResponse(
            activations=map(messages.activation_message, activations), next_page_token=next_page_token
        )

    async def DeleteModel(self, request: api.DeleteModelRequest, context: Context) -> api.DeleteModelResponse:
        await self._registry.delete(parse_id(request.model_id, "model_id"))
        return api.DeleteModelResponse()

    async def CompareModels(
        self, request: api.CompareModelsRequest, context: Context
    ) -> api.CompareModelsResponse:
        check_number(request.model_ids)
        model_ids = [parse_id(text, f"model_ids[{index}]") for index, text in enumerate(request.model_ids)]
        models = [await self._registry.get(model_id) for model_id in model_ids]
        check_tasks(models)
        return compared(models, [await self._curve(model) for model in models])

    async def _curve(self, model: Model) -> list[CurvePoint]:
        table = next((file for file in await self._artifacts(model.id) if file.name == RESULTS), None)
        if table is None or table.size_bytes > LARGEST_TABLE:
            return []
        content = await self._blobs.get(table.sha256)
        return await asyncio.to_thread(curve_of, content, model.training.task_type)

    async def ListArtifacts(
        self, request: api.ListArtifactsRequest, context: Context
    ) -> api.ListArtifactsResponse:
        model = await self._registry.get(parse_id(request.model_id, "model_id"))
        artifacts = await self._artifacts(model.id)
        return api.ListArtifactsResponse(artifacts=map(messages.artifact_message, artifacts))

    async def DownloadArtifact(
        self, request: api.DownloadArtifactRequest, context: Context
    ) -> AsyncIterator[api.DownloadArtifactResponse]:
        model = await self._registry.get(parse_id(request.model_id, "model_id"))
        wanted = request.name or WEIGHTS
        artifact = next((found for found in await self._artifacts(model.id) if found.name == wanted), None)
        if artifact is None:
            raise artifact_not_found(model.id, wanted)
        part = requested_range(request.offset, request.length, artifact.size_bytes)
        yield api.DownloadArtifactResponse(
            info=ContentInfo(
                content_type=artifact.content_type,
                filename=request.name or weights_filename(model.name),
                total_size=artifact.size_bytes,
                etag=artifact.sha256,
                offset=part.offset,
                length=part.length,
            )
        )
        if part.length:
            async for chunk in self._blobs.stream(artifact.sha256, part.offset, part.length):
                yield api.DownloadArtifactResponse(chunk=chunk)

    async def _artifacts(self, model_id: UUID) -> list[Artifact]:
        async with self._pool.acquire() as connection:
            return await store.list_artifacts(connection, model_id)
