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
MOST_GPUS = 64
"""Most GPUs of one job."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a job asks of the devices that it is trained on."""

    device: str = ""
    """Names of all of them, separated by commas; empty for any."""
    gpus: int = 0
    """GPUs; 0 for any device, or where they are named."""
    min_gpu_memory: int = 0
    """Memory in GB that each GPU must have."""

    @classmethod
    def of(cls, config: JobConfig) -> Self:
        """What a config asks for, once its placement is filled in."""
        return cls(config.device, config.gpus, config.min_gpu_memory)

    @property
    def names(self) -> tuple[str, ...]:
        """The devices that it names."""
        return tuple(self.device.split(",")) if self.device else ()

    @property
    def devices(self) -> int:
        """How many devices it trains on."""
        return len(self.names) or max(self.gpus, 1)


ANYTHING = Demand()
"""What a job asks for that asks for nothing: any device."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The devices of an idle worker that are free, and those that will be."""

    devices: tuple[str, ...]
    """Names of those that are free."""
    memory: tuple[int, ...]
    """Memory of each in GB, rounded down; 0 for what is no GPU."""
    takes_any: bool
    """Whether a job that asks for nothing may come: one of the kind that the worker names first is free."""
    in_use: tuple[str, ...] = ()
    """Names of those on which the same machine's other jobs are trained."""
    in_use_memory: tuple[int, ...] = ()
    """Memory of each of these."""

    @classmethod
    def of(cls, devices: Sequence[Device]) -> Self:
        """What a worker with these devices offers, the one of its own choice first."""
        free = [device for device in devices if not device.busy and not device.in_use]
        in_use = [device for device in devices if not device.busy and device.in_use]
        # Who has GPUs does not fall back to the processor, which would take days instead of hours.
        takes_any = any(_is_gpu(device) == _is_gpu(devices[0]) for device in free)
        return cls(_names(free), _memory(free), takes_any, _names(in_use), _memory(in_use))

    def fits(self, demand: Demand) -> bool:
        """Whether a job that asks for this may come."""
        if not demand.device and not demand.gpus:
            return self.takes_any
        return _chosen(demand, self.devices, self.memory) is not None

    def waits_for(self, demand: Demand) -> bool:
        """Whether a job for several devices may come once those in use are free. Until then devices are kept
        for it: were each given away as soon as it is free, it would wait for ever.
        """
        if demand.devices == 1 or not self.in_use or self.fits(demand):
            return False
        devices, memory = (*self.devices, *self.in_use), (*self.memory, *self.in_use_memory)
        return _chosen(demand, devices, memory) is not None


def chosen(demand: Demand, devices: Sequence[Device]) -> tuple[str, ...] | None:
    """The devices of these on which a job is trained that asks for some; None when they do not suffice."""
    return _chosen(demand, _names(devices), _memory(devices))


def _chosen(demand: Demand, devices: Sequence[str], memory: Sequence[int]) -> tuple[str, ...] | None:
    fitting = [
        name
        for name, size in zip(devices, memory, strict=True)
        if size >= demand.min_gpu_memory and (name in demand.names if demand.device else name != CPU)
    ]
    if demand.device:
        return demand.names if set(demand.names) <= set(fitting) else None
    return tuple(fitting[: demand.gpus]) if len(fitting) >= demand.gpus else None


def fill_placement(config: JobConfig, violations: Violations, field: str) -> None:
    """Check what a config asks of devices, and fill in that memory of a GPU means a GPU."""
    config.device = _checked_device(config.device, violations, f"{field}.device")
    violations.whole(
        f"{field}.min_gpu_memory", config.min_gpu_memory, 0, MOST_GPU_MEMORY, otherwise="any GPU"
    )
    violations.whole(f"{field}.gpus", config.gpus, 0, MOST_GPUS, otherwise="any device")
    named = Demand.of(config).names
    for name in ("gpus", "min_gpu_memory"):
        if config.device == CPU and getattr(config, name) > 0:
            violations.add(f"{field}.{name}", 'asks for a GPU, and device "cpu" for none; leave one out')
    if named and config.device != CPU and config.gpus > 0 and config.gpus != len(named):
        violations.add(
            f"{field}.gpus",
            f"is {config.gpus}, and device {shown(config.device)} names {len(named)}; leave one of them out",
        )
    if config.min_gpu_memory > 0 and not config.device:
        config.gpus = config.gpus or 1


def warning_of_no_worker(config: JobConfig, online: Iterable[Worker]) -> Warning | None:
    """What to tell the maker of a job for which no online worker has the devices; None where one has.

    A job that asks for nothing is none of them: for it a worker is expected to come up sooner or later.
    """
    demand = Demand.of(config)
    if demand == ANYTHING:
        return None
    workers = list(online)
    if any(chosen(demand, worker.devices) is not None for worker in workers):
        return None
    sized = demand.min_gpu_memory > 0
    together = demand.devices > 1
    sets = sorted({_set(worker.devices, sized=sized) for worker in workers} if together else set())
    devices = [device for worker in workers for device in worker.devices]
    names = sets or sorted({_described(device) if sized else device.name for device in devices})
    known = f"those that are online have {'; '.join(sets) or ', '.join(names)}" if names else "none is online"
    return Warning(
        reason="NO_WORKER_FOR_DEVICE",
        message=f"No worker has {_wanted(demand)}; {known}. The job waits until one comes.",
        hint=f"Start a worker with {'these devices' if together else 'that device'}, or cancel the job and "
        "ask for less.",
    )


def _wanted(demand: Demand) -> str:
    """What a job asks for, in words."""
    if demand.device:
        wanted = f"the device{'s' if demand.devices > 1 else ''} {demand.device!r}"
    else:
        wanted = f"{demand.gpus} GPUs" if demand.gpus > 1 else "a GPU"
    if demand.min_gpu_memory:
        wanted += f" with {demand.min_gpu_memory} GB of memory"
        wanted += " each" if demand.devices > 1 else ""
    return wanted


def _set(devices: Sequence[Device], *, sized: bool) -> str:
    return ", ".join(_described(device) if sized else device.name for device in devices)


def _names(devices: Sequence[Device]) -> tuple[str, ...]:
    return tuple(device.name for device in devices)


def _memory(devices: Sequence[Device]) -> tuple[int, ...]:
    return tuple(device.memory_bytes // GB if _is_gpu(device) else 0 for device in devices)


def _is_gpu(device: Device) -> bool:
    return device.name != CPU


def _described(device: Device) -> str:
    return f"{device.name} ({device.memory_bytes // GB} GB)" if _is_gpu(device) else device.name


def _checked_device(device: str, violations: Violations, field: str) -> str:
    """The device, with its names separated by commas alone."""
    names = [name.strip() for name in device.split(",")] if device else []
    gpus = [name for name in names if name.isascii() and name.isdigit() and len(name) <= 3]
    if names in ([], [CPU]):
        return device.strip()
    if len(gpus) < len(names):
        violations.add(
            field,
            f'{shown(device)} is no device; give "cpu", the index of a GPU such as "0", or several such as '
            '"0,1", or leave it out',
        )
    elif len(set(map(int, gpus))) < len(gpus):
        violations.add(field, f"{shown(device)} names a GPU twice")
    elif len(gpus) > MOST_GPUS:
        violations.add(field, f"names {len(gpus)} GPUs; at most {MOST_GPUS}")
    return ",".join(names)
