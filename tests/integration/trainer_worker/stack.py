"""The services that a worker needs, as they run in production, and clients to give it work."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from annotateforge.api.dataset.v1 import dataset_service_pb2 as dataset_api
from annotateforge.api.dataset.v1.annotation_pb2 import Annotation, Box, Point, Polygon
from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.registry.v1 import registry_service_pb2 as registry_api
from annotateforge.api.registry.v1.model_pb2 import Model
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.api.trainer.v1 import trainer_service_pb2 as trainer_api
from annotateforge.api.trainer.v1.event_pb2 import JobEvent, LogLine
from annotateforge.api.trainer.v1.job_pb2 import Job, JobConfig, JobStatus, Pretrained
from annotateforge.api.trainer.v1.trainer_service_pb2_grpc import TrainerServiceStub
from annotateforge.dataset.app import running as dataset_running
from annotateforge.dataset.settings import Settings as DatasetSettings
from annotateforge.registry.app import Settings as RegistrySettings
from annotateforge.registry.app import running as registry_running
from annotateforge.runtime.auth import Role, issue_token
from annotateforge.runtime.channel import open_channel
from annotateforge.trainer.app import Settings as TrainerSettings
from annotateforge.trainer.app import running as trainer_running
from annotateforge.trainer.worker.settings import Settings as WorkerSettings
from tests.unit.trainer_worker.tiny_datasets import CLASSES, draw

FINAL = (JobStatus.JOB_STATUS_COMPLETED, JobStatus.JOB_STATUS_FAILED, JobStatus.JOB_STATUS_CANCELLED)
TASKS = {
    "classify": TaskType.TASK_TYPE_CLASSIFY,
    "detect": TaskType.TASK_TYPE_DETECT,
    "segment": TaskType.TASK_TYPE_SEGMENT,
}


class Trainer:
    """The trainer, which can be away for a while, and comes back at the same address."""

    def __init__(self, settings: TrainerSettings) -> None:
        self._settings = settings
        self._running = contextlib.AsyncExitStack()

    async def start(self) -> str:
        """Its address."""
        app = await self._running.enter_async_context(trainer_running(self._settings))
        self._settings = self._settings.model_copy(update={"listen": app.address})
        return app.address

    async def stop(self) -> None:
        await self._running.aclose()

    @contextlib.asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """It is not there for the time of the context."""
        await self.stop()
        try:
            yield
        finally:
            await self.start()


@dataclass(frozen=True)
class Stack:
    """Addresses of the services, and what an admin can do with them."""

    secret: str
    process: Trainer
    dataset_address: str
    registry_address: str
    trainer_address: str
    dataset: DatasetServiceStub
    registry: RegistryServiceStub
    trainer: TrainerServiceStub

    def worker_settings(self, folder: Path, **changes: Any) -> WorkerSettings:
        """Settings of a worker of these services."""
        given: dict[str, Any] = {
            "trainer_address": self.trainer_address,
            "dataset_address": self.dataset_address,
            "registry_address": self.registry_address,
            "worker_token": SecretStr(token(self.secret, Role.WORKER)),
            "worker_dir": folder,
            "worker_name": "test worker",
            "worker_cores": 1,
            # The child of the next attempt would be taken for one that the last attempt has left.
            "warm_child": False,
            # Epochs take a moment only; that not all of them are kept is test_state_pace's matter.
            "checkpoint_seconds": 0,
        }
        return WorkerSettings(**given | changes)

    async def project(self, images: int = 12) -> str:
        """A project of tiny images, which can be used for each task."""
        request = dataset_api.CreateProjectRequest(name="tiny")
        project = (await self.dataset.CreateProject(request)).project
        drawn = [draw(number, number % len(CLASSES)) for number in range(images)]

        async def upload() -> AsyncIterator[dataset_api.UploadImagesRequest]:
            for number, (content, _) in enumerate(drawn):
                header = dataset_api.UploadImagesHeader(
                    project_id=project.id,
                    filename=f"{number:03d}.png",
                    image_class=CLASSES[number % len(CLASSES)],
                )
                yield dataset_api.UploadImagesRequest(header=header)
                yield dataset_api.UploadImagesRequest(chunk=content)

        uploaded = await self.dataset.UploadImages(upload())
        assert not uploaded.problems
        for image in uploaded.images:
            number = int(image.filename[:3])
            x0, y0, x1, y1 = drawn[number][1]
            label = CLASSES[number % len(CLASSES)]
            corners = [Point(x=x, y=y) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
            await self.dataset.SetAnnotations(
                dataset_api.SetAnnotationsRequest(
                    image_id=image.id,
                    annotations=[
                        Annotation(class_label=label, box=Box(x_min=x0, y_min=y0, x_max=x1, y_max=y1)),
                        Annotation(class_label=label, polygon=Polygon(points=corners)),
                    ],
                )
            )
        return project.id

    async def job(self, project_id: str, task: str = "classify", **config: Any) -> Job:
        """A new job of two short epochs."""
        wanted: dict[str, Any] = {
            "project_ids": [project_id],
            "classes": CLASSES,
            "epochs": 2,
            "batch_size": 4,
            "image_size": 64,
            "pretrained": Pretrained.PRETRAINED_NEVER,
        }
        request = trainer_api.CreateJobRequest(
            name=f"tiny {task}", task_type=TASKS[task], config=JobConfig(**wanted | config)
        )
        return (await self.trainer.CreateJob(request)).job

    async def restart(self, job: Job, **changes: Any) -> Job:
        """A new job as the old one, but for what changes of its config."""
        request = trainer_api.RestartJobRequest(job_id=job.id, config=JobConfig(**changes))
        return (await self.trainer.RestartJob(request)).job

    async def get(self, job: Job) -> Job:
        return (await self.trainer.GetJob(trainer_api.GetJobRequest(job_id=job.id))).job

    async def cancel(self, job: Job) -> None:
        await self.trainer.CancelJob(trainer_api.CancelJobRequest(job_id=job.id))

    async def watch(self, job: Job) -> AsyncIterator[JobEvent]:
        """The job's events, live, until it has ended."""
        async for message in self.trainer.WatchJob(trainer_api.WatchJobRequest(job_id=job.id)):
            yield message.event

    async def until(self, job: Job, kind: str) -> JobEvent:
        """Wait for the first event of a kind."""
        async with asyncio.timeout(90):
            async for event in self.watch(job):
                if event.WhichOneof("payload") == kind:
                    return event
        raise AssertionError(f"The job ended without {kind}: {await self.get(job)}")

    async def ended(self, job: Job, patience: float = 120) -> Job:
        """Wait for the job's end."""
        async with asyncio.timeout(patience):
            async for _ in self.watch(job):
                pass
        return await self.get(job)

    async def events(self, job: Job) -> list[JobEvent]:
        """The stored events."""
        return list((await self.trainer.ListEvents(trainer_api.ListEventsRequest(job_id=job.id))).events)

    async def events_all(self, job: Job) -> list[JobEvent]:
        """The stored events, however many there are."""
        events: list[JobEvent] = []
        token = ""
        while not events or token:
            request = trainer_api.ListEventsRequest(job_id=job.id, page_token=token)
            page = await self.trainer.ListEvents(request)
            events += page.events
            token = page.next_page_token
        return events

    async def log(self, job: Job) -> list[LogLine]:
        """What its training printed."""
        return list((await self.trainer.ListLogs(trainer_api.ListLogsRequest(job_id=job.id))).lines)

    async def model(self, model_id: str) -> Model:
        return (await self.registry.GetModel(registry_api.GetModelRequest(model_id=model_id))).model


