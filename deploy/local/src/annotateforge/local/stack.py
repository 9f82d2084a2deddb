"""What a local installation consists of, and in which order it starts.

Engines, then the services that depend on nothing but them, then those that call other services, then the
gateway and the workers. Each stage's addresses are settings of the next.
"""

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from annotateforge.local.devices import training_devices
from annotateforge.local.engine import EngineError
from annotateforge.local.installation import Installation
from annotateforge.local.parts import NatsPart, PostgresPart, ServicePart
from annotateforge.local.service import ServiceProgram
from annotateforge.local.supervisor import Part, Supervisor, Tell
from annotateforge.runtime.auth import Role, issue_token

HOST = "127.0.0.1"

TOKEN_LIFETIME = timedelta(days=30)
"""How long the token that `up` prints is good."""
_WORKER_TOKEN_LIFETIME = timedelta(days=3650)

_SERVICES = ("dataset", "trainer", "registry", "inference")


@dataclass(frozen=True)
class Stack:
    """A running local installation."""

    url: str
    """The gateway's address, http://host:port."""
    token: str
    """An admin's token."""
    addresses: Mapping[str, str]
    """gRPC address, host:port, of each service by name."""


@asynccontextmanager
async def running(installation: Installation, port: int, tell: Tell) -> AsyncIterator[Stack]:
    """Start everything, keep it running while the context lasts, and stop it in reverse.

    port: of the gateway; the services take the four that follow. 0 takes free ports.
    tell: called whenever a part becomes ready, crashes or has stopped.

    Raises EngineError, with nothing left running, when a part does not start.
    """
    ports = dict(zip(("gateway", *_SERVICES), range(port, port + 5) if port else [0] * 5, strict=True))
    _check_free(ports)
    supervisor = Supervisor(tell)
    try:
        yield await _start(supervisor, installation, ports)
    finally:
        await supervisor.stop()


async def _start(supervisor: Supervisor, installation: Installation, ports: Mapping[str, int]) -> Stack:
    secret = os.environ.get("ANNOTATEFORGE_SECRET") or installation.secret()
    settings = {
        "ANNOTATEFORGE_SECRET": secret,
        "ANNOTATEFORGE_STORE_URL": os.environ.get("ANNOTATEFORGE_STORE_URL") or installation.store_url,
    }
    settings |= await _start_engines(supervisor, installation)
    addresses: dict[str, str] = {}

    async def start(*names: str) -> None:
        parts = [_service(name, installation, settings, ports[name]) for name in names]
        for name, address in zip(names, await supervisor.start(parts), strict=True):
            addresses[name] = address
            settings[f"ANNOTATEFORGE_{name.upper()}_ADDRESS"] = address

    await start("dataset", "registry")
    await start("trainer", "inference")
    await start("gateway")
    settings["ANNOTATEFORGE_WORKER_TOKEN"] = issue_token(secret, Role.WORKER, "local", _WORKER_TOKEN_LIFETIME)
    await supervisor.start([_worker(device, installation, settings) for device in training_devices()])
    gateway = addresses.pop("gateway")
    return Stack(f"http://{gateway}", issue_token(secret, Role.ADMIN, "local", TOKEN_LIFETIME), addresses)


async def _start_engines(supervisor: Supervisor, installation: Installation) -> dict[str, str]:
    """Start the engines that the environment does not name; where all of them are found, as settings."""
    found: dict[str, str] = {}
    embedded: dict[str, Part] = {}
    for setting, part in (
        ("ANNOTATEFORGE_DATABASE_URL", PostgresPart(installation.postgres)),
        ("ANNOTATEFORGE_NATS_URL", NatsPart(installation.nats)),
    ):
        if url := os.environ.get(setting):
            found[setting] = url
        else:
            embedded[setting] = part
    return found | dict(zip(embedded, await supervisor.start(list(embedded.values())), strict=True))


def _service(name: str, installation: Installation, settings: Mapping[str, str], port: int) -> ServicePart:
    program = ServiceProgram(
        name,
        f"annotateforge.{name}",
        {**settings, **_folders(name, installation)},
        installation.log(name),
    )
    return ServicePart(program, f"{HOST}:{port}")


def _folders(name: str, installation: Installation) -> dict[str, str]:
    """Settings that keep a service's temporary files on the disk of the data directory."""
    setting = {"dataset": "DATASET_SPOOL_FOLDER", "inference": "INFERENCE_CACHE"}.get(name)
    return {f"ANNOTATEFORGE_{setting}": str(installation.work(name))} if setting else {}


def _worker(device: str, installation: Installation, settings: Mapping[str, str]) -> ServicePart:
    name = f"worker-{device}"
    # A worker has no access to the database, the bus or the blobs, nor can it sign tokens.
    withheld = {"SECRET", "DATABASE_URL", "NATS_URL", "STORE_URL"}
    own = {
        **{
            key: value
            for key, value in settings.items()
            if key.removeprefix("ANNOTATEFORGE_") not in withheld
        },
        **{f"ANNOTATEFORGE_{key}": "" for key in withheld},
        "ANNOTATEFORGE_WORKER_NAME": f"{socket.gethostname()}-{device}",
        "ANNOTATEFORGE_WORKER_DEVICES": device,
        "ANNOTATEFORGE_WORKER_DIR": str(installation.work(name)),
        "ANNOTATEFORGE_WEIGHTS_DIR": os.environ.get("ANNOTATEFORGE_WEIGHTS_DIR")
        or str(installation.path / "weights"),
    }
    return ServicePart(
        ServiceProgram(name, "annotateforge.trainer.worker", own, installation.log(name)), listen=None
    )


def _check_free(ports: Mapping[str, int]) -> None:
    for name, port in ports.items():
        if not port:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                raise EngineError(
                    f"Port {port}, for the {name}, cannot be used ({error.strerror}). "
                    "Stop what uses it, or choose another with --port (it takes five in a row)."
                ) from error
