"""What a worker does, call by call, for tests of the API; nothing is trained."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.trainer.v1 import trainer_service_pb2, worker_service_pb2
from annotateforge.api.trainer.v1.event_pb2 import EpochStart, JobEvent, Progress, TrainingComplete
from annotateforge.api.trainer.v1.job_pb2 import Epoch, Failure, Job, JobConfig, JobStatus
from annotateforge.api.trainer.v1.trainer_service_pb2_grpc import TrainerServiceStub
from annotateforge.api.trainer.v1.worker_pb2 import Device, Load, Worker
from annotateforge.api.trainer.v1.worker_service_pb2 import Directive, Report, TrainingStarted
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.ids import new_id


class Editor(TrainerServiceStub):
    """A client that makes jobs, and a project to make them from."""

    def __init__(self, channel: grpc.aio.Channel, project_id: str) -> None:
        super().__init__(channel)
        self.project_id = project_id
        """Its images show cells."""


async def make_job(editor: Editor, name: str = "a job", request_id: str = "", **config: Any) -> Job:
    """Create a job of three epochs over the editor's project."""
    wanted = JobConfig(project_ids=[editor.project_id], classes=["cell"], epochs=3)
    wanted.MergeFrom(JobConfig(**config))
    request = trainer_service_pb2.CreateJobRequest(
        name=name, task_type=TaskType.TASK_TYPE_DETECT, config=wanted, request_id=request_id
    )
    return (await editor.CreateJob(request)).job


async def get_job(editor: Editor, job_id: str) -> Job:
    return (await editor.GetJob(trainer_service_pb2.GetJobRequest(job_id=job_id))).job


async def list_events(editor: Editor, job_id: str, after: int = 0) -> list[JobEvent]:
    """All stored events after a sequence, page by page."""
    events: list[JobEvent] = []
    token = ""
    while True:
        request = trainer_service_pb2.ListEventsRequest(job_id=job_id, after=after, page_token=token)
        page = await editor.ListEvents(request)
        events += page.events
        token = page.next_page_token
        if not token:
            return events


@dataclass
class ScriptedWorker:
    """A worker that says what a test wants it to say."""

    stub: WorkerServiceStub
    id: str = field(default_factory=lambda: str(new_id()))
    name: str = "worker-1"
    devices: Sequence[str] = ("cpu",)
    offered: Sequence[Device] = ()
    """Devices as they are described; by default those of these names."""
    job: Job | None = None
    attempt: int = 0
    trained_seconds: float = 0.0
    """For which former attempts trained."""
    number: int = 0
    """Number of the last report."""

    async def acquire(self, wait: float = 0) -> Job | None:
        """Ask for a job; its attempt is what the other methods speak of."""
        seconds = Duration()
        seconds.FromNanoseconds(int(wait * 1e9))
        description = Worker(
            id=self.id,
            name=self.name,
            devices=self.offered
            or [Device(name=name, model="a model", memory_bytes=1 << 30) for name in self.devices],
            versions={"annotateforge": "0"},
            load=Load(cpu_percent=3),
        )
        request = worker_service_pb2.AcquireJobRequest(worker=description, wait=seconds)
        answer = await self.stub.AcquireJob(request, timeout=wait + 30)
        if not answer.HasField("assignment"):
            return None
        self.job, self.attempt, self.number = answer.assignment.job, answer.assignment.attempt, 0
        self.trained_seconds = answer.assignment.trained_seconds
        return self.job

    @property
    def job_id(self) -> str:
        assert self.job is not None
        return self.job.id

    async def heartbeat(self, wait: float = 0) -> Directive.ValueType:
        seconds = Duration()
        seconds.FromNanoseconds(int(wait * 1e9))
        request = worker_service_pb2.HeartbeatRequest(
            worker_id=self.id,
            job_id=self.job_id,
            attempt=self.attempt,
            load=Load(cpu_percent=7),
            wait=seconds,
        )
        return (await self.stub.Heartbeat(request)).directive

    async def report(self, *reports: Report) -> worker_service_pb2.ReportEventsResponse:
        """Send reports; those without a number that need one get the next."""
        for report in reports:
            if not report.number and report.WhichOneof("payload") != "progress":
                self.number += 1
                report.number = self.number
        return await self.send(*reports)

    async def send(self, *reports: Report) -> worker_service_pb2.ReportEventsResponse:
        """Send reports as they are."""
        request = worker_service_pb2.ReportEventsRequest(
            job_id=self.job_id, attempt=self.attempt, reports=reports
        )
        return await self.stub.ReportEvents(request)

    async def finish(
        self,
        *,
        completed: TrainingComplete | None = None,
        failed: Failure | None = None,
        cancelled: worker_service_pb2.AttemptCancelled | None = None,
    ) -> JobStatus.ValueType:
        request = worker_service_pb2.FinishAttemptRequest(
            job_id=self.job_id, attempt=self.attempt, completed=completed, failed=failed, cancelled=cancelled
        )
        return (await self.stub.FinishAttempt(request)).status

    async def complete(self) -> JobStatus.ValueType:
        return await self.finish(completed=TrainingComplete(model_id=str(new_id()), best_epoch=1))

    async def release(self, message: str = "") -> None:
        request = worker_service_pb2.ReleaseAttemptRequest(
            job_id=self.job_id, attempt=self.attempt, message=message
        )
        await self.stub.ReleaseAttempt(request)

    async def train(self, epochs: int = 3) -> JobStatus.ValueType:
        """The whole of an attempt as a worker tells it."""
        await self.report(training_started())
        for epoch in range(1, epochs + 1):
            await self.report(epoch_start(epoch), progress(epoch))
            await self.report(epoch_complete(epoch))
        return await self.complete()


def training_started() -> Report:
    return Report(training_started=TrainingStarted(device="cpu"))


def epoch_start(epoch: int) -> Report:
    return Report(epoch_start=EpochStart(epoch=epoch))


def progress(epoch: int) -> Report:
    return Report(progress=Progress(stage="training", epoch=epoch, done=1, total=2))


def epoch_complete(epoch: int, **fields: float) -> Report:
    measured = Epoch(
        epoch=epoch,
        metrics={"map50": epoch / 10},
        train_loss=1 / epoch,
        epoch_seconds=fields.get("epoch_seconds", 2.0),
        training_seconds=fields.get("training_seconds"),
    )
    return Report(epoch_complete=measured)
