"""The trainer API as it runs in production, on real engines and a real dataset service, and its clients."""

import contextlib
import os
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import grpc
import pytest
import pytest_asyncio
from pydantic import SecretStr

from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.local.service import ServiceProgram, service_process
from annotateforge.runtime.auth import Role, issue_token
from annotateforge.runtime.channel import open_channel
from annotateforge.trainer.app import App, Settings, running
from tests.integration.dataset.specs import labelled_project
from tests.integration.trainer.workers import Editor

DATABASE = "trainer_tests_datasets"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def dataset_address(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory, secret: str
) -> AsyncIterator[str]:
    """The dataset service for the whole run, in a process and with a database of its own."""
    folder = tmp_path_factory.mktemp("datasets")
    connection = await asyncpg.connect(postgres_server, timeout=10)
    await connection.execute(f"CREATE DATABASE {DATABASE}", timeout=30)
    await connection.close(timeout=5)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANNOTATEFORGE_")},
        "ANNOTATEFORGE_DATABASE_URL": postgres_server.replace("@/annotateforge?", f"@/{DATABASE}?"),
        "ANNOTATEFORGE_STORE_URL": (folder / "blobs").as_uri(),
        "ANNOTATEFORGE_SECRET": secret,
    }
    program = ServiceProgram("dataset", "annotateforge.dataset", environment, folder / "log")

    def on_exit(status: int) -> None:
        raise AssertionError(f"the dataset service ended with {status}:\n{program.log_tail()}")

    async with service_process(program, listen="127.0.0.1:0", on_exit=on_exit) as address:
        yield address


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def project_id(dataset_address: str, secret: str) -> str:
    """A project whose images show cells."""
    async with channel_to(dataset_address, secret, Role.EDITOR) as channel:
        return await labelled_project(DatasetServiceStub(channel), "cells", labels=("cell",))


@pytest.fixture
def settings(database_url: str, nats_url: str, store_url: str, secret: str, dataset_address: str) -> Settings:
    return Settings(
        database_url=database_url,
        nats_url=nats_url,
        store_url=store_url,
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
async def editor(trainer: App, secret: str, project_id: str) -> AsyncIterator[Editor]:
    async with channel_to(trainer.address, secret, Role.EDITOR) as channel:
        yield Editor(channel, project_id)


@pytest.fixture
async def worker(trainer: App, secret: str) -> AsyncIterator[WorkerServiceStub]:
    async with channel_to(trainer.address, secret, Role.WORKER) as channel:
        yield WorkerServiceStub(channel)


@pytest.fixture
async def dataset(dataset_address: str, secret: str) -> AsyncIterator[DatasetServiceStub]:
    async with channel_to(dataset_address, secret, Role.EDITOR) as channel:
        yield DatasetServiceStub(channel)


@contextlib.asynccontextmanager
async def channel_to(address: str, secret: str, role: Role) -> AsyncIterator[grpc.aio.Channel]:
    """A channel with a token of a role."""
    token = issue_token(secret, role, f"{role}@example.org", timedelta(hours=1))
    async with open_channel(address, lambda: token) as channel:
        yield channel
