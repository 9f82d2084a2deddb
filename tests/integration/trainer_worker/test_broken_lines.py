"""Lines that break: between the worker and the trainer, the dataset service, the registry."""

import asyncio
import contextlib
from pathlib import Path

import pytest
from pydantic import SecretStr

from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.trainer.v1.job_pb2 import JobStatus
from annotateforge.api.trainer.v1.worker_service_pb2 import Report
from annotateforge.runtime.auth import Role
from annotateforge.runtime.channel import open_channel
from annotateforge.trainer.worker.app import running
from annotateforge.trainer.worker.datasets import DatasetCache
from annotateforge.trainer.worker.reports import Reports
from tests.integration.trainer_worker.folders import checksums, manifest
from tests.integration.trainer_worker.gate import gate_to
from tests.integration.trainer_worker.stack import Stack, running_stack, token

ROOMY = 10**12


@pytest.mark.slow
async def test_a_download_that_breaks_goes_on_where_it_broke(stack: Stack, worker_dir: Path) -> None:
    dataset = (await stack.job(await stack.project(images=40), "detect")).dataset
    files = await manifest(stack.dataset, dataset)
    size = sum(file.size_bytes for file in files)
    worker = token(stack.secret, Role.WORKER)
    progress: list[tuple[int, int]] = []
    async with gate_to(stack.dataset_address) as gate, open_channel(gate.address, lambda: worker) as channel:
        gate.cut_at(size // 10, size // 3, size)
        cache = DatasetCache(worker_dir, ROOMY)
        async with asyncio.timeout(60):
            folder = await cache.bring(dataset, DatasetServiceStub(channel), lambda *at: progress.append(at))
        assert gate.cuts >= 2
        assert checksums(folder) == {file.name: file.crc32 for file in files}
        assert progress == sorted(progress)
        assert progress[-1] == (size, size)
        # The whole was sent once, and what was under way when the line broke.
        assert gate.answered < 2.5 * size

        answered = gate.answered
        assert await cache.bring(dataset, DatasetServiceStub(channel), lambda *_: None) == folder
        assert gate.answered == answered


@pytest.mark.slow
async def test_a_download_that_is_given_up_leaves_nothing_unfinished(stack: Stack, worker_dir: Path) -> None:
    dataset = (await stack.job(await stack.project(), "detect")).dataset
    worker = token(stack.secret, Role.WORKER)
    async with gate_to(stack.dataset_address) as gate, open_channel(gate.address, lambda: worker) as channel:
        gate.close()
        cache = DatasetCache(worker_dir, ROOMY)
        bringing = asyncio.create_task(cache.bring(dataset, DatasetServiceStub(channel), lambda *_: None))
        async with asyncio.timeout(10):
            while not gate.refused:
                await asyncio.sleep(0.01)
        bringing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await bringing
    assert [path for path in worker_dir.rglob("*") if path.is_file()] == []


@pytest.mark.slow
async def test_reports_of_the_time_without_a_trainer_arrive_later_and_once(
    database_url: str, nats_url: str, store_url: str, secret: str, worker_dir: Path
) -> None:
    epochs = 8
    async with running_stack(database_url, nats_url, store_url, secret, lease_seconds=120) as stack:
        job = await stack.job(await stack.project(), epochs=epochs)
        async with gate_to(stack.trainer_address) as gate:
            settings = stack.worker_settings(worker_dir, trainer_address=gate.address)
            async with running(settings):
                await stack.until(job, "epoch_start")
                gate.close()
                log = next((worker_dir / "logs").glob("*.log"))
                async with asyncio.timeout(90):
                    while "Results saved" not in log.read_text():
                        await asyncio.sleep(0.05)
                assert (await stack.get(job)).current_epoch < epochs
                gate.open()
                ended = await stack.ended(job)
        assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure
        events = await stack.events(job)
        completed = [event.epoch_complete.epoch for event in events if event.HasField("epoch_complete")]
        assert completed == list(range(1, epochs + 1))


@pytest.mark.slow
async def test_reports_whose_answers_are_lost_are_recorded_once(stack: Stack, worker_dir: Path) -> None:
    epochs = 8
    job = await stack.job(await stack.project(), epochs=epochs)
    async with gate_to(stack.trainer_address) as gate:
        settings = stack.worker_settings(worker_dir, trainer_address=gate.address)
        async with running(settings):
            await stack.until(job, "epoch_start")
            # Every few answers the line breaks in the middle of one.
            gate.cut_at(*(gate.answered + 150 * number for number in range(1, 40)))
            ended = await stack.ended(job)
        assert gate.cuts > 3
    assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure
    events = await stack.events(job)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    for kind in ("epoch_start", "epoch_complete"):
        told = [getattr(event, kind).epoch for event in events if event.HasField(kind)]
        assert told == list(range(1, epochs + 1))


@pytest.mark.slow
async def test_a_model_is_registered_once_although_the_line_breaks_meanwhile(
    stack: Stack, worker_dir: Path
) -> None:
    job = await stack.job(await stack.project(), epochs=1)
    async with gate_to(stack.registry_address) as gate:
        gate.close()
        async with running(stack.worker_settings(worker_dir, registry_address=gate.address)):
            await stack.until(job, "epoch_complete")
            log = next((worker_dir / "logs").glob("*.log"))
            async with asyncio.timeout(60):
                while "Results saved" not in log.read_text():
                    await asyncio.sleep(0.05)
            gate.open()
            ended = await stack.ended(job)
    assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure


@pytest.mark.slow
async def test_a_job_is_cancelled_while_its_model_cannot_be_registered(
    stack: Stack, worker_dir: Path
) -> None:
    job = await stack.job(await stack.project(), epochs=1)
    async with gate_to(stack.registry_address) as gate:
        gate.close()
        async with running(stack.worker_settings(worker_dir, registry_address=gate.address)):
            await stack.until(job, "epoch_complete")
            log = next((worker_dir / "logs").glob("*.log"))
            async with asyncio.timeout(60):
                while "Results saved" not in log.read_text():
                    await asyncio.sleep(0.05)
            await stack.cancel(job)
            ended = await stack.ended(job, patience=5)
    assert ended.status == JobStatus.JOB_STATUS_CANCELLED


@pytest.mark.slow
async def test_a_job_is_cancelled_while_its_data_cannot_be_downloaded(stack: Stack, worker_dir: Path) -> None:
    job = await stack.job(await stack.project())
    async with gate_to(stack.dataset_address) as gate:
        gate.close()
        async with running(stack.worker_settings(worker_dir, dataset_address=gate.address)):
            async with asyncio.timeout(30):
                while not gate.refused:
                    await asyncio.sleep(0.01)
            await stack.cancel(job)
            ended = await stack.ended(job, patience=5)
            assert [path for path in worker_dir.glob("datasets/**/*") if path.is_file()] == []
            assert list(worker_dir.glob("attempts/*")) == []
    assert ended.status == JobStatus.JOB_STATUS_CANCELLED


async def test_a_worker_takes_a_new_token_from_its_file(stack: Stack, worker_dir: Path) -> None:
    worker_dir.mkdir()
    token_file = worker_dir / "token"
    token_file.write_text("no token at all")
    settings = stack.worker_settings(worker_dir, worker_token=None, worker_token_file=token_file)
    job = await stack.job(await stack.project())
    async with running(settings):
        token_file.write_text(SecretStr(token(stack.secret, Role.WORKER)).get_secret_value())
        async with asyncio.timeout(20):
            while (await stack.get(job)).status == JobStatus.JOB_STATUS_PENDING:
                await asyncio.sleep(0.05)
        await stack.cancel(job)
        assert (await stack.ended(job, 10)).status == JobStatus.JOB_STATUS_CANCELLED


@pytest.mark.slow
async def test_a_fault_in_sending_reports_fails_the_job_after_some_attempts_instead_of_holding_it_for_ever(
    stack: Stack, worker_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def faulty(self: Reports, batch: list[Report]) -> int:
        raise RuntimeError("planted")

    monkeypatch.setattr(Reports, "_send", faulty)
    job = await stack.job(await stack.project(), epochs=1)
    async with running(stack.worker_settings(worker_dir)):
        ended = await stack.ended(job)
    assert ended.status == JobStatus.JOB_STATUS_FAILED
    # Nothing is said of the job by a fault of its worker, so that others may try.
    assert ended.failure.reason == "TOO_MANY_ATTEMPTS"
    assert "WORKER_LOST" in ended.failure.message
