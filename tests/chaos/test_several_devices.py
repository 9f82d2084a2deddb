"""Two processes that train together: the tasks and epochs that the quick tests leave out, and deaths."""

import asyncio
import contextlib
import signal
from pathlib import Path

import psutil
import pytest

from annotateforge.api.trainer.v1.worker_service_pb2 import Report
from tests.unit.trainer_worker.children import listen, order, run_child, started_child
from tests.unit.trainer_worker.test_several_devices import TWO, check_two, fault
from tests.unit.trainer_worker.tiny_datasets import write_dataset


@pytest.fixture(scope="session")
def library_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("library-cache")


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize("loader_workers", [0, 2])
@pytest.mark.parametrize("task", ["classify", "detect", "segment"])
async def test_two_processes_go_on_exactly(
    task: str, loader_workers: int, after: int, tmp_path: Path, library_cache: Path
) -> None:
    async with asyncio.timeout(600):
        await check_two(tmp_path, library_cache, task, loader_workers, 4, after)


@pytest.mark.slow
async def test_memory_that_one_of_two_lacks_is_the_failure_of_both(
    tmp_path: Path, library_cache: Path
) -> None:
    write_dataset(tmp_path / "data", "classify")
    given = order(tmp_path, "classify", device=TWO)
    lacking = fault(event="on_train_batch_end", rank=1, kind="cuda")
    told = await run_child(tmp_path, library_cache, given, **lacking)
    assert told.failure is not None, told.output
    assert told.failure.reason == "OUT_OF_MEMORY", told.output
    assert told.exit_code == 1
    assert told.kinds()[0] == "training_started"


@pytest.mark.slow
async def test_when_one_of_two_is_killed_the_other_ends_and_the_child_ends_as_it_did(
    tmp_path: Path, library_cache: Path
) -> None:
    write_dataset(tmp_path / "data", "classify")
    given = order(tmp_path, "classify", device=TWO, epochs=1000, loader_workers=2)
    killed: list[int] = []
    family: list[psutil.Process] = []

    async with started_child(tmp_path, library_cache) as child:

        def kill_one(report: Report) -> None:
            if report.HasField("epoch_complete") and not killed:
                this = psutil.Process(child.pid)
                family.extend(this.children(recursive=True))
                second = next(one for one in this.children() if one.environ().get("RANK") == "1")
                second.kill()
                killed.append(second.pid)

        await child.give(given)
        async with asyncio.timeout(120):
            told = await listen(child, kill_one)
        assert told.exit_code == -signal.SIGKILL, told.output
        assert told.failure is None
        assert len(family) > 2, "loaders too"
        async with asyncio.timeout(20):
            while any(map(_lives, family)):
                await asyncio.sleep(0.05)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
