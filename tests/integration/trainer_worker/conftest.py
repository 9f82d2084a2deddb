from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.trainer_worker.stack import Stack, running_stack


@pytest.fixture
async def stack(database_url: str, nats_url: str, store_url: str, secret: str) -> AsyncIterator[Stack]:
    async with running_stack(database_url, nats_url, store_url, secret) as services:
        yield services


@pytest.fixture
def worker_dir(tmp_path: Path) -> Path:
    return tmp_path / "worker"
