"""Keeps parts running: starts them in order, starts again what has crashed, stops all in reverse."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from annotateforge.local.engine import ExitCallback

FIRST_PAUSE = 0.2
"""Seconds before a crashed part is started again; doubled with every crash in a row."""
LONGEST_PAUSE = 15.0
STEADY_AFTER = 30.0
"""Seconds after which a part that runs is no longer taken to be crashing in a row."""
STOP_WITHIN = 9.0
"""Seconds within which all parts have stopped; those that do not stop by themselves are killed."""
KEPT_FOR_THE_FIRST_STAGE = 3.0
"""Seconds of them that the first stage has at least: databases end last and should end well."""

_BETWEEN_CANCELS = 0.1


class Part(Protocol):
    """Something to keep running."""

    @property
    def name(self) -> str:
        """The name shown to people."""

    @property
    def previous_log(self) -> Path:
        """Where the output of a run is once the part has been started again."""

    def running(self, on_exit: ExitCallback) -> AbstractAsyncContextManager[str]:
        """Run it while the context lasts and give its address; raises EngineError when it does not start.

        Entered again after a crash, it must come up at the same address.
        """


class Change(Enum):
    """What became of a part."""

    READY = "ready"
    CRASHED = "crashed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Notice:
    """Something to tell the person in front of the terminal."""

    part: str
    change: Change
    detail: str
    """The address when ready; when crashed, the exit status or why it could not be started again."""
    log: Path
    """Where a part that crashed has left its last words."""


Tell = Callable[[Notice], None]


class Supervisor:
    """Runs stages of parts. The parts of a stage start together, once those of the stage before are ready."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._stages: list[list[_Kept]] = []

    async def start(self, parts: Sequence[Part]) -> list[str]:
        """Start a stage and give its parts' addresses; raises EngineError when one of them does not start."""
        stage = [_Kept(part, self._tell) for part in parts]
        self._stages.append(stage)
        return list(await asyncio.gather(*(kept.start() for kept in stage)))

    async def stop(self) -> None:
        """Stop all parts within STOP_WITHIN seconds, the last stage first, the parts of a stage together."""
        end = asyncio.get_running_loop().time() + STOP_WITHIN
        while self._stages:
            stage = self._stages.pop()
            deadline = end - KEPT_FOR_THE_FIRST_STAGE if self._stages else end
            await asyncio.gather(*(kept.stop(deadline) for kept in stage), return_exceptions=True)


class _Kept:
    """One part with the task that keeps it running."""

    def __init__(self, part: Part, tell: Tell) -> None:
        self._part = part
        self._tell = tell
        self._stopping = asyncio.Event()
        self._first: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None
        self._running = False

    async def start(self) -> str:
        self._task = asyncio.create_task(self._keep(), name=f"keep {self._part.name}")
        return await asyncio.shield(self._first)

    async def stop(self, deadline: float) -> None:
        """Stop it; after the deadline, in the event loop's time, it is killed."""
        self._stopping.set()
        if self._task is None:
            return
        if not self._running:
            # It may still wait for the part to come up, which can take as long as the part likes.
            self._task.cancel()
        patience = max(0.0, deadline - asyncio.get_running_loop().time())
        await asyncio.wait([self._task], timeout=patience)
        while not self._task.done():
            # A part that is cancelled begins to stop; one that is cancelled while it stops kills its process.
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_BETWEEN_CANCELS)
        with suppress(asyncio.CancelledError):
            self._task.result()

    def _notify(self, change: Change, detail: str = "") -> None:
        self._tell(Notice(self._part.name, change, detail, self._part.previous_log))

    async def _keep(self) -> None:
        try:
            await self._keep_running()
        finally:
            # Nobody waits for ever for what does not come up any more.
            self._first.cancel()

    async def _keep_running(self) -> None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            began = loop.time()
            try:
                problem = await self._run()
            except Exception as error:
                if not self._first.done():
                    self._first.set_exception(error)
                    return
                problem = str(error) or repr(error)
            if problem is None:
                break
            pause = FIRST_PAUSE if loop.time() - began > STEADY_AFTER else pause
            self._notify(Change.CRASHED, problem)
            await _wait(self._stopping, pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        self._notify(Change.STOPPED)

    async def _run(self) -> str | None:
        """Run the part once, until it ends or is to stop; what it died of, None when it was told to stop."""
        ended = asyncio.Event()
        statuses: list[int] = []

        def on_exit(status: int) -> None:
            statuses.append(status)
            ended.set()

        async with self._part.running(on_exit) as address:
            self._running = True
            self._notify(Change.READY, address)
            if not self._first.done():
                self._first.set_result(address)
            await _either(ended, self._stopping)
            self._running = False
        if self._stopping.is_set():
            return None
        status = statuses[0]
        return f"signal {-status}" if status < 0 else f"exit status {status}"


async def _either(*events: asyncio.Event) -> None:
    """Wait for the first of several events."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most for some seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
