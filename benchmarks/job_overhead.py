"""What a job costs beyond the training: its wall clock against the same bare ultralytics run.

- job: from CreateJob to the job's last event, with real services and an idle worker. The data set is frozen,
  downloaded and unpacked, the child started, every event stored, the model registered.
- bare: `YOLO("yolov8n.yaml").train(...)` with the same arguments, in a new interpreter, on the same data,
  which lie unpacked on the disk already.
- bare, tuned: the same, with torch's threads as the worker sets them; ultralytics leaves one core out.

The ways take turns, after a round of each that does not count. Every run finds the data without ultralytics'
label cache. What is printed are medians.

    python -m benchmarks.job_overhead [--rounds N] [--images N] [--epochs N] [--image-size PIXELS]
"""

import argparse
import asyncio
import contextlib
import io
import itertools
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
from pydantic import SecretStr

from annotateforge.api.dataset.v1 import dataset_service_pb2 as dataset_api
from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.trainer.v1 import trainer_service_pb2 as trainer_api
from annotateforge.api.trainer.v1.job_pb2 import Job, JobConfig, JobStatus, Pretrained
from annotateforge.api.trainer.v1.trainer_service_pb2_grpc import TrainerServiceStub
from annotateforge.dataset.app import running as dataset_running
from annotateforge.dataset.settings import Settings as DatasetSettings
from annotateforge.local.demo.sample import CLASSES, sample_images
from annotateforge.local.nats import embedded_nats
from annotateforge.local.postgres import embedded_postgres
from annotateforge.registry.app import Settings as RegistrySettings
from annotateforge.registry.app import running as registry_running
from annotateforge.runtime.auth import Role, issue_token
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.telemetry import configure_logging
from annotateforge.trainer.app import Settings as TrainerSettings
from annotateforge.trainer.app import running as trainer_running
from annotateforge.trainer.worker.app import running as worker_running
from annotateforge.trainer.worker.environment import child_environment
from annotateforge.trainer.worker.machine import usable_cores
from annotateforge.trainer.worker.settings import Settings as WorkerSettings

SECRET = "a secret for the benchmark, of more than 32 bytes"
WAYS = ("job", "bare", "bare, tuned")
DEADLINE = 3600.0

BARE = """
import json, sys
import torch
from ultralytics import YOLO
given = json.loads(sys.argv[1])
threads = int(sys.argv[2])
model = YOLO("yolov8n.yaml")
if threads:
    model.add_callback("on_train_start", lambda trainer: torch.set_num_threads(threads))
    model.add_callback("on_val_start", lambda validator: torch.set_num_threads(threads))
model.train(**given)
"""


@dataclass
class Scale:
    """How much is trained."""

    images: int
    epochs: int
    image_size: int

    def arguments(self, data: Path, runs: Path) -> dict[str, Any]:
        """Ultralytics' arguments of the job below."""
        return {
            "data": str(data / "data.yaml"),
            "project": str(runs),
            "epochs": self.epochs,
            "imgsz": self.image_size,
            "batch": 8,
            "optimizer": "AdamW",
            "lr0": 0.002,
            "seed": 0,
            "workers": 0,
            "device": "cpu",
        }

    def config(self, project_id: str) -> JobConfig:
        """The job."""
        return JobConfig(
            project_ids=[project_id],
            classes=CLASSES,
            epochs=self.epochs,
            image_size=self.image_size,
            batch_size=8,
            optimizer="AdamW",
            learning_rate=0.002,
            pretrained=Pretrained.PRETRAINED_NEVER,
            device="cpu",
        )


@dataclass
class Times:
    """Seconds of the runs of one way."""

    runs: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    def against(self, other: "Times") -> str:
        """The ratio of the medians, and that of the best runs, which a busy machine disturbs least."""
        best = min(self.runs) / min(other.runs)
        return f"{self.median / other.median:.2f} by the medians, {best:.2f} by the best runs"


