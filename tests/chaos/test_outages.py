"""The control plane away for ten minutes, and a line that is cut for longer than the lease."""

import asyncio
import time
from pathlib import Path

import pytest

from annotateforge.api.trainer.v1.job_pb2 import Job
from annotateforge.trainer.worker.app import running
from annotateforge.trainer.worker.undelivered import Undelivered
from tests.chaos.outcome import check_survived
from tests.integration.trainer_worker.gate import gate_to
from tests.integration.trainer_worker.stack import Stack, running_stack
from tests.integration.trainer_worker.test_outages import is_back
from tests.integration.trainer_worker.test_resuming import retries, saved
from tests.integration.trainer_worker.test_stopping import children_of, is_alive, worker_process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

TEN_MINUTES = 600.0


async def saved_by(stack: Stack, job: Job, attempt: int) -> None:
    """Wait until an attempt has a checkpoint of its own: what the one before left is delivered earlier."""
    async with asyncio.timeout(120):
        async for event in stack.watch(job):
            if event.HasField("checkpoint_saved") and event.attempt == attempt:
                return
    raise AssertionError(f"The job ended: {await stack.get(job)}")


async def test_a_training_does_not_notice_that_the_control_plane_is_away_for_ten_minutes(
    database_url: str, nats_url: str, store_url: str, secret: str, tmp_path: Path
) -> None:
    async with running_stack(database_url, nats_url, store_url, secret) as stack:
        project = await stack.project()
        # It takes longer than that, however fast the machine is: it is ended by its time limit.
        job = await stack.job(project, epochs=10_000, max_hours=(TEN_MINUTES + 60) / 3600, patience=0)
        async with running(stack.worker_settings(tmp_path / "worker", checkpoint_seconds=60)):
            await saved(stack, job, 1)
            async with stack.process.away():
                await asyncio.sleep(TEN_MINUTES)
            await is_back(stack)
            assert (await stack.get(job)).attempt == 1
            ended = await stack.ended(job, patience=900)
        assert ended.attempt == 1
        events = await stack.events_all(job)
        assert retries(events) == []
        epochs = [event.epoch_complete.epoch for event in events if event.HasField("epoch_complete")]
        assert epochs == list(range(1, len(epochs) + 1))
        assert ended.model_id


async def test_a_worker_that_is_cut_off_for_longer_than_its_lease_changes_nothing_any_more(
    stack: Stack, tmp_path: Path
) -> None:
    project = await stack.project()
    job, undisturbed = [await stack.job(project, epochs=40) for _ in range(2)]
    left = tmp_path / "first" / "undelivered"
    async with (
        gate_to(stack.trainer_address) as gate,
        worker_process(
            stack, tmp_path / "first", "first", TRAINER_ADDRESS=gate.address, WARM_CHILD="false"
        ) as first,
    ):
        await saved(stack, job, 2)
        family = children_of(first.pid)
        assert family
        gate.close()
        async with running(stack.worker_settings(tmp_path / "second", worker_name="second")):
            async with asyncio.timeout(120):
                while (await stack.get(job)).attempt < 2:
                    await asyncio.sleep(0.1)
            # It trains for nobody, or waits to tell somebody, and does not know it.
            assert list(left.iterdir())
            before = time.monotonic()
            gate.open()
            async with asyncio.timeout(30):
                while any(map(is_alive, family)) or list(left.iterdir()):
                    await asyncio.sleep(0.02)
            # A word, the next try of a heartbeat, and the time that a child gets to end.
            assert time.monotonic() - before < 20
            await stack.ended(job, patience=600)
            first.terminate()
            await first.wait()
            await stack.ended(undisturbed, patience=600)
        events = await check_survived(stack, job, undisturbed)
    ended = await stack.get(job)
    assert (ended.attempt, ended.worker_name) == (2, "second")
    assert retries(events) == ["WORKER_LOST"]


async def test_what_a_killed_worker_left_is_dropped_when_another_one_has_the_job(
    stack: Stack, tmp_path: Path
) -> None:
    project = await stack.project()
    job, undisturbed = [await stack.job(project, epochs=12) for _ in range(2)]
    async with worker_process(stack, tmp_path / "first") as worker:
        await saved(stack, job, 1)
        worker.kill()
        await worker.wait()
    left = tmp_path / "first" / "undelivered"
    assert len(Undelivered.found(left)) == 1
    async with running(stack.worker_settings(tmp_path / "second", worker_name="second")):
        async with asyncio.timeout(60):
            while (await stack.get(job)).attempt < 2:
                await asyncio.sleep(0.05)
        async with running(stack.worker_settings(tmp_path / "first")):
            async with asyncio.timeout(20):
                while list(left.iterdir()):
                    await asyncio.sleep(0.05)
            await stack.ended(job, patience=600)
            await stack.ended(undisturbed, patience=600)
    events = await check_survived(stack, job, undisturbed)
    assert (await stack.get(job)).attempt == 2
    assert retries(events) == ["WORKER_LOST"]


async def test_a_worker_that_is_killed_in_an_outage_and_comes_back_gives_the_undisturbed_model(
    stack: Stack, tmp_path: Path
) -> None:
    project = await stack.project()
    job, undisturbed = [await stack.job(project, epochs=60, loader_workers=2) for _ in range(2)]
    for number in range(3):
        async with worker_process(stack, tmp_path / "worker") as worker:
            await saved_by(stack, job, attempt=number + 1)
            async with stack.process.away():
                await asyncio.sleep(2 * number)
                children = children_of(worker.pid)
                worker.kill()
                await worker.wait()
                async with asyncio.timeout(20):
                    while any(map(is_alive, children)):
                        await asyncio.sleep(0.02)
            await is_back(stack)
    async with running(stack.worker_settings(tmp_path / "worker")):
        await stack.ended(job, patience=600)
        await stack.ended(undisturbed, patience=600)
    events = await check_survived(stack, job, undisturbed)
    assert retries(events) == ["WORKER_LOST"] * 3
    assert list((tmp_path / "worker" / "undelivered").iterdir()) == []
