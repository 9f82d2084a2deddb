import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from annotateforge.api.inference.v1 import inference_service_pb2 as api
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.inference.settings import Settings
from tests.integration.inference.registrations import TASK_TYPES, activate, refusal, register
from tests.integration.inference.stubs import inference_stub

# Python runs this at its start. It writes down whom the process tries to reach, this machine aside.
LISTENER = """
import os, socket

def note(who):
    with open(os.environ["OUTSIDE"], "a") as file:
        file.write(f"{who}\\n")

find, connect = socket.getaddrinfo, socket.socket.connect

def getaddrinfo(host, *more, **options):
    if host not in (None, "127.0.0.1", "localhost", "::1"):
        note(host)
    return find(host, *more, **options)

class Socket(socket.socket):
    def connect(self, address):
        if isinstance(address, tuple) and not address[0].startswith(("127.", "::1")):
            note(address)
        return super().connect(address)

socket.getaddrinfo, socket.socket = getaddrinfo, Socket
"""


@contextlib.asynccontextmanager
async def process(settings: Settings, folder: Path) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """The service as a process of its own; its address once it is ready."""
    (folder / "site").mkdir()
    (folder / "home").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(LISTENER)
    reader, writer = os.pipe()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "PYTHONPATH": str(folder / "site"),
        "OUTSIDE": str(folder / "outside"),
        "ANNOTATEFORGE_READY_FD": str(writer),
        "ANNOTATEFORGE_SECRET": settings.secret.get_secret_value(),
        "ANNOTATEFORGE_NATS_URL": settings.nats_url,
        "ANNOTATEFORGE_REGISTRY_ADDRESS": settings.registry_address,
    }
    with (folder / "log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "annotateforge.inference",
            env=environment,
            cwd=folder / "home",
            stderr=log,
            stdout=log,
            pass_fds=[writer],
        )
        os.close(writer)
        try:
            with os.fdopen(reader) as ready:
                async with asyncio.timeout(30):
                    line = await asyncio.to_thread(ready.readline)
            assert line, (folder / "log").read_text()
            yield json.loads(line)["address"], child
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()


def maps_torch(child: asyncio.subprocess.Process) -> bool:
    return "libtorch" in Path(f"/proc/{child.pid}/maps").read_text()


async def test_the_process_is_ready_without_torch_and_keeps_to_itself(
    settings: Settings,
    secret: str,
    worker: RegistryServiceStub,
    models: RegistryServiceStub,
    make_weights: Callable[..., bytes],
    picture: bytes,
    tmp_path: Path,
) -> None:
    async with (
        process(settings, tmp_path) as (address, child),
        inference_stub(address, secret) as viewer,
    ):
        assert not maps_torch(child)
        for task, task_type in TASK_TYPES.items():
            model_id = await register(worker, make_weights(task), task)
            await activate(models, model_id)
            request = api.PredictRequest(image=picture, task_type=task_type)
            assert (await viewer.Predict(request, timeout=60)).prediction.model_id == model_id
        assert maps_torch(child)
        child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await child.wait() == 0
    assert not (tmp_path / "outside").exists()
    assert not list((tmp_path / "home").iterdir())


async def test_weights_cannot_run_code(
    settings: Settings,
    secret: str,
    worker: RegistryServiceStub,
    make_weights: Callable[..., bytes],
    tmp_path: Path,
) -> None:
    import torch

    class Evil:
        def __reduce__(self) -> Any:
            return (open, (str(tmp_path / "owned"), "w"))

    torch.save({"model": Evil(), "train_args": {}}, tmp_path / "evil.pt")
    model_id = await register(worker, (tmp_path / "evil.pt").read_bytes())
    image = bytes(cv2.imencode(".png", np.zeros((32, 32, 3), np.uint8))[1])
    async with process(settings, tmp_path) as (address, _), inference_stub(address, secret) as viewer:
        error = await refusal(viewer.Predict(api.PredictRequest(image=image, model_id=model_id), timeout=60))
        assert error.reason == "MODEL_UNLOADABLE"
    assert not (tmp_path / "owned").exists()
