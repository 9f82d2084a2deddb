"""A worker with two GPUs, which train on the processor: all but CUDA is as it is with real ones."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from annotateforge.api.trainer.v1.job_pb2 import JobStatus
from annotateforge.trainer.worker.app import running
from annotateforge.trainer.worker.order import TrainingOrder, order_for
from tests.integration.trainer_worker.stack import Stack
from tests.integration.trainer_worker.test_resuming import epochs_of, inject, retries, saved
from tests.integration.trainer_worker.test_stopping import children_of, is_alive

NVIDIA_SMI = """#!/bin/sh
case "$1" in
*memory.used*) printf '0, GPU-a, 0, 0\\n1, GPU-b, 0, 0\\n';;
*) printf '0, GPU-a, NVIDIA L4, 23034, 570.86\\n1, GPU-b, NVIDIA L4, 23034, 570.86\\n';;
esac
"""


@pytest.fixture(autouse=True)
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two GPUs, in place of which training uses the processor."""
    program = tmp_path / "nvidia-smi"
    program.write_text(NVIDIA_SMI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def on_processor(*given: Any, **named: Any) -> TrainingOrder:
        order = order_for(*given, **named)
        return replace(order, device=",".join("cpu" for _ in order.devices))

    monkeypatch.setattr("annotateforge.trainer.worker.attempt.order_for", on_processor)


def ranks() -> dict[str, psutil.Process]:
    """The processes below this one that train together, by their ranks."""
    return {
        rank: process
        for process in children_of(os.getpid())
        if (rank := process.environ().get("RANK")) is not None
    }


@pytest.mark.slow
async def test_memory_that_one_gpu_lacks_and_the_death_of_one_process_cost_nothing(
    stack: Stack, worker_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(monkeypatch, event="on_train_batch_end", epoch=2, above_batch=2, rank=1, kind="cuda")
    async with running(stack.worker_settings(worker_dir)):
        job = await stack.job(await stack.project(), epochs=8, device="0,1")
        await saved(stack, job, 3, 300)
        first, second = ranks()["0"], ranks()["1"]
        second.kill()
        ended = await stack.ended(job, 300)
    assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure
    events = await stack.events(job)
    assert retries(events) == ["OUT_OF_MEMORY", "TRAINING_KILLED"]
    assert epochs_of(events) == list(range(1, 9))
    assert (ended.batch_size, ended.config.batch_size) == (2, 4)
    assert not is_alive(first)
    assert (await stack.model(ended.model_id)).job_id == job.id


@pytest.mark.slow
async def test_a_worker_trains_on_each_gpu_and_frees_them_for_a_job_that_wants_both(
    stack: Stack, worker_dir: Path
) -> None:
    project = await stack.project()
    async with running(stack.worker_settings(worker_dir)):
        one, other = [await stack.job(project, epochs=1000, gpus=1) for _ in range(2)]
        for job in (one, other):
            await stack.until(job, "epoch_complete")
        assert (await stack.get(one)).status == JobStatus.JOB_STATUS_TRAINING
        both = await stack.job(project, epochs=1000, gpus=2)
        last = await stack.job(project, epochs=1000, gpus=1)
        for job in (one, other):
            await stack.cancel(job)
            assert (await stack.ended(job)).status == JobStatus.JOB_STATUS_CANCELLED
        await stack.until(both, "epoch_complete")
        assert (await stack.get(last)).status == JobStatus.JOB_STATUS_PENDING
        family = ranks()
        assert set(family) == {"0", "1"}
        assert len({process.ppid() for process in family.values()}) == 1
        await stack.cancel(last)
        await stack.cancel(both)
        assert (await stack.ended(both)).status == JobStatus.JOB_STATUS_CANCELLED
        async with asyncio.timeout(20):
            while children_of(os.getpid()):
                await asyncio.sleep(0.05)
