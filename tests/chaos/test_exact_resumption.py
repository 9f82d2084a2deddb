"""Every combination of task, loader processes and epoch; the quick ones run in tests/unit."""

from pathlib import Path

import pytest

from tests.unit.trainer_worker.test_resuming import check_exactness


@pytest.fixture(scope="session")
def library_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("library-cache")


# With 13 epochs mosaics are closed before the 4th.
@pytest.mark.slow
@pytest.mark.parametrize("after", [2, 3, 5, 12])
@pytest.mark.parametrize("loader_workers", [0, 2])
@pytest.mark.parametrize("task", ["classify", "detect", "segment"])
async def test_a_resumed_training_is_the_undisturbed_one(
    task: str, loader_workers: int, after: int, tmp_path: Path, library_cache: Path
) -> None:
    await check_exactness(tmp_path, library_cache, task, loader_workers, 13, after)
