"""An inference service beside a registry, both as they run in production, and weights to register."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import SecretStr

from annotateforge.api.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.inference.app import App, running
from annotateforge.inference.quiet import keep_to_itself
from annotateforge.inference.settings import Settings
from annotateforge.registry.app import App as RegistryApp
from annotateforge.registry.app import Settings as RegistrySettings
from annotateforge.registry.app import running as running_registry
from tests.integration.inference.stubs import inference_stub, registry_stub

IMAGE_SIZE = 96
CLASSES = ("RBC", "WBC", "Platelets")
SUFFIXES = {"detect": "", "segment": "-seg", "classify": "-cls"}


@pytest.fixture(scope="session")
def make_weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Weights of an untrained yolov8n that sees something everywhere; another seed sees something else."""
    folder = tmp_path_factory.mktemp("weights")
    keep_to_itself(folder, 100_000_000)

    def make(task: str = "detect", seed: int = 0, classes: tuple[str, ...] = CLASSES) -> bytes:
        path = folder / f"{task}-{seed}-{'-'.join(classes)}.pt"
        if not path.exists():
            import torch
            from ultralytics import YOLO

            torch.manual_seed(seed)
            configuration = folder / f"yolov8n{SUFFIXES[task]}.yaml"
            configuration.write_text(_configuration(task, len(classes)))
            yolo = YOLO(configuration, task=task)
            yolo.model.names = dict(enumerate(classes))
            head = yolo.model.model[-1]
            if task != "classify":
                # An untrained head is sure of nothing: its biases say that objects are rare.
                for layers in head.cv3:
                    torch.nn.init.normal_(layers[-1].weight, std=0.5)
                    torch.nn.init.normal_(layers[-1].bias, std=0.5)
            if task == "segment":
                for layers in head.cv4:
                    torch.nn.init.normal_(layers[-1].weight, std=2.0)
                    torch.nn.init.normal_(layers[-1].bias, std=2.0)
            yolo.save(path)
        return path.read_bytes()

    return make


def _configuration(task: str, classes: int) -> str:
    from ultralytics.utils import ROOT

    source = ROOT / "cfg" / "models" / "v8" / f"yolov8{SUFFIXES[task]}.yaml"
    lines = source.read_text().splitlines()
    return "\n".join(f"nc: {classes}" if line.startswith("nc:") else line for line in lines)


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A PNG of circles on a grey ground, 160 × 120 pixels."""
    chance = np.random.default_rng(5)
    pixels = np.full((120, 160, 3), 200, np.uint8)
    for _ in range(12):
        centre = (int(chance.integers(160)), int(chance.integers(120)))
        colour = tuple(int(part) for part in chance.integers(0, 255, 3))
        cv2.circle(pixels, centre, int(chance.integers(5, 25)), colour, -1)
    return bytes(cv2.imencode(".png", pixels)[1])


@pytest.fixture
async def registry(
    database_url: str, nats_url: str, store_url: str, secret: str
) -> AsyncIterator[RegistryApp]:
    settings = RegistrySettings(
        database_url=database_url, nats_url=nats_url, store_url=store_url, secret=SecretStr(secret)
    )
    async with running_registry(settings) as app:
        yield app


@pytest.fixture
def settings(registry: RegistryApp, nats_url: str, secret: str, tmp_path: Path) -> Settings:
    return Settings(
        registry_address=registry.address,
        nats_url=nats_url,
        secret=SecretStr(secret),
        inference_cache=tmp_path / "weights",
    )


@pytest.fixture
async def inference(settings: Settings) -> AsyncIterator[App]:
    async with running(settings) as app:
        yield app


@pytest.fixture
async def models(registry: RegistryApp, secret: str) -> AsyncIterator[RegistryServiceStub]:
    """The registry for an administrator."""
    async with registry_stub(registry.address, secret, "admin") as stub:
        yield stub


@pytest.fixture
async def worker(registry: RegistryApp, secret: str) -> AsyncIterator[RegistryServiceStub]:
    """The registry for a worker."""
    async with registry_stub(registry.address, secret, "worker") as stub:
        yield stub


@pytest.fixture
async def viewer(inference: App, secret: str) -> AsyncIterator[InferenceServiceStub]:
    """The inference service for a viewer."""
    async with inference_stub(inference.address, secret) as stub:
        yield stub


@pytest.fixture
def unused_address() -> Iterator[str]:
    """Where nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def eventually() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    """Waits until something that happens in the background has happened."""

    async def wait(holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(30):
            while not await holds():
                await asyncio.sleep(0.01)

    return wait
