"""A dataset service as it runs in production, on real engines, and clients of every role."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.dataset.app import App, running
from annotateforge.dataset.settings import Settings
from annotateforge.runtime.auth import Role, issue_token
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.database import Connection, database
from tests.integration.dataset.stored_blobs import stored_digests


@pytest.fixture
def settings(database_url: str, store_url: str, secret: str, tmp_path: Path) -> Settings:
    spool = tmp_path / "spool"
    spool.mkdir()
    return Settings(
        database_url=database_url,
        store_url=store_url,
        secret=SecretStr(secret),
        dataset_spool_folder=spool,
        dataset_keep_free_bytes=0,
        dataset_most_archive_files=20_000,
    )


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    """A connection to the tables of the service, which does not run."""
    async with (
        database(database_url, "dataset", "annotateforge.dataset") as pool,
        pool.acquire() as connection,
    ):
        yield connection


@pytest.fixture
async def dataset_service(settings: Settings) -> AsyncIterator[App]:
    async with running(settings) as app:
        yield app


@pytest.fixture
async def editor(dataset_service: App, secret: str) -> AsyncIterator[DatasetServiceStub]:
    async with open_channel(dataset_service.address, _token(secret, Role.EDITOR)) as channel:
        yield DatasetServiceStub(channel)


@pytest.fixture
async def viewer(dataset_service: App, secret: str) -> AsyncIterator[DatasetServiceStub]:
    async with open_channel(dataset_service.address, _token(secret, Role.VIEWER)) as channel:
        yield DatasetServiceStub(channel)


@pytest.fixture
def stored(store_url: str) -> Callable[[], set[str]]:
    """Digests of the blobs that are in the store."""
    folder = Path(urlsplit(store_url).path)
    return lambda: stored_digests(folder / "dataset")


@pytest.fixture
def eventually() -> Callable[[Callable[[], Awaitable[bool] | bool]], Awaitable[None]]:
    """Waits until something that happens in the background has happened."""

    async def wait(holds: Callable[[], Awaitable[bool] | bool]) -> None:
        async with asyncio.timeout(10):
            while True:
                found = holds()
                if found if isinstance(found, bool) else await found:
                    return
                await asyncio.sleep(0.01)

    return wait


def _token(secret: str, role: Role) -> Callable[[], str]:
    token = issue_token(secret, role, f"{role}@example.org", timedelta(hours=1))
    return lambda: token
