"""Waiting for what the trainer tells the dataset service in the background."""

import asyncio

import asyncpg
import grpc

from annotateforge.api.dataset.v1.dataset_service_pb2 import DeleteDatasetRequest
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.runtime.rpc_status import from_rpc_error


async def delete_when_released(dataset: DatasetServiceStub, dataset_id: str) -> None:
    """Delete a data set as soon as the jobs that have ended hold it no longer."""
    async with asyncio.timeout(30):
        while True:
            try:
                await dataset.DeleteDataset(DeleteDatasetRequest(dataset_id=dataset_id))
            except grpc.aio.AioRpcError as error:
                if from_rpc_error(error).reason != "DATASET_IN_USE":
                    raise
                await asyncio.sleep(0.02)
            else:
                return


async def settled(connection: asyncpg.Connection) -> None:
    """Wait until every hold that is needed is confirmed, and there is one."""
    query = "SELECT count(*) > 0 AND bool_and(confirmed) FROM dataset_holds"
    async with asyncio.timeout(30):
        while not await connection.fetchval(query, timeout=10):
            await asyncio.sleep(0.02)
