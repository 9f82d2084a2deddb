"""The memory of processes while something is measured; not a benchmark itself."""

import asyncio
import contextlib

import psutil


class Peak:
    """The most memory that each of some processes has while the context lasts, in MiB."""

    def __init__(self, processes: dict[str, psutil.Process]) -> None:
        self._processes = processes
        self.mebibytes = dict.fromkeys(processes, 0.0)

    async def __aenter__(self) -> "Peak":
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _watch(self) -> None:
        while True:
            for name, process in self._processes.items():
                self.mebibytes[name] = max(self.mebibytes[name], process.memory_info().rss / 2**20)
            await asyncio.sleep(0.02)

    def __str__(self) -> str:
        return ", ".join(f"{name} {size:.0f} MiB" for name, size in self.mebibytes.items())
