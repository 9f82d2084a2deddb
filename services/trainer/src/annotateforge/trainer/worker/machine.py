"""What the worker's machine has: devices, cores, versions, load."""

import asyncio
import contextlib
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import structlog

from annotateforge.api.trainer.v1.worker_pb2 import Device, Load

CPU = "cpu"

_NVIDIA_SMI = "nvidia-smi"
_QUERY = "index,uuid,name,memory.total,driver_version"
_SMI_DEADLINE = 20.0
_KILL_DEADLINE = 5.0
"""Seconds to wait for a killed nvidia-smi: one that hangs in the driver dies when the driver lets it."""
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")

log = structlog.get_logger()


@dataclass(frozen=True)
class Machine:
    """What a worker can train on."""

    devices: tuple[Device, ...]
    """The first one is its own choice."""
    cores: int
    """Processors that a training may use."""
    versions: Mapping[str, str]

    def threads(self, device: str) -> int | None:
        """Threads that torch is given for a training on a device; None leaves it to ultralytics."""
        return self.cores if device == CPU else None


class UnknownDevice(Exception):
    """The settings name a device that is not there."""


async def look_at_machine(wanted: str, cores: int | None, environment: Mapping[str, str]) -> Machine:
    """Find out what there is, without loading torch.

    `wanted` are the device names of the settings, separated by commas, or empty for all. UnknownDevice when
    one of them is not there.
    """
    gpus, driver = await _gpus(environment.get("CUDA_VISIBLE_DEVICES"))
    found = {device.name: device for device in (*gpus, _cpu())}
    names = [name.strip() for name in wanted.split(",") if name.strip()] or list(found)
    for name in names:
        if name not in found:
            raise UnknownDevice(f"There is no device {name!r} here, only: {', '.join(found)}.")
    return Machine(tuple(found[name] for name in names), cores or usable_cores(), _versions(driver))


def usable_cores() -> int:
    """Processors that this process may use: by affinity, and by the quota of its container (cgroup v2)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = _CPU_QUOTA.read_text().split()
        if quota != "max":
            cores = min(cores, -(-int(quota) // int(period)))
    return max(cores, 1)


def current_load() -> Load:
    """How busy the machine is; the processors' share is that since the last call."""
    memory = psutil.virtual_memory()
    return Load(
        cpu_percent=psutil.cpu_percent(interval=None),
        memory_used_bytes=memory.total - memory.available,
        memory_total_bytes=memory.total,
    )


async def _gpus(visible: str | None) -> tuple[list[Device], str]:
    """The GPUs as torch will number them, and the driver's version."""
    listing = await ask_nvidia_smi(_QUERY)
    return ([], "") if listing is None else read_gpus(listing, visible)


async def ask_nvidia_smi(query: str) -> str | None:
    """A line for each GPU with the fields of a query; None without nvidia-smi, or when it does not answer.

    OSError when it cannot be started.
    """
    program = shutil.which(_NVIDIA_SMI)
    if program is None:
        return None
    process = await asyncio.create_subprocess_exec(
        program,
        f"--query-gpu={query}",
        "--format=csv,noheader,nounits",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_SMI_DEADLINE):
            output, _ = await process.communicate()
    except TimeoutError:
        with contextlib.suppress(TimeoutError, ProcessLookupError):
            process.kill()
            async with asyncio.timeout(_KILL_DEADLINE):
                await process.wait()
        log.warning("nvidia-smi does not answer")
        return None
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise
    return output.decode(errors="replace") if process.returncode == 0 else None


def read_gpus(listing: str, visible: str | None) -> tuple[list[Device], str]:
    """The GPUs of nvidia-smi's listing that CUDA_VISIBLE_DEVICES leaves, in its order, and the driver's
    version.
    """
    rows = read_rows(listing, None)
    driver = rows[0][4] if rows else ""
    gpus = [
        Device(name=str(number), model=model, memory_bytes=mebibytes(memory))
        for number, (_, _, model, memory, _) in enumerate(read_rows(listing, visible))
    ]
    return gpus, driver


def read_rows(listing: str, visible: str | None) -> list[list[str]]:
    """The rows of a listing, whose first two fields are index and UUID, that CUDA_VISIBLE_DEVICES leaves, in
    its order, which is that of torch's numbers.
    """
    rows = [[field.strip() for field in line.split(",")] for line in listing.splitlines() if line.strip()]
    if visible is None:
        return rows
    wanted = [name.strip() for name in visible.split(",")]
    return [row for name in wanted for row in rows if name and (name == row[0] or row[1].startswith(name))]


def mebibytes(text: str) -> int:
    """Bytes of a number of MiB as nvidia-smi writes it; 0 for what is not known."""
    return int(text) * 1024**2 if text.isdigit() else 0


def _cpu() -> Device:
    return Device(name=CPU, model=_cpu_model(), memory_bytes=psutil.virtual_memory().total)


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions(driver: str) -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("annotateforge", "torch", "ultralytics"):
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    if driver:
        versions["driver"] = driver
    return versions
