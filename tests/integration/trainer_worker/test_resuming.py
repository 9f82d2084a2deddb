"""Trainings that are interrupted and go on: killed children and workers, memory that runs out, silence."""

import asyncio
import io
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from annotateforge.api.registry.v1 import registry_service_pb2 as registry_api
from annotateforge.api.trainer.v1.event_pb2 import JobEvent
from annotateforge.api.trainer.v1.job_pb2 import Job, JobStatus
from annotateforge.trainer.worker.app import running
from tests.integration.trainer_worker.stack import Stack, running_stack
from tests.integration.trainer_worker.test_stopping import children_of, is_alive, worker_process


def retries(events: list[JobEvent]) -> list[str]:
    return [event.retry.reason for event in events if event.HasField("retry")]


def epochs_of(events: list[JobEvent]) -> list[int]:
    return [event.epoch_complete.epoch for event in events if event.HasField("epoch_complete")]


async def saved(stack: Stack, job: Job, epoch: int, patience: float = 120) -> None:
    """Wait until the checkpoint after an epoch, or a later one, is kept."""
    async with asyncio.timeout(patience):
        async for event in stack.watch(job):
            if event.HasField("checkpoint_saved") and event.checkpoint_saved.epoch >= epoch:
                return
    raise AssertionError(f"The job ended: {await stack.get(job)}")


async def weights(stack: Stack, job: Job) -> dict[str, Any]:
    """The tensors of the registered model by name, as bytes."""
    request = registry_api.DownloadArtifactRequest(model_id=job.model_id)
    content = b"".join([part.chunk async for part in stack.registry.DownloadArtifact(request)])
    model = torch.load(io.BytesIO(content), map_location="cpu", weights_only=False)["model"]
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


@pytest.mark.slow
async def test_a_killed_child_goes_on_from_its_checkpoint_and_gives_the_model_of_the_undisturbed_run(
    stack: Stack, worker_dir: Path
) -> None:
    project = await stack.project()
    job, undisturbed = [await stack.job(project, epochs=4, loader_workers=2) for _ in range(2)]
    async with running(stack.worker_settings(worker_dir)):
        await saved(stack, job, 1)
        (child,) = (one for one in children_of(os.getpid()) if one.ppid() == os.getpid())
        loaders = child.children()
        child.kill()
        ended = await stack.ended(job)
        other = await stack.ended(undisturbed)
    assert ended.status == other.status == JobStatus.JOB_STATUS_COMPLETED, (ended.failure, other.failure)
    events = await stack.events(job)
    assert retries(events) == ["TRAINING_KILLED"]
    (retry,) = (event.retry for event in events if event.HasField("retry"))
    assert "SIGKILL" in retry.message
    assert retry.resume_epoch >= 1
    assert epochs_of(events) == [1, 2, 3, 4]
    assert ended.attempt == 2
    assert not ended.HasField("checkpoint")
    assert loaders
    assert not any(map(is_alive, loaders))
    assert await weights(stack, ended) == await weights(stack, other)


@pytest.mark.slow
async def test_a_worker_that_is_told_to_stop_leaves_its_newest_checkpoint(
    stack: Stack, tmp_path: Path
) -> None:
    job = await stack.job(await stack.project(), epochs=1000)
    async with worker_process(stack, tmp_path / "first") as worker:
        await saved(stack, job, 1)
        child = children_of(worker.pid)[0]
        before = time.monotonic()
        worker.terminate()
        async with asyncio.timeout(25):
            assert await worker.wait() == 0
        assert time.monotonic() - before < 22
    assert not is_alive(child)
    back = await stack.get(job)
    assert back.status == JobStatus.JOB_STATUS_PENDING
    events = await stack.events(job)
    assert retries(events) == ["RELEASED"]
    # Of the epochs that were reported at most the one whose state was still being written is trained again.
    assert back.current_epoch - back.checkpoint.epoch <= 1
    await stack.cancel(job)


