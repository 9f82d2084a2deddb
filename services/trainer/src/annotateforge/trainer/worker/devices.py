"""The worker's devices over time: how busy they are, whether others use them, and which one a job gets."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.worker_pb2 import Device, GpuLoad, Load
from annotateforge.trainer.placement import ANYTHING, CPU, Demand, chosen
from annotateforge.trainer.worker.machine import (
    Machine,
    ask_nvidia_smi,
    current_load,
    mebibytes,
    read_rows,
)

LOOK_EVERY = 10.0
"""Seconds between two looks at the GPUs."""

_QUERY = "index,uuid,memory.used,utilization.gpu"

log = structlog.get_logger()


@dataclass(frozen=True)
class Share:
    """What a job gets of the machine."""

    device: str
    """ "cpu", the index of a GPU, or several of them, separated by commas."""
    devices: tuple[str, ...]
    """The same, one by one."""
    cores: int
    """Processors: all of them, or those for its part of the GPUs."""


class Devices:
    """What the worker can train on, as it is now."""

    def __init__(self, machine: Machine, visible: str | None, tolerance_percent: float) -> None:
        """visible: CUDA_VISIBLE_DEVICES. tolerance_percent: share of a GPU's memory that others may use."""
        self._machine = machine
        self._visible = visible
        self._tolerance = tolerance_percent
        self._loads: tuple[GpuLoad, ...] = ()
        self._has_gpu = any(device.name != CPU for device in machine.devices)
        self._taken: set[str] = set()
        self._freed = asyncio.Event()
        self.changed = asyncio.Event()
        """Set when another set of GPUs is in use than at the look before."""

    async def look(self) -> None:
        """Find out how busy the GPUs are now; at once on a machine without. When that fails, what was seen
        last still counts: no training ends over it.
        """
        if not self._has_gpu:
            return
        try:
            listing = await ask_nvidia_smi(_QUERY)
            loads = None if listing is None else read_loads(listing, self._visible)
        except (OSError, ValueError, IndexError) as error:
            log.warning("the GPUs cannot be looked at", error=str(error))
            return
        if loads is None:
            return
        before = self._busy()
        names = {device.name for device in self._machine.devices}
        self._loads = tuple(load for load in loads if load.name in names)
        if self._busy() != before:
            log.info("GPUs that others use", names=sorted(self._busy()))
            self.changed.set()

    async def look_for_ever(self) -> None:
        """Look every few seconds until cancelled; on a machine without GPUs there is nothing to look at."""
        while self._has_gpu:
            await asyncio.sleep(LOOK_EVERY)
            await self.look()

    def load(self) -> Load:
        """How busy the machine is."""
        load = current_load()
        load.gpus.extend(self._loads)
        return load

    def described(self) -> list[Device]:
        """The devices, marked as busy that others use, and as in use that jobs of this worker exclude."""
        busy, in_use = self._busy(), self._in_use()
        return [
            Device(
                name=device.name,
                model=device.model,
                memory_bytes=device.memory_bytes,
                busy=device.name in busy,
                in_use=device.name in in_use,
            )
            for device in self._machine.devices
        ]

    @property
    def slots(self) -> int:
        """How many jobs can be trained at once: one on each GPU, or one on the processor."""
        return max(1, sum(device.name != CPU for device in self._machine.devices))

    @contextlib.contextmanager
    def taken(self, config: JobConfig) -> Iterator[Share]:
        """The devices for a job, which no other one gets for the time of the context."""
        share = self._share(device_for(config, self.described()))
        self._taken.update(share.devices)
        try:
            yield share
        finally:
            self._taken.difference_update(share.devices)
            self._freed.set()
            # What we said of them is no longer true.
            self.changed.set()

    async def some_free(self) -> None:
        """Wait until a device is not used by a job of this worker."""
        while all(device.in_use for device in self.described()):
            self._freed.clear()
            await self._freed.wait()

    def _share(self, device: str) -> Share:
        devices = tuple(device.split(","))
        cores = self._machine.cores
        if device != CPU:
            cores = max(1, cores * len(devices) // self.slots)
        return Share(device, devices, cores)

    def _in_use(self) -> set[str]:
        """A job on the processor is alone on the machine: the loaders of GPUs want it, too."""
        names = {device.name for device in self._machine.devices}
        if CPU in self._taken:
            return names
        return self._taken | {CPU} if self._taken else set()

    def _busy(self) -> set[str]:
        memory = {device.name: device.memory_bytes for device in self._machine.devices}
        return {
            load.name
            for load in self._loads
            if load.memory_used_bytes > memory[load.name] * self._tolerance / 100 and memory[load.name]
        } - self._taken


def device_for(config: JobConfig, devices: Sequence[Device]) -> str:
    """The device on which a job is trained, or several: the first that fit, and better free ones.

    A job that asks for nothing gets one of the kind that the worker names first.
    """
    demand = Demand.of(config)
    fitting = list(devices)
    if demand == ANYTHING:
        fitting = [device for device in devices if (device.name == CPU) == (devices[0].name == CPU)]
        demand = Demand(gpus=0 if devices[0].name == CPU else 1)
    free = [device for device in fitting if not device.busy and not device.in_use]
    if demand == ANYTHING:
        return CPU
    names = chosen(demand, free) or chosen(demand, fitting)
    return ",".join(names) if names else config.device or devices[0].name


def read_loads(listing: str, visible: str | None) -> list[GpuLoad]:
    """The loads of nvidia-smi's listing, with torch's numbers as names."""
    return [
        GpuLoad(
            name=str(number),
            memory_used_bytes=mebibytes(row[2]),
            utilization_percent=float(row[3]) if row[3].isdigit() else 0.0,
        )
        for number, row in enumerate(read_rows(listing, visible))
    ]
