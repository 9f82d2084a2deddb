"""Data sets of jobs that have not ended cannot be deleted, whatever dies on the way."""

import asyncio
from typing import cast

import asyncpg
import grpc
import pytest

from annotateforge.api.dataset.v1.dataset_service_pb2 import DeleteDatasetRequest, HoldDatasetRequest
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.trainer.v1.trainer_service_pb2 import CancelJobRequest, DeleteJobRequest
from annotateforge.runtime.auth import Role
from annotateforge.runtime.database import database
from annotateforge.runtime.errors import Code, Internal
from annotateforge.trainer.app import Settings, running
from annotateforge.trainer.dataset_holds import DatasetHolds
from tests.integration.dataset.specs import labelled_project
from tests.integration.trainer.conftest import channel_to
from tests.integration.trainer.holds import delete_when_released, settled
from tests.integration.trainer.test_creation import refused
from tests.integration.trainer.workers import Editor, make_job


async def test_the_data_set_of_a_waiting_job_is_kept_until_it_ends(
    editor: Editor, dataset: DatasetServiceStub
) -> None:
    # Of its own: other tests' jobs hold the data set of the project that all share.
    own = await labelled_project(dataset, "held", labels=("cell",))
    job = await make_job(editor, project_ids=[own])
    request = DeleteDatasetRequest(dataset_id=job.dataset.id)
    error = await refused(dataset.DeleteDataset(request))
    assert (error.code, error.reason) == (Code.FAILED_PRECONDITION, "DATASET_IN_USE")
    assert f"job:{job.id}" in error.metadata["holders"]
    await editor.CancelJob(CancelJobRequest(job_id=job.id))
    await editor.DeleteJob(DeleteJobRequest(job_id=job.id))
    await delete_when_released(dataset, job.dataset.id)


async def test_a_trainer_that_died_in_between_settles_its_holds_when_it_is_back(
    settings: Settings, secret: str, dataset: DatasetServiceStub, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "trainer"}, timeout=10)
    try:
        async with running(settings) as app, channel_to(app.address, secret, Role.EDITOR) as channel:
            own = await labelled_project(dataset, "held after a crash", labels=("cell",))
            job = await make_job(Editor(channel, own))
            await settled(connection)
        # As if it had died before it could write the hold down.
        await connection.execute("DELETE FROM dataset_holds", timeout=10)
        async with running(settings) as app, channel_to(app.address, secret, Role.EDITOR) as channel:
            await settled(connection)
            await Editor(channel, own).CancelJob(CancelJobRequest(job_id=job.id))
            async with asyncio.timeout(30):
                while await connection.fetchval("SELECT count(*) FROM dataset_holds", timeout=10):
                    await asyncio.sleep(0.02)
        await dataset.DeleteDataset(DeleteDatasetRequest(dataset_id=job.dataset.id))
    finally:
        await connection.close(timeout=5)


class Slow:
    """The dataset service behind a line on which one request to hold a data set is late."""

    def __init__(self, stub: DatasetServiceStub) -> None:
        self._stub = stub
        self.ReleaseDataset = stub.ReleaseDataset
        self.asked, self.arrives = asyncio.Event(), asyncio.Event()

    async def HoldDataset(self, request: HoldDatasetRequest, timeout: float) -> None:
        self.asked.set()
        await self.arrives.wait()
        await self._stub.HoldDataset(request, timeout=timeout)


async def test_no_hold_is_left_when_one_of_two_replicas_is_slow_and_the_job_ends_meanwhile(
    settings: Settings, secret: str, dataset: DatasetServiceStub, dataset_address: str, database_url: str
) -> None:
    async with running(settings) as app, channel_to(app.address, secret, Role.EDITOR) as channel:
        own = await labelled_project(dataset, "held late", labels=("cell",))
        job = await make_job(Editor(channel, own))
    async with (
        database(database_url, "trainer", "annotateforge.trainer") as pool,
        channel_to(dataset_address, secret, Role.EDITOR) as channel,
        asyncio.timeout(30),
    ):
        await pool.execute("UPDATE dataset_holds SET confirmed = false")
        slow, other = DatasetHolds(pool, channel), DatasetHolds(pool, channel)
        line = Slow(dataset)
        slow._stub = cast(DatasetServiceStub, line)
        settling = asyncio.create_task(slow.settle())
        await line.asked.wait()
        await pool.execute("UPDATE jobs SET status = 'cancelled', end_time = now()")
        await other.settle()
        line.arrives.set()
        await settling
        await other.settle()
        assert await pool.fetchval("SELECT count(*) FROM dataset_holds") == 0
    await dataset.DeleteDataset(DeleteDatasetRequest(dataset_id=job.dataset.id))


class Faulty:
    """The dataset service, at fault with the holds of one data set."""

    def __init__(self, stub: DatasetServiceStub, dataset_id: str) -> None:
        self._stub = stub
        self._dataset_id = dataset_id
        self.ReleaseDataset = stub.ReleaseDataset

    async def HoldDataset(self, request: HoldDatasetRequest, timeout: float) -> None:
        if request.dataset_id == self._dataset_id:
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, nothing, nothing, "at fault")
        await self._stub.HoldDataset(request, timeout=timeout)


async def test_a_hold_that_is_refused_keeps_no_other_from_being_settled(
    settings: Settings, secret: str, dataset: DatasetServiceStub, dataset_address: str, database_url: str
) -> None:
    async with running(settings) as app, channel_to(app.address, secret, Role.EDITOR) as channel:
        jobs = [
            await make_job(Editor(channel, await labelled_project(dataset, name, labels=("cell",))))
            for name in ("held badly", "held well")
        ]
    async with (
        database(database_url, "trainer", "annotateforge.trainer") as pool,
        channel_to(dataset_address, secret, Role.EDITOR) as channel,
        asyncio.timeout(30),
    ):
        for bad, good in (jobs, reversed(jobs)):
            await pool.execute("UPDATE dataset_holds SET confirmed = false")
            holds = DatasetHolds(pool, channel)
            holds._stub = cast(DatasetServiceStub, Faulty(dataset, bad.dataset.id))
            with pytest.raises(Internal):
                await holds.settle()
            confirmed = await pool.fetch("SELECT job_id FROM dataset_holds WHERE confirmed")
            assert [str(row["job_id"]) for row in confirmed] == [good.id]