@pytest.mark.slow
async def test_a_hung_child_is_ended_and_the_training_goes_on(stack: Stack, worker_dir: Path) -> None:
    job = await stack.job(await stack.project(), epochs=4)
    async with running(stack.worker_settings(worker_dir, stall_seconds=6)):
        await saved(stack, job, 1)
        os.kill(children_of(os.getpid())[0].pid, signal.SIGSTOP)
        ended = await stack.ended(job)
    assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure
    events = await stack.events(job)
    # On a busy machine a training may be silent for so long by itself.
    assert retries(events)[0] == "STALLED"
    assert epochs_of(events) == [1, 2, 3, 4]


@pytest.mark.slow
async def test_the_job_of_a_killed_worker_loses_at_most_one_epoch(
    database_url: str, nats_url: str, store_url: str, secret: str, tmp_path: Path
) -> None:
    async with running_stack(database_url, nats_url, store_url, secret, lease_seconds=3) as stack:
        job = await stack.job(await stack.project(), epochs=5, loader_workers=2)
        async with worker_process(stack, tmp_path / "first") as worker:
            await saved(stack, job, 1)
            (child,) = (one for one in children_of(worker.pid) if one.ppid() == worker.pid)
            family = [child, *child.children()]
            assert len(family) > 1
            worker.kill()
            await worker.wait()
            async with asyncio.timeout(30):
                while any(map(is_alive, family)):
                    await asyncio.sleep(0.02)
        async with running(stack.worker_settings(tmp_path / "second")):
            ended = await stack.ended(job)
        assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure
        events = await stack.events(job)
        assert retries(events) == ["WORKER_LOST"]
        assert epochs_of(events) == [1, 2, 3, 4, 5]
        (retry,) = (event.retry for event in events if event.HasField("retry"))
        reported = epochs_of([event for event in events if event.attempt == 1])
        assert reported[-1] - retry.resume_epoch <= 1


FAULTS = Path(__file__).resolve().parents[2] / "chaos" / "faults"


def inject(monkeypatch: pytest.MonkeyPatch, **fault: Any) -> None:
    """Have the training processes that are started from now on fail; see the module in FAULTS."""
    monkeypatch.setenv("PYTHONPATH", str(FAULTS))
    monkeypatch.setenv("TEST_FAULT", json.dumps(fault))


@pytest.mark.slow
async def test_memory_that_runs_out_halves_the_batch_down_to_one(
    stack: Stack, worker_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(monkeypatch, event="on_train_batch_end", epoch=2, above_batch=1, kind="cuda")
    job = await stack.job(await stack.project(), "detect", epochs=3)
    async with running(stack.worker_settings(worker_dir)):
        ended = await stack.ended(job)
    assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure
    events = await stack.events(job)
    told = [event.retry for event in events if event.HasField("retry")]
    assert [(retry.reason, retry.batch_size) for retry in told] == [
        ("OUT_OF_MEMORY", 2),
        ("OUT_OF_MEMORY", 1),
    ]
    assert told[-1].resume_epoch >= 1
    assert epochs_of(events) == [1, 2, 3]
    assert (ended.batch_size, ended.config.batch_size) == (1, 4)


@pytest.mark.slow
async def test_memory_that_does_not_suffice_for_one_image_fails_the_job(
    stack: Stack, worker_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of the machine's memory, while the first epoch is validated.
    inject(monkeypatch, event="on_val_batch_start", epoch=1, kind="numpy")
    job = await stack.job(await stack.project(), batch_size=2)
    async with running(stack.worker_settings(worker_dir)):
        ended = await stack.ended(job)
    assert ended.status == JobStatus.JOB_STATUS_FAILED
    assert ended.failure.reason == "OUT_OF_MEMORY"
    assert ended.failure.hint
    assert ended.failure.log_tail
    assert retries(await stack.events(job)) == ["OUT_OF_MEMORY"]
