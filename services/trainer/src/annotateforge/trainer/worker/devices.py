"""The worker's devices over time: how busy they are, whether others use them, and which one a job gets."""

import asyncio
from collections.abc import Sequence

import structlog

from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.worker_pb2 import Device, GpuLoad, Load
from annotateforge.trainer.placement import CPU, fits
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


class Devices:
    """What the worker can train on, as it is now."""

    def __init__(self, machine: Machine, visible: str | None, tolerance_percent: float) -> None:
        """visible: CUDA_VISIBLE_DEVICES. tolerance_percent: share of a GPU's memory that others may use."""
        self._machine = machine
        self._visible = visible
        self._tolerance = tolerance_percent
        self._loads: tuple[GpuLoad, ...] = ()
        self._has_gpu = any(device.name != CPU for device in machine.devices)
        self.changed = asyncio.Event()
        """Set when another set of GPUs is in use by others than at the look before."""

    async def look(self) -> None:
        """Find out how busy the GPUs are now; at once on a machine without."""
        listing = await ask_nvidia_smi(_QUERY) if self._has_gpu else None
        if listing is None:
            return
        before = self._busy()
        names = {device.name for device in self._machine.devices}
        self._loads = tuple(load for load in read_loads(listing, self._visible) if load.name in names)
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
        """The devices, with what others use marked as busy. Only true while the worker trains nothing."""
        busy = self._busy()
        return [
            Device(
                name=device.name,
                model=device.model,
                memory_bytes=device.memory_bytes,
                busy=device.name in busy,
            )
            for device in self._machine.devices
        ]

    def _busy(self) -> set[str]:
        memory = {device.name: device.memory_bytes for device in self._machine.devices}
        return {
            load.name
            for load in self._loads
            if load.memory_used_bytes > memory[load.name] * self._tolerance / 100 and memory[load.name]
        }


def device_for(config: JobConfig, devices: Sequence[Device]) -> str:
    """The device on which a job is trained: the first that fits, and better a free one.

    A job that asks for nothing gets one of the kind that the worker names first.
    """
    kind = [device for device in devices if (device.name == CPU) == (devices[0].name == CPU)]
    asks = bool(config.device) or config.gpus > 0
    fitting = [device for device in (devices if asks else kind) if fits(config, device)]
    free = [device for device in fitting if not device.busy]
    for device in (*free, *fitting):
        return device.name
    return config.device or devices[0].name


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
