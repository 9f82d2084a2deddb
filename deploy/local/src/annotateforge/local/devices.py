"""Which devices of this machine are trained on."""

import shutil
import subprocess
from collections.abc import Mapping

CPU = "cpu"

_NVIDIA_SMI = "nvidia-smi"
_DEADLINE = 20.0


def training_devices(environment: Mapping[str, str]) -> list[str]:
    """Names of the worker's devices: every GPU, such as ["0", "1"], or ["cpu"] without one.

    ANNOTATEFORGE_WORKER_DEVICES chooses others; GPUs are numbered as CUDA_VISIBLE_DEVICES leaves them.
    """
    chosen = [name.strip() for name in environment.get("ANNOTATEFORGE_WORKER_DEVICES", "").split(",")]
    return [name for name in chosen if name] or found_gpus(environment) or [CPU]


def found_gpus(environment: Mapping[str, str]) -> list[str]:
    """Names of the NVIDIA GPUs that torch would see, by nvidia-smi, which comes with the driver."""
    program = shutil.which(_NVIDIA_SMI)
    if program is None:
        return []
    query = [program, "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        listing = subprocess.run(
            query, capture_output=True, text=True, timeout=_DEADLINE, check=True, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return visible_gpus(listing, environment.get("CUDA_VISIBLE_DEVICES"))


def visible_gpus(listing: str, visible: str | None) -> list[str]:
    """The GPUs of a listing, `index, uuid` a line, that CUDA_VISIBLE_DEVICES leaves, numbered anew."""
    lines = [line for line in listing.splitlines() if line.strip()]
    rows = [tuple(field.strip() for field in line.split(",")) for line in lines]
    if visible is not None:
        wanted = [name.strip() for name in visible.split(",")]
        rows = [
            row for name in wanted for row in rows if name and (name == row[0] or row[-1].startswith(name))
        ]
    return [str(number) for number in range(len(rows))]
