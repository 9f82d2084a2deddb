"""A gateway in a process of its own, for benchmarks; not a benchmark itself."""

import contextlib
from collections.abc import AsyncIterator

import psutil
from pydantic import SecretStr

from annotateforge.gateway import app
from annotateforge.gateway.settings import Settings
from benchmarks import _blood_cells as cells


async def serve(service: str) -> None:
    """Run the gateway as production does, in front of the service at this address, which stands for all of
    them; tells its address and waits for the end of standard input.
    """
    settings = Settings(
        listen="127.0.0.1:0",
        secret=SecretStr(cells.SECRET),
        nats_url="nats://127.0.0.1:9",
        dataset_address=service,
        trainer_address=service,
        registry_address=service,
    )
    async with app.running(settings) as running:
        await cells.tell_and_wait(running.address)


@contextlib.asynccontextmanager
async def gateway(module: str, service: str) -> AsyncIterator[tuple[str, psutil.Process]]:
    """The address of a gateway and its process; `module` calls `serve` for the role "gateway"."""
    async with cells.process(module, "--role", "gateway", "--service", service) as found:
        yield found
