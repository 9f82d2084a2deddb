"""Trainings whose trainer is away for many leases, and workers that are killed meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from annotateforge.api.trainer.v1.event_pb2 import JobEvent
from annotateforge.api.trainer.v1.job_pb2 import JobStatus
from annotateforge.api.trainer.v1.trainer_service_pb2 import ListWorkersRequest
from annotateforge.runtime.auth import Role
from annotateforge.trainer.worker import handing_in, leftovers
from annotateforge.trainer.worker.app import running
from annotateforge.trainer.worker.leftovers import Leftovers
from tests.integration.trainer_worker.stack import Stack, running_stack, token
from tests.integration.trainer_worker.test_resuming import epochs_of, retries, saved
from tests.integration.trainer_worker.test_stopping import worker_process

LEASE = 3.0


@pytest.fixture
async def stack(database_url: str, nats_url: str, store_url: str, secret: str) -> AsyncIterator[Stack]:
    async with running_stack(database_url, nats_url, store_url, secret, lease_seconds=LEASE) as services:
        yield services


async def is_back(stack: Stack) -> None:
    """Wait until the trainer can be reached again by the test, which tries less often than a worker does."""
    async with asyncio.timeout(30):
        while True:
            try:
                await stack.trainer.ListWorkers(ListWorkersRequest())
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.1)
            else:
                return


def each_once_in_order(events: list[JobEvent], epochs: int) -> None:
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert epochs_of(events) == list(range(1, epochs + 1))
    attempts = [event.attempt for event in events if event.attempt]
    assert attempts == sorted(attempts)


@pytest.mark.slow
async def test_a_training_goes_on_while_the_trainer_is_away_for_many_leases(
    stack: Stack, worker_dir: Path
) -> None:
    epochs = 14
    job = await stack.job(await stack.project(), epochs=epochs)
    async with running(stack.worker_settings(worker_dir)):
        await saved(stack, job, 1)
        async with stack.process.away():
            await asyncio.sleep(3 * LEASE)
            # What the child reports waits on the disk.
            (reports,) = worker_dir.glob("undelivered/*/reports")
            async with asyncio.timeout(60):
                while not reports.stat().st_size:
                    await asyncio.sleep(0.05)
        await is_back(stack)
        ended = await stack.ended(job)
    assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure
    # Nobody else got it, although its lease was over long ago when the trainer came back.
    assert ended.attempt == 1
    events = await stack.events(job)
    assert retries(events) == []
    each_once_in_order(events, epochs)
    assert list((worker_dir / "undelivered").iterdir()) == []


@pytest.mark.slow
async def test_a_worker_that_is_killed_while_the_trainer_is_away_hands_in_what_it_had_when_it_is_back(
    stack: Stack, tmp_path: Path
) -> None:
    epochs = 5
    job = await stack.job(await stack.project(), epochs=epochs)
    left = tmp_path / "worker" / "undelivered"
    async with worker_process(stack, tmp_path / "worker") as worker:
        await saved(stack, job, 1)
        async with stack.process.away():
            (before,) = left.iterdir()
            async with asyncio.timeout(60):
                while not any(int(path.stem) >= 3 for path in before.glob("states/*.pt")):
                    await asyncio.sleep(0.02)
            worker.kill()
            await worker.wait()
            kept = max(int(path.stem) for path in before.glob("states/*.pt"))
        await is_back(stack)
        assert len(epochs_of(await stack.events(job))) < kept
        async with running(stack.worker_settings(tmp_path / "worker")):
            ended = await stack.ended(job)
    assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure
    events = await stack.events(job)
    each_once_in_order(events, epochs)
    (retry,) = (event.retry for event in events if event.HasField("retry"))
    assert retry.reason == "WORKER_LOST"
    assert "handed in" in retry.message
    assert retry.resume_epoch >= kept
    # The epochs of the outage are told as those of the attempt that trained them.
    assert len(epochs_of([event for event in events if event.attempt == 1])) >= kept
    assert list(left.iterdir()) == []


@pytest.mark.slow
async def test_what_the_trainer_refuses_when_a_worker_starts_is_handed_in_while_it_works(
    database_url: str,
    nats_url: str,
    store_url: str,
    secret: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handing_in, "OFFERED_FOR", 0.0)
    monkeypatch.setattr(leftovers, "AGAIN_AFTER", 0.5)
    offered = asyncio.Event()
    as_it_is = Leftovers.offered

    def noted(self: Leftovers, *, taken: bool) -> None:
        as_it_is(self, taken=taken)
        offered.set()

    monkeypatch.setattr(Leftovers, "offered", noted)
    folder, token_file = tmp_path / "worker", tmp_path / "token"
    token_file.write_text(token(secret, Role.VIEWER))
    # The lease outlasts the test, so that the attempt is not another worker's before it is handed in.
    async with running_stack(database_url, nats_url, store_url, secret, lease_seconds=300) as stack:
        job = await stack.job(await stack.project(), epochs=1000)
        async with worker_process(stack, folder) as worker:
            await saved(stack, job, 1)
            worker.kill()
            await worker.wait()
        (left,) = (folder / "undelivered").iterdir()
        settings = stack.worker_settings(folder, worker_token=None, worker_token_file=token_file)
        async with running(settings):
            async with asyncio.timeout(60):
                await offered.wait()
            assert left.exists()
            assert retries(await stack.events(job)) == []
            # Somebody gives the worker the token that it should have had.
            token_file.write_text(token(secret, Role.WORKER))
            retry = (await stack.until(job, "retry")).retry
            await stack.cancel(job)
            await stack.ended(job)
    assert (retry.reason, "handed in" in retry.message) == ("WORKER_LOST", True)
    assert retry.resume_epoch >= 1
    assert not left.exists()


@pytest.mark.slow
async def test_a_worker_that_is_told_to_stop_while_the_trainer_is_away_leaves_its_job_to_be_handed_back(
    stack: Stack, tmp_path: Path
) -> None:
    job = await stack.job(await stack.project(), epochs=1000)
    async with worker_process(stack, tmp_path / "worker", WORKER_GRACE_SECONDS="1") as worker:
        await saved(stack, job, 1)
        async with stack.process.away():
            worker.terminate()
            async with asyncio.timeout(25):
                assert await worker.wait() == 0
    await is_back(stack)
    async with running(stack.worker_settings(tmp_path / "worker")):
        retry = await stack.until(job, "retry")
        await stack.cancel(job)
        await stack.ended(job)
    assert retry.retry.reason == "RELEASED"
