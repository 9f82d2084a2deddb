"""What a local installation consists of, and in which order it starts.

Engines, then the services that depend on nothing but them, then those that call other services, then the
gateway and the workers. Each stage's addresses are settings of the next.
"""

import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from annotateforge.local import settings
from annotateforge.local.devices import CPU, training_devices
from annotateforge.local.engine import EngineError
from annotateforge.local.installation import Installation
from annotateforge.local.parts import NatsPart, PostgresPart, ServicePart
from annotateforge.local.ports import HOST, await_free
from annotateforge.local.service import ServiceProgram
from annotateforge.local.supervisor import Part, Supervisor, Tell
from annotateforge.runtime.auth import Role, issue_token
from annotateforge.runtime.settings import MIN_SECRET_BYTES

TOKEN_LIFETIME = timedelta(days=30)
"""How long the token that `up` prints is good."""
_KEPT_TOKEN_LIFETIME = timedelta(days=3650)

_SERVICES = ("dataset", "trainer", "registry", "inference")


@dataclass(frozen=True)
class Stack:
    """A running local installation."""

    url: str
    """The gateway's address, http://host:port."""
    token: str
    """An admin's token, to be shown."""
    kept_token: str
    """An admin's token that outlives it, to be kept beside the secret."""
    addresses: Mapping[str, str]
    """gRPC address, host:port, of each service by name."""


@asynccontextmanager
async def running(
    installation: Installation, port: int, tell: Tell, *, patience: float = 0.0
) -> AsyncIterator[Stack]:
    """Start everything, keep it running while the context lasts, and stop it in reverse.

    port: of the gateway; the services take the four that follow. 0 takes free ports. tell: called whenever a
    part becomes ready, crashes or has stopped. patience: seconds to wait for the ports to become free.

    Raises EngineError, with nothing left running, when a part does not start.
    """
    settings.check(os.environ)
    ports = dict(zip(("gateway", *_SERVICES), range(port, port + 5) if port else [0] * 5, strict=True))
    await await_free(ports, patience)
    supervisor = Supervisor(tell)
    try:
        yield await _start(supervisor, installation, ports)
    finally:
        await supervisor.stop()


async def _start(supervisor: Supervisor, installation: Installation, ports: Mapping[str, int]) -> Stack:
    secret = _secret(installation)
    shared = {
        "SECRET": secret,
        "STORE_URL": os.environ.get("ANNOTATEFORGE_STORE_URL") or installation.store_url,
        "WORKER_TOKEN": issue_token(secret, Role.WORKER, "local", _KEPT_TOKEN_LIFETIME),
        **await _start_engines(supervisor, installation),
    }
    addresses: dict[str, str] = {}

    async def start(*names: str) -> None:
        parts = [_service(name, installation, shared, ports[name]) for name in names]
        for name, address in zip(names, await supervisor.start(parts), strict=True):
            addresses[name] = address
            shared[f"{name.upper()}_ADDRESS"] = address

    await start("dataset", "registry")
    await start("trainer", "inference")
    await start("gateway")
    await supervisor.start(_workers(installation, shared))
    return Stack(
        url=f"http://{addresses.pop('gateway')}",
        token=issue_token(secret, Role.ADMIN, "local", TOKEN_LIFETIME),
        kept_token=issue_token(secret, Role.ADMIN, "local", _KEPT_TOKEN_LIFETIME),
        addresses=addresses,
    )


def _secret(installation: Installation) -> str:
    """The key that signs tokens: the environment's, or the installation's own."""
    given = os.environ.get("ANNOTATEFORGE_SECRET")
    secret = given or installation.secret()
    if len(secret.encode()) < MIN_SECRET_BYTES:
        where = "ANNOTATEFORGE_SECRET" if given else f"The key in {installation.path / 'secret'}"
        raise EngineError(
            f"{where} must have at least {MIN_SECRET_BYTES} bytes; make one with: openssl rand -hex 32"
        )
    return secret


async def _start_engines(supervisor: Supervisor, installation: Installation) -> dict[str, str]:
    """Start the engines that the environment does not name; where all of them are found, as settings."""
    found: dict[str, str] = {}
    embedded: dict[str, Part] = {}
    for setting, part in (
        ("DATABASE_URL", PostgresPart(installation.postgres)),
        ("NATS_URL", NatsPart(installation.nats)),
    ):
        if url := os.environ.get(f"ANNOTATEFORGE_{setting}"):
            found[setting] = url
        else:
            embedded[setting] = part
    return found | dict(zip(embedded, await supervisor.start(list(embedded.values())), strict=True))


def _service(name: str, installation: Installation, shared: Mapping[str, str], port: int) -> ServicePart:
    # Temporary files belong on the disk of the data directory, which was chosen for its room.
    folder = {"dataset": "DATASET_SPOOL_FOLDER", "inference": "INFERENCE_CACHE"}.get(name)
    own = {folder: str(installation.work(name))} if folder else {}
    environment = settings.of_process(name, os.environ, shared, own)
    program = ServiceProgram(name, f"annotateforge.{name}", environment, installation.log(name))
    return ServicePart(program, f"{HOST}:{port}")


def _workers(installation: Installation, shared: Mapping[str, str]) -> list[ServicePart]:
    """One worker for all devices that are trained on: a job may want several of them."""
    devices = training_devices(os.environ)
    name = "worker-cpu" if devices == [CPU] else "worker-gpu"
    installation.weights.mkdir(exist_ok=True)
    program = ServiceProgram(
        name,
        "annotateforge.trainer.worker",
        worker_settings(name, devices, installation, os.environ, shared),
        installation.log(name),
    )
    return [ServicePart(program, listen=None)]


def worker_settings(
    name: str,
    devices: Sequence[str],
    installation: Installation,
    environment: Mapping[str, str],
    shared: Mapping[str, str],
) -> dict[str, str]:
    """All environment variables of the worker of these devices."""
    own = {
        "WORKER_NAME": socket.gethostname(),
        "WORKER_DIR": str(installation.work(name)),
        "WEIGHTS_DIR": str(installation.weights),
        # Within the time that `up` gives a process to stop.
        "WORKER_GRACE_SECONDS": "3",
    }
    variables = settings.of_process("worker", environment, shared, own)
    return {**variables, "ANNOTATEFORGE_WORKER_DEVICES": ",".join(devices)}
