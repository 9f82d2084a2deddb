"""The child of the next attempt, started while the worker is idle: when a job comes, all is imported.

It is a child as any other, serves one attempt, and has taken no GPU memory. It has a folder of its own, which
goes with it.
"""

import asyncio
import itertools
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import structlog

from annotateforge.trainer.worker.child_process import ChildProcess
from annotateforge.trainer.worker.environment import child_environment
from annotateforge.trainer.worker.secrets import hiding

MOST_SECONDS = 3600.0
"""Age after which an idle child is replaced: what it has loaded may have been replaced on the disk."""
LEAST_MEMORY = 2 * 1024**3
"""Bytes of memory that must be available for a child to wait in about 400 MB of it."""

log = structlog.get_logger()


@dataclass(frozen=True)
class _Waiting:
    child: ChildProcess
    environment: Mapping[str, str]
    since: float

    @property
    def usable(self) -> bool:
        return self.child.running and time.monotonic() - self.since < MOST_SECONDS


class WarmChild:
    """Starts children, one of them in advance."""

    def __init__(self, folder: Path, cache: Path, *, in_advance: bool) -> None:
        """folder: where children get a folder each. in_advance: whether one may wait for the next attempt."""
        self._folder = folder
        self._cache = cache
        self._in_advance = in_advance
        self._placeholder = folder / "any-one"
        self._names = itertools.count(1)
        self._waiting: _Waiting | None = None

    async def prepare(self, threads: int | None) -> None:
        """Have a child wait for an attempt, unless one does; `threads` are those of torch on a CPU."""
        if not self._in_advance:
            return
        if self._waiting is not None and self._fits(self._waiting, threads):
            return
        await self.discard()
        if psutil.virtual_memory().available < LEAST_MEMORY:
            return
        try:
            environment = self._environment(threads)
            self._waiting = _Waiting(await self._start(environment), environment, time.monotonic())
        except OSError as error:
            # The attempt will meet the same trouble, and can say so to somebody.
            log.warning("cannot start a child in advance", error=str(error))

    async def take(self, threads: int | None, log_path: Path, *, launches: bool = False) -> ChildProcess:
        """The child for an attempt: the one that waits if it suits, otherwise a new one, as in any case for
        an attempt on several devices, which launches others. Stopping it is the caller's, and deletes its
        folder. What it prints goes to a file.
        """
        if launches:
            child = await self._start(self._environment(threads), launches=True)
            return await _logging(child, log_path)
        waiting, self._waiting = self._waiting, None
        if waiting is not None and self._fits(waiting, threads):
            child = waiting.child
        else:
            if waiting is not None:
                await waiting.child.stop()
            child = await self._start(self._environment(threads))
        return await _logging(child, log_path)

    async def discard(self) -> None:
        """Stop the child that waits."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            await waiting.child.stop()

    @property
    def pid(self) -> int | None:
        """The process that waits."""
        return None if self._waiting is None else self._waiting.child.pid

    def _fits(self, waiting: _Waiting, threads: int | None) -> bool:
        return waiting.usable and waiting.environment == self._environment(threads)

    def _environment(self, threads: int | None) -> dict[str, str]:
        """All of the environment but for what names the child's own folder."""
        return child_environment(os.environ, self._placeholder, self._cache, threads)

    async def _start(self, environment: Mapping[str, str], *, launches: bool = False) -> ChildProcess:
        # Short, see environment.py.
        folder = self._folder / f"{next(self._names)}"
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True)
        placeholder = str(self._placeholder)
        own = {name: str(folder) if value == placeholder else value for name, value in environment.items()}
        try:
            return await ChildProcess.start(
                folder, own, hiding(os.environ), owns_folder=True, launches=launches
            )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


async def _logging(child: ChildProcess, log_path: Path) -> ChildProcess:
    try:
        child.log_to(log_path)
    except BaseException:
        await child.stop()
        raise
    return child