def token(secret: str, role: Role) -> str:
    return issue_token(secret, role, f"{role}@example.org", timedelta(hours=1))


@contextlib.asynccontextmanager
async def running_stack(
    database_url: str,
    nats_url: str,
    store_url: str,
    secret: str,
    lease_seconds: float = 15,
    trainer_listen: str = "127.0.0.1:0",
) -> AsyncIterator[Stack]:
    """All services in this process, for the time of the context."""
    shared: dict[str, Any] = {"database_url": database_url, "secret": SecretStr(secret)}
    dataset_settings = DatasetSettings(**shared, store_url=store_url, dataset_keep_free_bytes=0)
    registry_settings = RegistrySettings(**shared, store_url=store_url, nats_url=nats_url)
    admin = token(secret, Role.ADMIN)
    async with (
        dataset_running(dataset_settings) as dataset,
        registry_running(registry_settings) as registry,
    ):
        process = Trainer(
            TrainerSettings(
                **shared,
                nats_url=nats_url,
                store_url=store_url,
                dataset_address=dataset.address,
                registry_address=registry.address,
                lease_seconds=lease_seconds,
                listen=trainer_listen,
            )
        )
        try:
            trainer_address = await process.start()
            async with (
                open_channel(dataset.address, lambda: admin) as dataset_channel,
                open_channel(registry.address, lambda: admin) as registry_channel,
                open_channel(trainer_address, lambda: admin) as trainer_channel,
            ):
                yield Stack(
                    secret=secret,
                    process=process,
                    dataset_address=dataset.address,
                    registry_address=registry.address,
                    trainer_address=trainer_address,
                    dataset=DatasetServiceStub(dataset_channel),
                    registry=RegistryServiceStub(registry_channel),
                    trainer=TrainerServiceStub(trainer_channel),
                )
        finally:
            await process.stop()
