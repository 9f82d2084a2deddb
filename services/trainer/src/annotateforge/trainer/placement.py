"""Which workers a job may go to: what it asks of a device, and what an idle worker offers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from annotateforge.api.trainer.v1.event_pb2 import Warning
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.worker_pb2 import Device, Worker
from annotateforge.trainer.violations import Violations, shown

CPU = "cpu"
GB = 10**9
MOST_GPU_MEMORY = 1024


@dataclass(frozen=True, slots=True)
class Demand:
    """What a job asks of the device that it is trained on."""

    device: str = ""
    """Its name; empty for any."""
    gpus: int = 0
    """GPUs; 0 for any device."""
    min_gpu_memory: int = 0
    """Memory in GB that the GPU must have."""

    @classmethod
    def of(cls, config: JobConfig) -> Self:
        """What a config asks for, once its placement is filled in."""
        return cls(config.device, config.gpus, config.min_gpu_memory)


ANYTHING = Demand()
"""What a job asks for that asks for nothing: any device."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The devices of an idle worker that are free."""

    devices: tuple[str, ...]
    """Their names."""
    memory: tuple[int, ...]
    """Memory of each in GB, rounded down; 0 for what is no GPU."""
    takes_any: bool
    """Whether a job that asks for nothing may come: one of the kind that the worker names first is free."""

    @classmethod
    def of(cls, devices: Sequence[Device]) -> Self:
        """What a worker with these devices offers, the one of its own choice first."""
        free = [device for device in devices if not device.busy]
        # Who has GPUs does not fall back to the processor, which would take days instead of hours.
        takes_any = any(_is_gpu(device) == _is_gpu(devices[0]) for device in free)
        memory = tuple(device.memory_bytes // GB if _is_gpu(device) else 0 for device in free)
        return cls(tuple(device.name for device in free), memory, takes_any)

    def fits(self, demand: Demand) -> bool:
        """Whether a job that asks for this may come."""
        if not demand.device and not demand.gpus:
            return self.takes_any
        return any(
            memory >= demand.min_gpu_memory and (name == demand.device if demand.device else name != CPU)
            for name, memory in zip(self.devices, self.memory, strict=True)
        )


def fill_placement(config: JobConfig, violations: Violations, field: str) -> None:
    """Check what a config asks of a device, and fill in that memory of a GPU means a GPU."""
    _check_device(config.device, violations, f"{field}.device")
    violations.whole(
        f"{field}.min_gpu_memory", config.min_gpu_memory, 0, MOST_GPU_MEMORY, otherwise="any GPU"
    )
    if config.gpus > 1:
        violations.add(
            f"{field}.gpus", f"is {config.gpus}; a job trains on one GPU, so it must be 0 (any device) or 1"
        )
    elif config.gpus < 0:
        violations.add(f"{field}.gpus", "must be 0 (any device) or 1")
    for name in ("gpus", "min_gpu_memory"):
        if config.device == CPU and getattr(config, name) > 0:
            violations.add(f"{field}.{name}", 'asks for a GPU, and device "cpu" for none; leave one out')
    if config.min_gpu_memory > 0 and not config.device:
        config.gpus = config.gpus or 1


def fits(config: JobConfig, device: Device) -> bool:
    """Whether a device, busy or not, is one that the config asks for."""
    if config.device and config.device != device.name:
        return False
    if config.gpus > 0 and not _is_gpu(device):
        return False
    return device.memory_bytes // GB >= config.min_gpu_memory


def warning_of_no_worker(config: JobConfig, online: Iterable[Worker]) -> Warning | None:
    """What to tell the maker of a job for which no online worker has a device; None where one has.

    A job that asks for nothing is none of them: for it a worker is expected to come up sooner or later.
    """
    if not config.device and config.gpus == 0:
        return None
    devices = [device for worker in online for device in worker.devices]
    if any(fits(config, device) for device in devices):
        return None
    sized = config.min_gpu_memory > 0
    names = sorted({_described(device) if sized else device.name for device in devices})
    known = f"those that are online have {', '.join(names)}" if names else "none is online"
    wanted = f"the device {config.device!r}" if config.device else "a GPU"
    if config.min_gpu_memory:
        wanted += f" with {config.min_gpu_memory} GB of memory"
    return Warning(
        reason="NO_WORKER_FOR_DEVICE",
        message=f"No worker has {wanted}; {known}. The job waits until one comes.",
        hint="Start a worker with that device, or cancel the job and ask for less.",
    )


def _is_gpu(device: Device) -> bool:
    return device.name != CPU


def _described(device: Device) -> str:
    return f"{device.name} ({device.memory_bytes // GB} GB)" if _is_gpu(device) else device.name


def _check_device(device: str, violations: Violations, field: str) -> None:
    if device in ("", CPU) or (device.isascii() and device.isdigit() and len(device) <= 3):
        return
    if "," in device:
        violations.add(
            field,
            f'{shown(device)} names several devices; a job trains on one, such as "0". Training on several '
            "GPUs at once is not supported",
        )
    else:
        violations.add(
            field,
            f'{shown(device)} is no device; give "cpu" or the index of a GPU such as "0", or leave it out',
        )
