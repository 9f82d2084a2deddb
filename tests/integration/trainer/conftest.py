"""The trainer API as it runs in production, on real engines, and clients of every role."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import grpc
import pytest
from pydantic import SecretStr

from annotateforge.api.trainer.v1.trainer_service_pb2_grpc import TrainerServiceStub
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.auth import Role, TokenVerifier, issue_token
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.server import serve
from annotateforge.trainer.app import App, Settings, running
from tests.integration.trainer.frozen_datasets import SERVICE, FrozenDatasets, add_to_server


@pytest.fixture
def datasets() -> FrozenDatasets:
    return FrozenDatasets()


@pytest.fixture
async def dataset_address(datasets: FrozenDatasets, secret: str) -> AsyncIterator[str]:
    services = [(add_to_server, datasets, SERVICE)]
    async with serve("127.0.0.1:0", services, TokenVerifier(secret)) as server:
        yield server.address


@pytest.fixture
def settings(database_url: str, nats_url: str, secret: str, dataset_address: str) -> Settings:
    return Settings(
        database_url=database_url,
        nats_url=nats_url,
        secret=SecretStr(secret),
        dataset_address=dataset_address,
        # Nobody answers there; tests of base models start a registry.
        registry_address="127.0.0.1:9",
    )


@pytest.fixture
async def trainer(settings: Settings) -> AsyncIterator[App]:
    async with running(settings) as app:
        yield app


@pytest.fixture
async def editor(trainer: App, secret: str) -> AsyncIterator[TrainerServiceStub]:
    async with channel_to(trainer.address, secret, Role.EDITOR) as channel:
        yield TrainerServiceStub(channel)


@pytest.fixture
async def worker(trainer: App, secret: str) -> AsyncIterator[WorkerServiceStub]:
    async with channel_to(trainer.address, secret, Role.WORKER) as channel:
        yield WorkerServiceStub(channel)


@contextlib.asynccontextmanager
async def channel_to(address: str, secret: str, role: Role) -> AsyncIterator[grpc.aio.Channel]:
    """A channel with a token of a role."""
    token = issue_token(secret, role, f"{role}@example.org", timedelta(hours=1))
    token_source: Callable[[], str] = lambda: token  # noqa: E731
    async with open_channel(address, token_source) as channel:
        yield channel
