"""Runs the real child with an order, and keeps all that it tells."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotateforge.api.trainer.v1.event_pb2 import CheckpointSaved, TrainingComplete
from annotateforge.api.trainer.v1.job_pb2 import Epoch, Failure
from annotateforge.api.trainer.v1.worker_service_pb2 import Report
from annotateforge.trainer.worker.child_process import ChildProcess
from annotateforge.trainer.worker.environment import child_environment
from annotateforge.trainer.worker.frames import Kind
from annotateforge.trainer.worker.order import TrainingOrder
from tests.unit.trainer_worker.tiny_datasets import CLASSES

CORES = 1
"""Other tests may want the other ones."""


@dataclass
class Told:
    """What a child told until it ended."""

    reports: list[Report] = field(default_factory=list)
    result: TrainingComplete | None = None
    failure: Failure | None = None
    checkpoints: list[int] = field(default_factory=list)
    """Epochs after which the state was kept."""
    exit_code: int | None = None
    output: str = ""

    def kinds(self) -> list[str]:
        """Names of what was reported, progress left out."""
        names = [str(report.WhichOneof("payload")) for report in self.reports]
        return [name for name in names if name != "progress"]

    def epochs(self) -> list[Epoch]:
        return [report.epoch_complete for report in self.reports if report.HasField("epoch_complete")]

    def warnings(self) -> list[str]:
        return [report.warning.reason for report in self.reports if report.HasField("warning")]

    def trained(self) -> TrainingComplete:
        """The result, of a child that trained well."""
        assert self.failure is None, f"{self.failure}\n{self.output}"
        assert self.result is not None, self.output
        assert self.exit_code == 0
        return self.result

    def found(self) -> TrainingComplete:
        """The result without its seconds, which no two trainings have in common."""
        found = TrainingComplete()
        found.CopyFrom(self.trained())
        found.ClearField("training_seconds")
        return found


def order(folder: Path, task: str, **changes: Any) -> TrainingOrder:
    """An order for two short epochs on the data set below `folder`."""
    values: dict[str, Any] = {
        "task": task,
        "classes": CLASSES,
        "dataset_dir": str(folder / "data"),
        "run_dir": str(folder / "scratch" / "run"),
        "architecture": "yolov8n",
        "epochs": 2,
        "batch_size": 4,
        "image_size": 64,
        "optimizer": "AdamW",
        "learning_rate": 0.002,
        "patience": 100,
        "max_hours": None,
        "settings": {},
        "seed": 0,
        "loader_workers": None,
        "device": "cpu",
        "cores": CORES,
        "pretrained": "never",
        "base_weights": None,
        "weights_dir": str(folder / "weights"),
        "allow_downloads": False,
    }
    return TrainingOrder(**values | changes)


@asynccontextmanager
async def started_child(folder: Path, cache: Path, **environment: str) -> AsyncIterator[ChildProcess]:
    """A child that waits for its order; nothing is left of it afterwards."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    variables = child_environment(os.environ, scratch, cache, CORES) | environment
    child = await ChildProcess.start(scratch, variables)
    try:
        child.log_to(folder / "child.log")
        yield child
    finally:
        await child.stop()


async def listen(child: ChildProcess, on_report: Callable[[Report], None] | None = None) -> Told:
    """Hear a child until it ends."""
    told = Told()
    async for kind, payload in child.frames():
        if kind is Kind.REPORT:
            told.reports.append(Report.FromString(payload))
            if on_report is not None:
                on_report(told.reports[-1])
        elif kind is Kind.TRAINED:
            told.result = TrainingComplete.FromString(payload)
        elif kind is Kind.CHECKPOINT:
            told.checkpoints.append(CheckpointSaved.FromString(payload).epoch)
        else:
            told.failure = Failure.FromString(payload)
    told.exit_code = await child.ended()
    told.output = "\n".join(child.log.lines())
    return told


async def run_child(folder: Path, cache: Path, given: TrainingOrder, **environment: str) -> Told:
    """Start a child, give it the order and hear it out."""
    async with started_child(folder, cache, **environment) as child:
        await child.give(given)
        return await listen(child)
