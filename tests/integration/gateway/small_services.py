"""Services with real gRPC, tokens and errors around a few dicts: what the gateway's own tests need to stand
before.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from annotateforge.api.content.v1.content_pb2 import ContentInfo
from annotateforge.api.dataset.v1 import (
    dataset_pb2,
    dataset_service_pb2,
    image_pb2,
    problem_pb2,
    project_pb2,
)
from annotateforge.api.inference.v1 import (
    inference_service_pb2,
    prediction_pb2,
)
from annotateforge.api.trainer.v1 import (
    event_pb2,
    job_pb2,
    sweep_pb2,
    trainer_service_pb2,
)
from annotateforge.gateway.job_store import FINAL
from annotateforge.runtime import subjects
from annotateforge.runtime.bus import Bus
from annotateforge.runtime.call import caller, request_id
from annotateforge.runtime.errors import InvalidArgument, NotFound, OutOfRange
from annotateforge.runtime.ids import new_id, parse_id
from annotateforge.runtime.server import Service

CHUNK = 64 * 1024


def part_of(service: ServiceDescriptor, servicer: object) -> Service:
    """What `serve` takes, for those methods of a service that the servicer has."""
    makers: dict[tuple[bool, bool], Any] = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
    }
    handlers = {
        method.name: makers[method.client_streaming, method.server_streaming](
            getattr(servicer, method.name),
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
        for method in service.methods
        if hasattr(servicer, method.name)
    }

    def add(_: object, server: grpc.aio.Server) -> None:
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))

    return add, servicer, service.full_name


class SmallDataset:
    """Projects in a dict, contents by image id."""

    def __init__(self) -> None:
        self.projects: dict[str, project_pb2.Project] = {}
        self.contents: dict[str, tuple[ContentInfo, bytes]] = {}
        self.uploaded: list[tuple[dataset_service_pb2.UploadImagesHeader, int, str]] = []
        self.held = asyncio.Event()
        """Set once a call is being held for as long as its client waits."""
        self.let_go = asyncio.Event()
        """Set when that call was cancelled."""
        self.request_ids: list[str | None] = []
        self.subjects: list[str] = []
        self.largest_chunk = 0
        self.chunks_sent = 0

    async def CreateProject(self, request: Any, context: Any) -> Any:
        if not request.name.strip():
            raise InvalidArgument.of_field("INVALID_NAME", "name", "must not be empty")
        project = project_pb2.Project(
            id=str(new_id()), name=request.name, description=request.description, image_count=2**53
        )
        project.create_time.FromJsonString("2026-01-02T03:04:05.678Z")
        self.projects[project.id] = project
        return dataset_service_pb2.CreateProjectResponse(project=project)

    async def GetProject(self, request: Any, context: Any) -> Any:
        self.request_ids.append(request_id())
        self.subjects.append(caller().subject)
        if request.project_id == "held":
            self.held.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.let_go.set()
                raise
        parse_id(request.project_id, "project_id")
        if request.project_id not in self.projects:
            raise NotFound(
                "PROJECT_NOT_FOUND",
                f"There is no project {request.project_id}.",
                metadata={"project_id": request.project_id},
            )
        return dataset_service_pb2.GetProjectResponse(project=self.projects[request.project_id])

    async def ListProjects(self, request: Any, context: Any) -> Any:
        found = [p for p in self.projects.values() if request.name in ("", p.name)]
        return dataset_service_pb2.ListProjectsResponse(projects=found[: request.page_size or 50])

    async def DeleteProject(self, request: Any, context: Any) -> Any:
        self.projects.pop(request.project_id, None)
        return dataset_service_pb2.DeleteProjectResponse()

    async def GetProjectStats(self, request: Any, context: Any) -> Any:
        raise RuntimeError("secret details of the fault")

    async def UploadImages(self, requests: AsyncIterator[Any], context: Any) -> Any:
        header: dataset_service_pb2.UploadImagesHeader | None = None
        size, digest = 0, hashlib.sha256()
        response = dataset_service_pb2.UploadImagesResponse()

        def complete() -> None:
            if header is not None:
                self.uploaded.append((header, size, digest.hexdigest()))
                response.images.add(filename=header.filename, size_bytes=size, sha256=digest.hexdigest())

        async for message in requests:
            if message.WhichOneof("part") == "header":
                complete()
                header, size, digest = message.header, 0, hashlib.sha256()
                if not header.filename:
                    raise InvalidArgument.of_field("INVALID_FILENAME", "filename", "must be given")
                continue
            self.largest_chunk = max(self.largest_chunk, len(message.chunk))
            size += len(message.chunk)
            digest.update(message.chunk)
        complete()
        return response

    async def ImportArchive(self, requests: AsyncIterator[Any], context: Any) -> Any:
        size, format = 0, ""
        async for message in requests:
            if message.WhichOneof("part") == "header":
                format = message.header.format
                continue
            if message.chunk.startswith(b"bad"):
                raise InvalidArgument("ARCHIVE_INVALID", "This is no archive.")
            if message.chunk.startswith(b"hold"):
                self.held.set()
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self.let_go.set()
                    raise
            size += len(message.chunk)
        report = problem_pb2.ImportReport(format=format or "auto", images_added=size)
        return dataset_service_pb2.ImportArchiveResponse(report=report)

    async def GetImage(self, request: Any, context: Any) -> Any:
        return dataset_service_pb2.GetImageResponse(image=image_pb2.Image(id=request.image_id))

    async def DownloadImage(self, request: Any, context: Any) -> AsyncIterator[Any]:
        if request.image_id not in self.contents:
            raise NotFound("IMAGE_NOT_FOUND", "There is no such image.")
        info, content = self.contents[request.image_id]
        if request.offset > len(content):
            raise OutOfRange("OFFSET_OUT_OF_RANGE", "The offset lies beyond the end.")
        part = content[request.offset :][: request.length or None]
        described = ContentInfo(total_size=len(content), offset=request.offset, length=len(part))
        described.MergeFrom(info)
        yield dataset_service_pb2.DownloadImageResponse(info=described)
        if request.image_id == "broken":
            part = part[: len(part) // 2]
        try:
            for start in range(0, len(part), CHUNK):
                self.chunks_sent += 1
                yield dataset_service_pb2.DownloadImageResponse(chunk=part[start : start + CHUNK])
        except (asyncio.CancelledError, GeneratorExit):
            self.let_go.set()
            raise
        if request.image_id == "broken":
            raise NotFound("BLOB_NOT_FOUND", "The blob vanished.")

    async def ExportProject(self, request: Any, context: Any) -> AsyncIterator[Any]:
        content = f"an export as {request.format}".encode()
        part = content[request.offset :][: request.length or None]
        described = ContentInfo(
            content_type="application/zip",
            filename="cells.zip",
            etag=request.format,
            total_size=len(content),
            offset=request.offset,
            length=len(part),
        )
        yield dataset_service_pb2.ExportProjectResponse(info=described)
        yield dataset_service_pb2.ExportProjectResponse(chunk=part)

    async def PrepareDataset(self, request: Any, context: Any) -> AsyncIterator[Any]:
        for done in range(3):
            progress = dataset_service_pb2.PrepareProgress(stage="counting", images_done=done)
            yield dataset_service_pb2.PrepareDatasetResponse(progress=progress)
        if request.spec.classes == ["none"]:
            return
        dataset = dataset_pb2.Dataset(id=str(new_id()), spec=request.spec, task_type=request.spec.task_type)
        yield dataset_service_pb2.PrepareDatasetResponse(dataset=dataset)

    async def GetDataset(self, request: Any, context: Any) -> Any:
        return dataset_service_pb2.GetDatasetResponse(dataset=dataset_pb2.Dataset(id=request.dataset_id))

    async def SetAnnotations(self, request: Any, context: Any) -> Any:
        return dataset_service_pb2.SetAnnotationsResponse(annotations=request.annotations)


class SmallTrainer:
    """Jobs that consist of their events."""

    def __init__(self) -> None:
        self.jobs: dict[str, list[event_pb2.JobEvent]] = {}
        self.reads = 0

    async def GetJob(self, request: Any, context: Any) -> Any:
        events = self._events(request.job_id)
        job = job_pb2.Job(id=request.job_id, last_sequence=len(events), config=job_pb2.JobConfig())
        for event in events:
            if event.WhichOneof("payload") == "status_change":
                job.status = event.status_change.status
        return trainer_service_pb2.GetJobResponse(job=job)

    async def CancelJob(self, request: Any, context: Any) -> Any:
        self._events(request.job_id)
        return trainer_service_pb2.CancelJobResponse(job=job_pb2.Job(id=request.job_id))

    async def RestartJob(self, request: Any, context: Any) -> Any:
        return trainer_service_pb2.RestartJobResponse(job=job_pb2.Job(id="new id", name=request.name))

    async def CreateSweep(self, request: Any, context: Any) -> Any:
        sweep = sweep_pb2.Sweep(id="new id", name=request.name, axes=request.axes, samples=request.samples)
        return trainer_service_pb2.CreateSweepResponse(sweep=sweep)

    async def ListEvents(self, request: Any, context: Any) -> Any:
        self.reads += 1
        events = self._events(request.job_id)
        page = events[request.after : request.after + (request.page_size or 1000)]
        return trainer_service_pb2.ListEventsResponse(events=page)

    def _events(self, job_id: str) -> list[event_pb2.JobEvent]:
        parse_id(job_id, "job_id")
        if job_id not in self.jobs:
            raise NotFound("JOB_NOT_FOUND", f"There is no job {job_id}.")
        return self.jobs[job_id]

    def new_job(self) -> str:
        job_id = str(new_id())
        self.jobs[job_id] = []
        self.happen(job_id, status_change=event_pb2.StatusChange(status=job_pb2.JOB_STATUS_PENDING))
        return job_id

    def happen(self, job_id: str, **payload: Any) -> event_pb2.JobEvent:
        """Store an event as the next of a job."""
        events = self.jobs[job_id]
        event = event_pb2.JobEvent(sequence=len(events) + 1, job_id=job_id, attempt=1, **payload)
        event.time.GetCurrentTime()
        events.append(event)
        return event

    async def tell(self, bus: Bus, event: event_pb2.JobEvent) -> None:
        """Tell of an event over NATS."""
        subject = subjects.job_events if event.sequence else subjects.job_progress
        await bus.tell(subject(event.job_id), event.SerializeToString())

    def end(self, job_id: str) -> event_pb2.JobEvent:
        """Store the last event of a job."""
        return self.happen(job_id, status_change=event_pb2.StatusChange(status=job_pb2.JOB_STATUS_COMPLETED))

    def ended(self, job_id: str) -> bool:
        return any(event.status_change.status in FINAL for event in self.jobs[job_id])


class SmallInference:
    """Sees the size of the picture's file."""

    async def Predict(self, request: Any, context: Any) -> Any:
        prediction = prediction_pb2.Prediction(
            model_id=request.model_id or "active", width=len(request.image)
        )
        return inference_service_pb2.PredictResponse(prediction=prediction)
