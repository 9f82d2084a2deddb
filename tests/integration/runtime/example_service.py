"""A small service for tests of the server: it borrows a real one's proto and does what its input says."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc

from annotateforge.api.dataset.v1 import dataset_service_pb2 as pb
from annotateforge.api.dataset.v1 import dataset_service_pb2_grpc as rpc
from annotateforge.api.dataset.v1.dataset_pb2 import ManifestEntry
from annotateforge.api.dataset.v1.problem_pb2 import ImportReport
from annotateforge.api.dataset.v1.project_pb2 import Project
from annotateforge.runtime.call import caller, stopping
from annotateforge.runtime.errors import FieldViolation, InvalidArgument, NotFound
from annotateforge.runtime.server import Service
from annotateforge.runtime.telemetry import bind

NAME = "annotateforge.api.dataset.v1.DatasetService"
Context = grpc.aio.ServicerContext[Any, Any]


if TYPE_CHECKING:
    Unimplemented = object
else:
    # Answers UNIMPLEMENTED for all methods that a subclass does not have, which its stub has no notion of.
    Unimplemented = rpc.DatasetServiceServicer


class ExampleService(Unimplemented):
    """The name of the project, or the id of the data set, says what happens."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.held = 0
        self.cancelled = asyncio.Event()
        self._count = asyncio.Semaphore(0)

    async def all_entered(self, count: int) -> None:
        """Wait until so many calls have got here."""
        for _ in range(count):
            await self._count.acquire()

    async def act(self, word: str, context: Context) -> None:
        self.entered.set()
        self._count.release()
        match word:
            case "missing":
                raise NotFound("PROJECT_NOT_FOUND", "There is no such project.", metadata={"project_id": "7"})
            case "wrong":
                raise InvalidArgument.of_fields(
                    "INVALID_SPEC",
                    [FieldViolation(f"classes[{n}]", "is there twice: Ä" * 20) for n in range(1000)],
                )
            case "broken":
                raise RuntimeError("the password is 1234")
            case "group":
                async with asyncio.TaskGroup() as group:
                    group.create_task(self.act("missing", context))
            case "abort":
                await context.abort(grpc.StatusCode.DATA_LOSS, "by hand")
            case "slow":
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    self.cancelled.set()
                    raise
            case "moment":
                await asyncio.sleep(0.3)
            case "until-stopped":
                await stopping().wait()

    async def CreateProject(
        self, request: pb.CreateProjectRequest, context: Context
    ) -> pb.CreateProjectResponse:
        with bind(job_id="job-7"):
            await self.act(request.name, context)
        return pb.CreateProjectResponse(project=Project(name=request.name, description=caller().subject))

    async def DownloadArchive(
        self, request: pb.DownloadArchiveRequest, context: Context
    ) -> AsyncIterator[pb.DownloadArchiveResponse]:
        yield pb.DownloadArchiveResponse(chunk=b"first")
        await self.act(request.dataset_id, context)
        yield pb.DownloadArchiveResponse(chunk=b"last")

    async def GetManifest(
        self, request: pb.GetManifestRequest, context: Context
    ) -> AsyncIterator[pb.GetManifestResponse]:
        self.held += 1
        try:
            with bind(job_id=request.dataset_id):
                while True:
                    yield pb.GetManifestResponse(entries=[ManifestEntry(name="x" * 10_000)])
        finally:
            await asyncio.sleep(0)
            self.held -= 1

    async def ImportArchive(
        self, request_iterator: AsyncIterator[pb.ImportArchiveRequest], context: Context
    ) -> pb.ImportArchiveResponse:
        size = 0
        async for request in request_iterator:
            if request.HasField("header"):
                await self.act(request.header.project_id, context)
            size += len(request.chunk)
        return pb.ImportArchiveResponse(report=ImportReport(images_added=size))


def example(servicer: ExampleService) -> list[Service]:
    """What `serve` takes."""
    return [(rpc.add_DatasetServiceServicer_to_server, servicer, NAME)]
