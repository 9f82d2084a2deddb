"""What every test may ask for: real engines, fresh state in them, and the shared labelled images."""

import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path

# As workers and `up` have it, before gRPC is loaded: tests run workers in their own process, too.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Trainings of several test processes at once, each on all cores, would wait for each other's threads.
    os.environ.setdefault("ANNOTATEFORGE_WORKER_CORES", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import asyncpg
import nats
import pytest
import pytest_asyncio

from annotateforge.local.nats import embedded_nats
from annotateforge.local.postgres import embedded_postgres

REPOSITORY = Path(__file__).resolve().parent.parent
# What is lost in a crash does not matter here, and waiting for the disk would take most of the time.
UNSAFE_BUT_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
}
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that at the end no process waits long for another one."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    in_order = sorted(files.values(), key=lambda own: not any(map(_is_slow, own)))
    items[:] = [item for own in in_order for item in own]


def _is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A Postgres server for the whole run; the URL of its default database, to make others from."""
    directory = tmp_path_factory.mktemp("postgres")
    async with embedded_postgres(directory, settings=UNSAFE_BUT_FAST) as url:
        yield url


@pytest_asyncio.fixture
async def database_url(postgres_server: str) -> AsyncIterator[str]:
    """The URL of an empty database that is the test's own and is dropped after it."""
    name = f"test_{next(_numbers)}"
    # A copy of files is quicker here than writing every page to the log.
    await _administer(postgres_server, f"CREATE DATABASE {name} STRATEGY file_copy")
    yield postgres_server.replace("@/annotateforge?", f"@/{name}?")
    await _administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def nats_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A NATS server with JetStream for the whole run; its URL."""
    async with embedded_nats(tmp_path_factory.mktemp("nats")) as url:
        yield url


@pytest_asyncio.fixture
async def nats_url(nats_server: str) -> str:
    """The URL of a NATS server without any stream."""
    connection = await nats.connect(nats_server, connect_timeout=5)
    jetstream = connection.jetstream(timeout=5)
    for stream in await jetstream.streams_info():
        if stream.config.name is not None:
            await jetstream.delete_stream(stream.config.name)
    await connection.close()
    return nats_server


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """The URL of an empty blob store on the disk."""
    return (tmp_path / "blobs").as_uri()


@pytest.fixture(scope="session")
def secret() -> str:
    """The key that signs and checks tokens."""
    return "a secret for tests alone, of more than 32 bytes"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real labelled images beside the checkout; skips the test where there is none."""
    path = REPOSITORY.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("needs the labelled images of ../shared/data beside the checkout")
    return path


async def _administer(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(statement, timeout=30)
    finally:
        await connection.close(timeout=5)
