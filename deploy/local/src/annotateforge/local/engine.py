"""Runs an engine that the installation brings along (Postgres, NATS) as a child process.

An engine has a directory of its own, and holds a lock on it for as long as any process of it lives: the
lock's file descriptor is handed down to the engine and to whatever it forks. Whoever gets the lock therefore
knows that nothing of an earlier run, however it ended, still writes there.
"""

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from annotateforge.local import tether

T = TypeVar("T")
ExitCallback = Callable[[int], None]

# Seconds that the engine of an earlier run is given to end.
LOCK_TIMEOUT = 10.0
_LOG_LINES = 20
_PROBE_INTERVAL = 0.02
_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}


class EngineError(Exception):
    """An engine cannot be started or has ended by itself; the text carries the last lines of its log."""


@dataclass(frozen=True)
class Identity:
    """The user and group that an engine runs as, where that is not our own."""

    uid: int
    gid: int


@dataclass(frozen=True)
class EngineDirectory:
    """The directory of one engine, locked; made by `locked_directory`."""

    name: str
    path: Path
    lock: int

    @property
    def log(self) -> Path:
        """Where the engine's output of this run goes; see `previous_log` for the run before."""
        return self.path / "log"

    def log_tail(self) -> str:
        """Return the last lines of the engine's output, to be shown with an error."""
        with suppress(FileNotFoundError):
            lines = self.log.read_text(errors="replace").splitlines()
            return "\n".join(lines[-_LOG_LINES:])
        return ""


def previous_log(path: Path) -> Path:
    """Where the output of the run before lies in an engine's directory."""
    return path / "log.previous"


@asynccontextmanager
async def locked_directory(name: str, path: Path) -> AsyncIterator[EngineDirectory]:
    """Make and lock the directory of an engine.

    Waits up to LOCK_TIMEOUT for an earlier run that is still shutting down, then raises EngineError.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (path / "lock").open("ab") as file:
        await _lock(file, name, path)
        yield EngineDirectory(name, path.resolve(), file.fileno())


@asynccontextmanager
async def running(
    directory: EngineDirectory,
    command: Sequence[str],
    *,
    probe: Callable[[int], Awaitable[T | None]],
    identity: Identity | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    start_timeout: float = 30.0,
    stop_timeout: float = 10.0,
    on_exit: ExitCallback | None = None,
) -> AsyncIterator[T]:
    """Run an engine while the context lasts.

    command: program and arguments; it runs in a session of its own, so that a Ctrl-C in the terminal reaches
        only us.
    probe: asks the engine whether it is ready, given its process id; None means not yet. Its answer is the
        context's.
    stop_signal: asks the engine to stop in good order; after `stop_timeout` seconds it is killed. The engine
        also gets it when we die ourselves (on Linux; to be exact, when the thread that started it ends).
    on_exit: called with the exit status when the engine ends without having been asked.

    Raises EngineError when the engine ends before it is ready or is not ready after `start_timeout` seconds.
    """
    process = await _spawn(directory, command, identity, stop_signal)
    try:
        answer = await _ready(directory, process, probe, start_timeout)
        watcher = asyncio.create_task(_watch(process, on_exit))
        try:
            yield answer
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
    finally:
        await _stop(process, stop_signal, stop_timeout)


async def run_to_end(
    directory: EngineDirectory, command: Sequence[str], *, identity: Identity | None = None, timeout: float
) -> None:
    """Run a set-up program of an engine; raises EngineError when it fails or takes over `timeout` seconds."""
    process = await _spawn(directory, command, identity, signal.SIGKILL)
    program = Path(command[0]).name
    try:
        async with asyncio.timeout(timeout):
            status = await process.wait()
    except TimeoutError:
        raise EngineError(f"{program} took longer than {timeout:.0f} s.\n{directory.log_tail()}") from None
    finally:
        await _stop(process, signal.SIGKILL, timeout)
    if status != 0:
        raise EngineError(f"{program} failed with exit status {status}.\n{directory.log_tail()}")


async def _lock(file: IO[bytes], name: str, path: Path) -> None:
    try:
        async with asyncio.timeout(LOCK_TIMEOUT):
            while True:
                with suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                await asyncio.sleep(_PROBE_INTERVAL)
    except TimeoutError:
        raise EngineError(
            f"{name} is already running on {path}. Stop it, or choose another directory."
        ) from None


async def _spawn(
    directory: EngineDirectory,
    command: Sequence[str],
    identity: Identity | None,
    death_signal: signal.Signals,
) -> asyncio.subprocess.Process:
    with suppress(FileNotFoundError):
        directory.log.replace(previous_log(directory.path))
    owner = "-" if identity is None else f"{identity.uid}:{identity.gid}"
    launcher = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(int(death_signal)), owner]
    # A file, not a pipe: nobody has to keep reading it, and it survives us.
    with directory.log.open("wb") as log:
        return await asyncio.create_subprocess_exec(
            *launcher,
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_ENVIRONMENT,
            cwd=directory.path,
            pass_fds=[directory.lock],
            start_new_session=True,
        )


async def _ready(
    directory: EngineDirectory,
    process: asyncio.subprocess.Process,
    probe: Callable[[int], Awaitable[T | None]],
    timeout: float,
) -> T:
    name = directory.name
    try:
        async with asyncio.timeout(timeout):
            while process.returncode is None:
                answer = await probe(process.pid)
                if answer is not None:
                    return answer
                await asyncio.sleep(_PROBE_INTERVAL)
    except TimeoutError:
        raise EngineError(f"{name} was not ready after {timeout:.0f} s.\n{directory.log_tail()}") from None
    status = process.returncode
    raise EngineError(f"{name} ended with exit status {status} while starting.\n{directory.log_tail()}")


async def _watch(process: asyncio.subprocess.Process, on_exit: ExitCallback | None) -> None:
    status = await process.wait()
    if on_exit is not None:
        on_exit(status)


async def _stop(process: asyncio.subprocess.Process, stop_signal: signal.Signals, timeout: float) -> None:
    if process.returncode is not None:
        return
    try:
        with suppress(ProcessLookupError):
            process.send_signal(stop_signal)
        async with asyncio.timeout(timeout):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
