"""A registry as it runs in production, on real engines, and clients of every role."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.registry.app import App, Settings, running
from annotateforge.runtime.auth import Role, issue_token
from annotateforge.runtime.channel import open_channel

LIFETIME = timedelta(hours=1)


@pytest.fixture
def settings(database_url: str, nats_url: str, store_url: str, secret: str) -> Settings:
    return Settings(
        database_url=database_url, nats_url=nats_url, store_url=store_url, secret=SecretStr(secret)
    )


@pytest.fixture
async def registry(settings: Settings) -> AsyncIterator[App]:
    async with running(settings) as app:
        yield app


@pytest.fixture
async def worker(registry: App, secret: str) -> AsyncIterator[RegistryServiceStub]:
    async with open_channel(registry.address, _token(secret, Role.WORKER)) as channel:
        yield RegistryServiceStub(channel)


@pytest.fixture
async def editor(registry: App, secret: str) -> AsyncIterator[RegistryServiceStub]:
    async with open_channel(registry.address, _token(secret, Role.EDITOR)) as channel:
        yield RegistryServiceStub(channel)


@pytest.fixture
async def viewer(registry: App, secret: str) -> AsyncIterator[RegistryServiceStub]:
    async with open_channel(registry.address, _token(secret, Role.VIEWER)) as channel:
        yield RegistryServiceStub(channel)


@pytest.fixture
def stored(store_url: str) -> Callable[[], set[str]]:
    """Digests of the blobs that are in the store."""
    folder = Path(urlsplit(store_url).path)
    return lambda: {path.name for path in folder.glob("registry/sha256/*/*")}


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
    token = issue_token(secret, role, f"{role}@example.org", LIFETIME)
    return lambda: token
