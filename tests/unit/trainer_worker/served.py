"""A trainer that a test plays, as workers reach it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from annotateforge.api.trainer.v1.worker_service_pb2_grpc import (
    WorkerServiceServicer,
    WorkerServiceStub,
    add_WorkerServiceServicer_to_server,
)


@asynccontextmanager
async def serving(servicer: WorkerServiceServicer) -> AsyncIterator[WorkerServiceStub]:
    """A client of the trainer for the time of the context."""
    server = grpc.aio.server()
    add_WorkerServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield WorkerServiceStub(channel)
    await server.stop(None)
