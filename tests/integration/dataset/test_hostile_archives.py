"""Archives that are damaged or made to hurt are refused or reported, in little memory, and leave nothing."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.dataset.app import App
from tests.integration.dataset.calls import editing, import_archive, new_project, refusal
from tests.integration.dataset.hostile_case import MIB, Case
from tests.integration.dataset.hostile_containers import CASES as CONTAINERS
from tests.integration.dataset.hostile_labels import CASES as LABELS
from tests.integration.dataset.hostile_pictures import CASES as PICTURES
from tests.integration.dataset.stored_blobs import stored_digests

MOST_BYTES = 300 * MIB
CASES = {**CONTAINERS, **PICTURES, **LABELS}
TABLES = ("images", "annotations", "blobs", "ingests", "ingest_blobs", "fingerprints")


@dataclass(frozen=True)
class Service:
    """A dataset service as a process of its own."""

    app: App
    pid: int
    database_url: str
    blobs: Path
    spool: Path

    def forget_peak(self) -> None:
        """Begin to measure memory anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    @property
    def peak_bytes(self) -> int:
        """Most memory since it was forgotten."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    async def rows(self) -> dict[str, int]:
        """Tables that have rows."""
        connection = await asyncpg.connect(self.database_url, timeout=5)
        try:
            counts = {
                table: await connection.fetchval(f"SELECT count(*) FROM dataset.{table}") for table in TABLES
            }
        finally:
            await connection.close(timeout=5)
        return {table: count for table, count in counts.items() if count}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(
    postgres_server: str, secret: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("measures memory as Linux tells it")
    folder = tmp_path_factory.mktemp("hostile")
    async with database(postgres_server) as url, process(url, folder, secret) as running:
        yield running


@asynccontextmanager
async def database(server: str) -> AsyncIterator[str]:
    """A database of its own, because this service lives longer than a test."""
    connection = await asyncpg.connect(server, timeout=10)
    await connection.execute("CREATE DATABASE hostile STRATEGY file_copy", timeout=30)
    try:
        yield server.replace("@/annotateforge?", "@/hostile?")
    finally:
        await connection.execute("DROP DATABASE hostile WITH (FORCE)", timeout=30)
        await connection.close(timeout=5)


@asynccontextmanager
async def process(database_url: str, folder: Path, secret: str) -> AsyncIterator[Service]:
    reading, writing = os.pipe()
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "annotateforge.dataset"),
        env={
            "PATH": os.environ["PATH"],
            "ANNOTATEFORGE_DATABASE_URL": database_url,
            "ANNOTATEFORGE_STORE_URL": (folder / "blobs").as_uri(),
            "ANNOTATEFORGE_SECRET": secret,
            "ANNOTATEFORGE_READY_FD": str(writing),
            "ANNOTATEFORGE_DATASET_SPOOL_FOLDER": str(folder / "spool"),
            "ANNOTATEFORGE_DATASET_KEEP_FREE_BYTES": "0",
            "ANNOTATEFORGE_DATASET_MOST_ARCHIVE_FILES": "20000",
            "ANNOTATEFORGE_LOG_LEVEL": "error",
        },
        pass_fds=(writing,),
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as ready:
            line = await asyncio.wait_for(asyncio.to_thread(ready.readline), 60)
        address = json.loads(line)["address"]
        yield Service(App(address), started.pid, database_url, folder / "blobs", folder / "spool")
        started.terminate()
        assert await asyncio.wait_for(started.wait(), 30) == 0
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


@pytest.mark.parametrize("name", CASES)
async def test_a_hostile_archive_is_refused_or_reported_and_leaves_nothing(
    name: str,
    service: Service,
    secret: str,
    eventually: Callable[[Callable[[], Awaitable[bool] | bool]], Awaitable[None]],
) -> None:
    archive = CASES[name].build()
    async with editing(service.app, secret) as editor:
        project_id = await new_project(editor, name)
        service.forget_peak()
        try:
            await see_what_becomes(CASES[name], archive, editor, project_id)
            assert service.peak_bytes < MOST_BYTES
            assert list(service.spool.iterdir()) == []
        finally:
            await editor.DeleteProject(api.DeleteProjectRequest(project_id=project_id))

    async def nothing_is_left() -> bool:
        return not await service.rows() and not stored_digests(service.blobs / "dataset")

    await eventually(nothing_is_left)


async def see_what_becomes(case: Case, archive: bytes, editor: DatasetServiceStub, project_id: str) -> None:
    if case.refused:
        error = await refusal(import_archive(editor, project_id, archive))
        assert (error.reason, bool(error.message)) == (case.refused, True)
    else:
        report = await import_archive(editor, project_id, archive)
        listed = "\n".join(
            f"{each.reason} {each.file} {each.line} {each.message}" for each in report.problems
        )
        assert (report.images_added, report.annotations_added) == (case.images, case.annotations), listed
        assert {problem.reason for problem in report.problems} == case.reasons, listed
        assert all(problem.message and problem.hint for problem in report.problems)
    stats = (await editor.GetProjectStats(api.GetProjectStatsRequest(project_id=project_id))).stats
    assert stats.image_count == (0 if case.refused else case.images)
