"""Memory that runs out in each place, a child that hangs, a full disk, a worker that is cut off."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from annotateforge.api.trainer.v1.job_pb2 import JobStatus
from annotateforge.trainer.worker.app import running
from tests.integration.trainer_worker.gate import gate_to
from tests.integration.trainer_worker.stack import Stack, running_stack
from tests.integration.trainer_worker.test_resuming import epochs_of, inject, retries, saved

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
async def stack(database_url: str, nats_url: str, store_url: str, secret: str) -> AsyncIterator[Stack]:
    async with running_stack(database_url, nats_url, store_url, secret, lease_seconds=3) as services:
        yield services


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
    assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure
    events = await stack.events(job)
    assert retries(events) == ["OUT_OF_MEMORY"]
    assert epochs_of(events) == [1, 2, 3]
    assert ended.batch_size == 2


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


async def test_a_full_disk_is_named(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inject(monkeypatch, event="on_train_batch_end", epoch=2, kind="disk")
    job = await stack.job(await stack.project(), epochs=3)
    async with running(stack.worker_settings(tmp_path / "worker")):
        ended = await stack.ended(job)
    assert ended.failure.reason == "DISK_FULL"
    assert ended.failure.hint
    assert ended.failure.log_tail


async def test_a_worker_that_is_cut_off_for_longer_than_its_lease_changes_nothing_any_more(
    stack: Stack, tmp_path: Path
) -> None:
    job = await stack.job(await stack.project(), epochs=40)
    async with gate_to(stack.trainer_address) as gate:
        cut_off = stack.worker_settings(tmp_path / "first", trainer_address=gate.address)
        async with running(cut_off):
            await saved(stack, job, 2)
            gate.close()
            async with running(stack.worker_settings(tmp_path / "second", worker_name="second")):
                async with asyncio.timeout(120):
                    while (await stack.get(job)).attempt < 2:
                        await asyncio.sleep(0.1)
                gate.open()
                ended = await stack.ended(job)
    assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure
    assert (ended.attempt, ended.worker_name) == (2, "second")
    events = await stack.events(job)
    assert retries(events) == ["WORKER_LOST"]
    assert epochs_of(events) == list(range(1, 41))
    # Nothing of the first attempt comes after the second one has begun.
    attempts = [event.attempt for event in events if event.attempt]
    assert attempts == sorted(attempts)
