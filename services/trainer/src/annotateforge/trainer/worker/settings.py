"""What a worker reads from the environment."""

import platform
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator

from annotateforge.runtime.settings import Address, ProcessSettings

_GIB = 1024**3


class Settings(ProcessSettings):
    """A worker needs outbound gRPC only: three addresses and a token of the role worker."""

    trainer_address: Address
    """The trainer, host:port."""
    dataset_address: Address
    """The dataset service, host:port."""
    registry_address: Address
    """The registry, host:port."""
    worker_token: SecretStr | None = None
    """Token of the role worker; or give worker_token_file."""
    worker_token_file: Path | None = None
    """File that holds the token. It is read again when it has changed."""
    worker_name: Annotated[str, StringConstraints(min_length=1, max_length=200)] = platform.node() or "worker"
    """Name that people see in the list of workers; by default the host's."""
    worker_devices: str = ""
    """Devices to train on, such as "0" or "0,cpu"; the first is taken where a job names none. By default all
    GPUs, then the CPU.
    """
    worker_cores: Annotated[int, Field(ge=1)] | None = None
    """Processors that a training may use; by default all that this process may."""
    gpu_tolerance_percent: Annotated[float, Field(ge=0, le=100)] = 20.0
    """Share of a GPU's memory that others may use; one of which they use more gets no job."""
    warm_child: bool = True
    """Whether the process of the next training is started in advance; it waits in about 400 MB."""
    worker_dir: Path = Path("annotateforge-worker")
    """Folder for data sets, attempts and logs; one worker has it for itself."""
    dataset_cache_bytes: Annotated[int, Field(ge=0)] = 50 * _GIB
    """Most bytes of data sets that are kept for further jobs; those used least lately go first."""
    weights_dir: Path | None = None
    """Folder of pretrained weights, named as ultralytics names them (yolov8n.pt, yolov8n-seg.pt, …); by
    default the folder weights in worker_dir.
    """
    allow_downloads: bool = False
    """Whether pretrained weights that are not in weights_dir may be downloaded from ultralytics."""

    stall_seconds: Annotated[float, Field(ge=1)] = 120.0
    """A training of which no batch comes for so long is ended and goes on from its checkpoint; see also
    stall_batches.
    """
    stall_batches: Annotated[float, Field(ge=2)] = 10.0
    """It may always take so many times the median time of its batches."""
    stall_start_seconds: Annotated[float, Field(ge=10)] = 3600.0
    """Seconds until training starts, in which large data sets are read through."""
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 60.0
    """Seconds of training after which its state is uploaded at the latest; with 0 after every epoch."""
    worker_grace_seconds: Annotated[float, Field(ge=1)] = 20.0
    """Seconds for uploading the newest checkpoint when the worker is told to stop."""

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if (self.worker_token is None) == (self.worker_token_file is None):
            raise ValueError("give either worker_token or worker_token_file")
        return self