class Bench:
    """Services, a worker, and the data unpacked for the bare runs."""

    def __init__(
        self, folder: Path, scale: Scale, dataset: DatasetServiceStub, trainer: TrainerServiceStub
    ) -> None:
        self.folder = folder
        self._scale = scale
        self._dataset = dataset
        self.trainer = trainer
        self._project_id = ""
        self._archive = b""
        self._runs = 0
        self.stages: list[dict[str, float]] = []
        """Seconds of each job's stages, by its events."""

    async def prepare(self) -> None:
        """Make the project, and keep the archive that its jobs will train on."""
        request = dataset_api.CreateProjectRequest(name="benchmark")
        self._project_id = (await self._dataset.CreateProject(request)).project.id
        samples = {sample.filename: sample for sample in sample_images(self._scale.images)}

        async def upload() -> AsyncIterator[dataset_api.UploadImagesRequest]:
            for sample in samples.values():
                header = dataset_api.UploadImagesHeader(project_id=self._project_id, filename=sample.filename)
                yield dataset_api.UploadImagesRequest(header=header)
                yield dataset_api.UploadImagesRequest(chunk=sample.content)

        for image in (await self._dataset.UploadImages(upload())).images:
            await self._dataset.SetAnnotations(
                dataset_api.SetAnnotationsRequest(
                    image_id=image.id, annotations=samples[image.filename].annotations
                )
            )
        job = await self._run_job()
        archive = io.BytesIO()
        wanted = dataset_api.DownloadArchiveRequest(dataset_id=job.dataset.id)
        async for part in self._dataset.DownloadArchive(wanted):
            archive.write(part.chunk)
        self._archive = archive.getvalue()

    async def run(self, way: str) -> float:
        """Seconds of one run."""
        if way == "job":
            shutil.rmtree(self.folder / "worker" / "datasets")
            (self.folder / "worker" / "datasets").mkdir()
            before = time.monotonic()
            job = await self._run_job()
            seconds = time.monotonic() - before
            self.stages.append(await self._stages(job))
            return seconds
        return await self._run_bare(usable_cores() if way == "bare, tuned" else 0)

    async def create_job(self) -> Job:
        """A new job."""
        request = trainer_api.CreateJobRequest(
            name="benchmark",
            task_type=TaskType.TASK_TYPE_DETECT,
            config=self._scale.config(self._project_id),
        )
        return (await self.trainer.CreateJob(request)).job

    def unpack(self, folder: Path) -> None:
        """Put the data set on the disk as a bare run takes it."""
        with zipfile.ZipFile(io.BytesIO(self._archive)) as archive:
            archive.extractall(folder)

    async def _run_job(self) -> Job:
        job = await self.create_job()
        async with asyncio.timeout(DEADLINE):
            async for _ in self.trainer.WatchJob(trainer_api.WatchJobRequest(job_id=job.id)):
                pass
        job = (await self.trainer.GetJob(trainer_api.GetJobRequest(job_id=job.id))).job
        if job.status != JobStatus.JOB_STATUS_COMPLETED:
            raise RuntimeError(f"The job failed: {job.failure}")
        return job

    async def _stages(self, job: Job) -> dict[str, float]:
        times: dict[str, float] = {}
        listed = await self.trainer.ListEvents(trainer_api.ListEventsRequest(job_id=job.id))
        for event in listed.events:
            kind = event.WhichOneof("payload") or ""
            status = JobStatus.Name(event.status_change.status).removeprefix("JOB_STATUS_").lower()
            times[status if kind == "status_change" else kind] = event.time.ToMicroseconds() / 1e6
        names = ("pending", "preparing", "training", "epoch_complete", "completed")
        return {f"{a} to {b}": times[b] - times[a] for a, b in itertools.pairwise(names)}

    async def _run_bare(self, threads: int) -> float:
        self._runs += 1
        folder = self.folder / f"bare-{self._runs}"
        folder.mkdir()
        self.unpack(folder / "data")
        cache = self.folder / "worker" / "cache"
        environment = child_environment(os.environ, folder, cache, threads or None)
        given = json.dumps(self._scale.arguments(folder / "data", folder))
        before = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", BARE, given, str(threads)),
            env=environment,
            cwd=folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(DEADLINE):
            output, _ = await process.communicate()
        seconds = time.monotonic() - before
        if process.returncode != 0:
            raise RuntimeError(f"The bare run failed:\n{output.decode(errors='replace')}")
        return seconds


@contextlib.asynccontextmanager
async def bench(folder: Path, scale: Scale, *, warm_child: bool = True) -> AsyncIterator[Bench]:
    """Engines, services and an idle worker in this process; trainings are processes of their own."""

    def token(role: Role) -> str:
        return issue_token(SECRET, role, "benchmark", timedelta(days=1))

    admin = token(Role.ADMIN)
    async with (
        embedded_postgres(folder / "postgres") as database_url,
        embedded_nats(folder / "nats") as nats_url,
    ):
        shared: dict[str, Any] = {"database_url": database_url, "secret": SecretStr(SECRET)}
        blobs = (folder / "blobs").as_uri()
        async with (
            dataset_running(DatasetSettings(**shared, store_url=blobs)) as dataset,
            registry_running(RegistrySettings(**shared, store_url=blobs, nats_url=nats_url)) as registry,
            trainer_running(
                TrainerSettings(
                    **shared,
                    nats_url=nats_url,
                    store_url=blobs,
                    dataset_address=dataset.address,
                    registry_address=registry.address,
                )
            ) as trainer,
            worker_running(
                WorkerSettings(
                    trainer_address=trainer.address,
                    dataset_address=dataset.address,
                    registry_address=registry.address,
                    worker_token=SecretStr(token(Role.WORKER)),
                    worker_dir=folder / "worker",
                    warm_child=warm_child,
                )
            ),
            open_channel(dataset.address, lambda: admin, deadline=DEADLINE) as dataset_channel,
            open_channel(trainer.address, lambda: admin, deadline=DEADLINE) as trainer_channel,
        ):
            yield Bench(
                folder, scale, DatasetServiceStub(dataset_channel), TrainerServiceStub(trainer_channel)
            )


async def measure(scale: Scale, rounds: int) -> tuple[dict[str, Times], list[dict[str, float]]]:
    times = {way: Times() for way in WAYS}
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        async with bench(folder, scale) as ready:
            await ready.prepare()
            for way in WAYS[1:]:
                await ready.run(way)
            for number in range(rounds):
                for way in WAYS:
                    times[way].runs.append(await ready.run(way))
                told = ", ".join(f"{way} {times[way].runs[-1]:.2f} s" for way in WAYS)
                print(f"round {number + 1}: {told}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return times, ready.stages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=80)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--image-size", type=int, default=160)
    given = parser.parse_args()
    configure_logging("benchmark", "console", "error")
    scale = Scale(given.images, given.epochs, given.image_size)
    times, stages = asyncio.run(measure(scale, given.rounds))
    memory = psutil.virtual_memory().total / 1024**3
    print(
        f"\nyolov8n from scratch, {scale.images} images, {scale.epochs} epochs at {scale.image_size} pixels"
    )
    for way in WAYS:
        runs = times[way].runs
        print(f"{way:16} {times[way].median:7.2f} s   ({min(runs):.2f} to {max(runs):.2f})")
    for way in WAYS[1:]:
        print(f"job / {way}: {times['job'].against(times[way])}")
    for stage in stages[0]:
        print(f"  of the job, {stage}: {min(run[stage] for run in stages):.2f} s at best")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main()
