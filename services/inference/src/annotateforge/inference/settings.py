"""What the inference service reads from the environment."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from annotateforge.runtime.settings import Address, BusSettings, ServiceSettings


def _cores() -> int:
    """Cores that this process may use, at most 8: a single image does not keep more busy."""
    return min(len(os.sched_getaffinity(0)), 8)


class Settings(BusSettings, ServiceSettings):
    """What the inference service reads from the environment."""

    registry_address: Address
    """Where the registry is reached, host:port."""
    registry_token: SecretStr | None = None
    """Token of the role worker for the registry; by default one is signed with the installation's secret."""
    inference_cache: Path | None = None
    """Folder that keeps downloaded weights; by default a private one that goes with the process."""
    inference_cache_bytes: Annotated[int, Field(ge=0)] = 4 * 1024**3
    """Bytes of weights that stay in the folder beyond those in use."""
    inference_loaded_models: Annotated[int, Field(ge=1, le=100)] = 4
    """Most models that are kept in memory at once."""
    inference_threads: Annotated[int, Field(ge=1, le=64)] = Field(default_factory=_cores)
    """Threads with which torch computes on CPUs; by default the cores of the machine, at most 8."""
    inference_device: str = ""
    """Device: "cpu", "cuda:0" and so on; by default the first GPU, or the CPU where there is none."""
    inference_queue: Annotated[int, Field(ge=1, le=10_000)] = 32
    """Most images that wait or are being predicted at once; further ones are refused."""
    inference_most_pixels: Annotated[int, Field(ge=1024)] = 100_000_000
    """Most pixels of an image."""
