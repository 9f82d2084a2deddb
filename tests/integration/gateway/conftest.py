"""A gateway in front of small services, each really running."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from annotateforge.gateway import app
from annotateforge.gateway.services import SERVICES
from annotateforge.gateway.settings import Settings
from annotateforge.runtime.auth import TokenVerifier, issue_token
from annotateforge.runtime.server import serve
from tests.integration.gateway.small_services import SmallDataset, SmallInference, SmallTrainer, part_of


@dataclass(frozen=True)
class Services:
    """The services behind the gateway."""

    dataset: SmallDataset
    trainer: SmallTrainer
    address: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_services(secret: str) -> AsyncIterator[Services]:
    """One server for the tests of a module; see `services`."""
    dataset, trainer = SmallDataset(), SmallTrainer()
    added = [
        part_of(SERVICES["dataset"], dataset),
        part_of(SERVICES["trainer"], trainer),
        part_of(SERVICES["inference"], SmallInference()),
    ]
    async with serve("127.0.0.1:0", added, TokenVerifier(secret)) as server:
        yield Services(dataset, trainer, server.address)


@pytest.fixture
def services(shared_services: Services) -> Services:
    """Services that hold nothing yet."""
    shared_services.dataset.__init__()  # type: ignore[misc]  # as if just made
    shared_services.trainer.__init__()  # type: ignore[misc]  # as if just made
    return shared_services


@pytest.fixture(scope="module")
def settings(shared_services: Services, nats_server: str, secret: str) -> Settings:
    return Settings(
        listen="127.0.0.1:0",
        secret=SecretStr(secret),
        nats_url=nats_server,
        dataset_address=shared_services.address,
        trainer_address=shared_services.address,
        registry_address="127.0.0.1:1",
        inference_address=shared_services.address,
        idle_timeout=1.0,
        max_json_bytes=64 * 1024,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(settings: Settings) -> AsyncIterator[app.App]:
    """One gateway for the tests of a module: it holds no state."""
    async with app.running(settings) as running:
        yield running


@pytest.fixture
def token(secret: str) -> Callable[[str], str]:
    """Makes a token of a role."""
    return lambda role: issue_token(secret, role, f"the {role}", timedelta(minutes=5))


@pytest_asyncio.fixture(loop_scope="module")
async def client(
    gateway: app.App, services: Services, token: Callable[[str], str]
) -> AsyncIterator[httpx.AsyncClient]:
    """An editor's client."""
    headers = {"authorization": f"Bearer {token('editor')}"}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=10) as client:
        yield client
