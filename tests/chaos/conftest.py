from collections.abc import AsyncIterator

import pytest

from tests.integration.trainer_worker.stack import Stack, running_stack


@pytest.fixture
async def stack(database_url: str, nats_url: str, store_url: str, secret: str) -> AsyncIterator[Stack]:
    """All services, with a short lease."""
    async with running_stack(database_url, nats_url, store_url, secret, lease_seconds=3) as services:
        yield services
