"""Memory that runs out in each place, children that hang, what ends a job with a name."""

import os
from pathlib import Path
from typing import Any

import pytest

from annotateforge.api.trainer.v1.job_pb2 import JobStatus
from annotateforge.trainer.worker.app import running
from tests.chaos.memory_limit import memory_limited
from tests.chaos.outcome import check_survived
from tests.integration.trainer_worker.stack import Stack
from tests.integration.trainer_worker.test_resuming import inject, retries, saved
from tests.integration.trainer_worker.test_stopping import children_of, worker_process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("kind", ["numpy", "torch", "cuda"])
@pytest.mark.parametrize("epoch", [1, 2, 3])
@pytest.mark.parametrize("event", ["on_train_batch_start", "on_train_batch_end", "on_val_batch_end"])
async def test_memory_that_runs_out_anywhere_costs_half_the_batch(
    event: str, epoch: int, kind: str, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(monkeypatch, event=event, epoch=epoch, above_batch=2, kind=kind)
    job = await stack.job(await stack.project(), epochs=3)
    async with running(stack.worker_settings(tmp_path / "worker")):
        ended = await stack.ended(job)
    assert retries(await check_survived(stack, job)) == ["OUT_OF_MEMORY"]
    assert ended.batch_size == 2


@pytest.mark.parametrize("loader_workers", [0, 2])
async def test_memory_that_runs_out_while_images_are_loaded_costs_half_the_batch(
    loader_workers: int, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(monkeypatch, event="load", images=20, kind="numpy", once=str(tmp_path / "once"))
    job = await stack.job(await stack.project(), "detect", epochs=6, loader_workers=loader_workers)
    async with running(stack.worker_settings(tmp_path / "worker")):
        ended = await stack.ended(job)
    assert retries(await check_survived(stack, job)) == ["OUT_OF_MEMORY"]
    assert ended.batch_size == 2


async def test_a_loader_process_that_is_killed_costs_half_the_batch(stack: Stack, tmp_path: Path) -> None:
    job = await stack.job(await stack.project(), epochs=6, loader_workers=2)
    async with running(stack.worker_settings(tmp_path / "worker")):
        await saved(stack, job, 1)
        (child,) = (one for one in children_of(os.getpid()) if one.ppid() == os.getpid())
        child.children()[0].kill()
        ended = await stack.ended(job)
    # As the kernel does it when memory runs out; torch cannot tell one from the other.
    assert retries(await check_survived(stack, job)) == ["OUT_OF_MEMORY"]
    assert ended.batch_size == 2


async def test_a_training_that_the_kernel_kills_for_its_memory_costs_half_the_batch(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(monkeypatch, event="on_train_batch_end", epoch=2, above_batch=2, kind="hog")
    job = await stack.job(await stack.project(), epochs=3)
    with memory_limited(2 * 1024**3) as let_in:
        async with worker_process(stack, tmp_path / "worker") as worker:
            let_in(worker.pid)
            ended = await stack.ended(job, patience=300)
            assert worker.returncode is None
    assert retries(await check_survived(stack, job)) == ["OUT_OF_MEMORY"]
    assert ended.batch_size == 2


async def test_a_child_that_hangs_once_gives_the_model_of_the_undisturbed_one(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(monkeypatch, event="on_train_batch_end", epoch=3, kind="hang", once=str(tmp_path / "once"))
    project = await stack.project()
    job, undisturbed = [await stack.job(project, epochs=5, loader_workers=2) for _ in range(2)]
    # Long enough for a busy machine not to be taken for a hung one.
    async with running(stack.worker_settings(tmp_path / "worker", stall_seconds=15)):
        await stack.ended(job, patience=300)
        await stack.ended(undisturbed, patience=300)
    assert retries(await check_survived(stack, job, undisturbed)) == ["STALLED"]


async def test_a_child_that_always_hangs_ends_the_job_with_the_reason_of_each_attempt(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(monkeypatch, event="on_train_batch_end", epoch=2, kind="hang")
    job = await stack.job(await stack.project(), epochs=3)
    async with running(stack.worker_settings(tmp_path / "worker", stall_seconds=2)):
        ended = await stack.ended(job, patience=300)
    assert ended.status == JobStatus.JOB_STATUS_FAILED
    assert ended.failure.reason == "TOO_MANY_ATTEMPTS"
    assert ended.failure.message.count("STALLED") == 5
    assert ended.failure.log_tail


NAMES: dict[str, dict[str, Any]] = {
    "DISK_FULL": {"event": "on_train_batch_end", "epoch": 2, "kind": "disk"},
    "LOSS_DIVERGED": {"event": "on_train_batch_end", "epoch": 0, "kind": "diverge"},
    "DATASET_INVALID": {"event": "on_pretrain_routine_start", "epoch": 0, "kind": "spoil"},
    "INTERNAL": {"event": "on_val_start", "epoch": 2, "kind": "bug"},
}


@pytest.mark.parametrize("reason", NAMES)
async def test_what_ends_a_training_has_a_name_a_hint_and_the_end_of_the_log(
    reason: str, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(monkeypatch, **{"above_batch": -1} | NAMES[reason])
    job = await stack.job(await stack.project(), "detect", epochs=3)
    async with running(stack.worker_settings(tmp_path / "worker")):
        ended = await stack.ended(job)
    assert ended.status == JobStatus.JOB_STATUS_FAILED
    assert ended.failure.reason == reason, ended.failure
    assert ended.failure.message
    assert ended.failure.hint
    assert 0 < len(ended.failure.log_tail) <= 200
    printed = [line.text for line in await stack.log(job)]
    assert printed[-len(ended.failure.log_tail) :] == list(ended.failure.log_tail)
    (told,) = (event for event in await stack.events(job) if event.HasField("training_failed"))
    assert told.training_failed == ended.failure
