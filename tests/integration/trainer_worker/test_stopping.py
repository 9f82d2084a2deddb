"""Jobs that are cancelled, workers that are stopped or killed, children that die."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from annotateforge.api.trainer.v1.job_pb2 import JobStatus
from annotateforge.api.trainer.v1.trainer_service_pb2 import ListWorkersRequest
from annotateforge.runtime.auth import Role
from annotateforge.trainer.worker.app import running
from annotateforge.trainer.worker.folders import FolderTaken
from tests.integration.trainer_worker.stack import Stack, running_stack, token

CHILD = "annotateforge.trainer.worker.child"
LONG = 1000


def children_of(pid: int) -> list[psutil.Process]:
    """Training processes below a process."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if CHILD in process.cmdline():
                found.append(process)
    return found


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie that nobody has collected yet does not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@contextlib.asynccontextmanager
async def worker_process(
    stack: Stack, folder: Path, name: str = "worker", **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker as a process of its own, killed at the end if it still runs. settings: ANNOTATEFORGE_
    variables without the prefix.
    """
    folder.mkdir(exist_ok=True)
    token_file = folder / "token"
    token_file.write_text(token(stack.secret, Role.WORKER) + "\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "annotateforge.trainer.worker",
        env=os.environ
        | {
            "ANNOTATEFORGE_TRAINER_ADDRESS": stack.trainer_address,
            "ANNOTATEFORGE_DATASET_ADDRESS": stack.dataset_address,
            "ANNOTATEFORGE_REGISTRY_ADDRESS": stack.registry_address,
            "ANNOTATEFORGE_WORKER_TOKEN_FILE": str(token_file),
            "ANNOTATEFORGE_WORKER_DIR": str(folder),
            "ANNOTATEFORGE_WORKER_NAME": name,
            "ANNOTATEFORGE_WORKER_CORES": "1",
            "ANNOTATEFORGE_WARM_CHILD": "false",
            "ANNOTATEFORGE_CHECKPOINT_SECONDS": "0",
        }
        | {f"ANNOTATEFORGE_{key}": value for key, value in settings.items()},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.slow
async def test_a_job_is_cancelled_in_the_middle_of_an_epoch_within_five_seconds(
    stack: Stack, worker_dir: Path
) -> None:
    job = await stack.job(await stack.project(), epochs=LONG)
    async with running(stack.worker_settings(worker_dir)):
        await stack.until(job, "epoch_start")
        assert children_of(os.getpid())
        before = time.monotonic()
        await stack.cancel(job)
        ended = await stack.ended(job, patience=10)
        assert time.monotonic() - before < 5
        assert ended.status == JobStatus.JOB_STATUS_CANCELLED
        assert children_of(os.getpid()) == []
        assert list((worker_dir / "attempts").iterdir()) == []


@pytest.mark.slow
async def test_a_job_is_cancelled_while_the_child_is_still_importing(stack: Stack, worker_dir: Path) -> None:
    job = await stack.job(await stack.project(), epochs=LONG)
    async with running(stack.worker_settings(worker_dir)):
        async with asyncio.timeout(30):
            while not children_of(os.getpid()):
                await asyncio.sleep(0.01)
        before = time.monotonic()
        await stack.cancel(job)
        ended = await stack.ended(job, patience=10)
        assert time.monotonic() - before < 5
        assert ended.status == JobStatus.JOB_STATUS_CANCELLED


@pytest.mark.slow
async def test_a_worker_that_is_told_to_stop_hands_its_job_back(stack: Stack, worker_dir: Path) -> None:
    job = await stack.job(await stack.project(), epochs=LONG)
    async with worker_process(stack, worker_dir) as worker:
        await stack.until(job, "epoch_start")
        child = children_of(worker.pid)[0]
        before = time.monotonic()
        worker.terminate()
        async with asyncio.timeout(10):
            assert await worker.wait() == 0
        assert time.monotonic() - before < 5
    assert not is_alive(child)
    assert list((worker_dir / "attempts").iterdir()) == []
    back = await stack.get(job)
    assert back.status == JobStatus.JOB_STATUS_PENDING
    assert back.attempt == 1
    retries = [event.retry for event in await stack.events(job) if event.HasField("retry")]
    assert [retry.reason for retry in retries] == ["RELEASED"]


@pytest.mark.slow
async def test_the_job_of_a_killed_worker_goes_on_with_another(
    database_url: str, nats_url: str, store_url: str, secret: str, tmp_path: Path
) -> None:
    async with running_stack(database_url, nats_url, store_url, secret, lease_seconds=4) as stack:
        job = await stack.job(await stack.project(), epochs=LONG)
        async with worker_process(stack, tmp_path / "first") as first:
            await stack.until(job, "epoch_start")
            child = children_of(first.pid)[0]
            first.send_signal(signal.SIGKILL)
            await first.wait()
            async with asyncio.timeout(20):
                while is_alive(child):
                    await asyncio.sleep(0.01)
        async with running(stack.worker_settings(tmp_path / "second")):
            async with asyncio.timeout(120):
                while (again := await stack.get(job)).attempt < 2 or not again.current_epoch:
                    await asyncio.sleep(0.1)
            await stack.cancel(job)
            await stack.ended(job, patience=10)
        # What the killed worker left behind is swept by the next one in its folder.
        async with running(stack.worker_settings(tmp_path / "first")):
            assert list((tmp_path / "first" / "attempts").iterdir()) == []


@pytest.mark.slow
async def test_an_attempt_that_was_given_to_another_worker_is_dropped(
    database_url: str, nats_url: str, store_url: str, secret: str, tmp_path: Path
) -> None:
    async with running_stack(database_url, nats_url, store_url, secret, lease_seconds=4) as stack:
        job = await stack.job(await stack.project(), epochs=LONG)
        async with worker_process(stack, tmp_path / "first", "first") as first:
            await stack.until(job, "epoch_start")
            # As if the machine slept: the lease runs out, and the job goes to somebody else.
            first.send_signal(signal.SIGSTOP)
            async with worker_process(stack, tmp_path / "second", "second"):
                async with asyncio.timeout(120):
                    while (await stack.get(job)).attempt < 2:
                        await asyncio.sleep(0.1)
                first.send_signal(signal.SIGCONT)
                async with asyncio.timeout(20):
                    while children_of(first.pid):
                        await asyncio.sleep(0.05)
                kept = await stack.get(job)
                assert (kept.attempt, kept.worker_name) == (2, "second")
                await stack.cancel(job)
                assert (await stack.ended(job, 10)).status == JobStatus.JOB_STATUS_CANCELLED
            # It asks for work again.
            async with asyncio.timeout(20):
                while not await is_idle(stack, "first"):
                    await asyncio.sleep(0.05)


async def is_idle(stack: Stack, name: str) -> bool:
    workers = (await stack.trainer.ListWorkers(ListWorkersRequest())).workers
    return any(worker.name == name and worker.online and not worker.current_job_id for worker in workers)


async def test_a_folder_has_one_worker(stack: Stack, worker_dir: Path) -> None:
    async with running(stack.worker_settings(worker_dir)):
        with pytest.raises(FolderTaken):
            async with running(stack.worker_settings(worker_dir)):
                pass
