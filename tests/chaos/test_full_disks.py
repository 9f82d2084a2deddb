"""Workers whose disk is really full: a small file system of their own."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotateforge.api.trainer.v1.job_pb2 import JobStatus
from annotateforge.trainer.worker.app import running
from tests.chaos.outcome import check_survived
from tests.integration.trainer_worker.stack import Stack
from tests.integration.trainer_worker.test_resuming import saved

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MIB = 1024 * 1024


@contextlib.contextmanager
def small_disk(path: Path, size: int) -> Iterator[Path]:
    """A file system of so many bytes for the time of the context. Skips the test where it cannot be had."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    try:
        done = subprocess.run(mount, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount(8)")
    if done.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.parametrize("size", [64 * 1024, 60 * MIB, 90 * MIB, 130 * MIB])
async def test_a_disk_that_is_full_at_any_time_ends_the_job_with_that_name(
    size: int, stack: Stack, tmp_path: Path
) -> None:
    # The data set does not fit; the first state, a later one, or what ultralytics writes does not.
    job = await stack.job(await stack.project(), "detect", epochs=6)
    with small_disk(tmp_path / "disk", size) as disk:
        async with running(stack.worker_settings(disk / "worker")):
            ended = await stack.ended(job, patience=300)
    assert ended.status == JobStatus.JOB_STATUS_FAILED
    assert ended.failure.reason == "DISK_FULL", ended.failure
    assert ended.failure.hint


async def test_a_job_that_failed_for_a_full_disk_is_restarted_when_there_is_room(
    stack: Stack, tmp_path: Path
) -> None:
    job = await stack.job(await stack.project(), "classify", epochs=30)
    with small_disk(tmp_path / "disk", 400 * MIB) as disk:
        async with running(stack.worker_settings(disk / "worker")):
            await saved(stack, job, 1)
            ballast = disk / "ballast"
            with ballast.open("wb") as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(MIB))
                    file.flush()
            ended = await stack.ended(job, patience=300)
            assert ended.failure.reason == "DISK_FULL", ended.failure
            ballast.unlink()
            again = await stack.restart(job, epochs=2)
            await stack.ended(again)
            await check_survived(stack, again)
