import asyncio
import json
import os
import signal
import sys

from annotateforge.api.registry.v1 import registry_service_pb2 as api
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.runtime.auth import Role, issue_token
from annotateforge.runtime.channel import open_channel
from tests.integration.registry.conftest import LIFETIME
from tests.integration.registry.registrations import register


async def test_the_process_serves_until_it_is_told_to_stop(
    database_url: str, nats_url: str, store_url: str, secret: str
) -> None:
    reader, writer = os.pipe()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "annotateforge.registry",
        env={
            "PATH": os.environ["PATH"],
            "ANNOTATEFORGE_READY_FD": str(writer),
            "ANNOTATEFORGE_SECRET": secret,
            "ANNOTATEFORGE_DATABASE_URL": database_url,
            "ANNOTATEFORGE_NATS_URL": nats_url,
            "ANNOTATEFORGE_STORE_URL": store_url,
        },
        pass_fds=[writer],
    )
    os.close(writer)
    try:
        with os.fdopen(reader) as ready:
            async with asyncio.timeout(30):
                address = json.loads(await asyncio.to_thread(ready.readline))["address"]
        token = issue_token(secret, Role.WORKER, "worker-1", LIFETIME)
        async with open_channel(address, lambda: token) as channel:
            stub = RegistryServiceStub(channel)
            model_id = await register(stub)
            assert (await stub.GetModel(api.GetModelRequest(model_id=model_id))).model.id == model_id
        child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await child.wait() == 0
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
