"""Runs one of our own processes (a service, the gateway, a worker) as a child."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from annotateforge.local import tether
from annotateforge.local.engine import EngineError, ExitCallback
from annotateforge.local.log_limit import limited

START_TIMEOUT = 120.0
"""Seconds within which a process must be ready; the first import of torch may take most of them."""
STOP_TIMEOUT = 6.0
"""Seconds that a process is given after SIGTERM before it is killed."""

_LOG_LINES = 20


@dataclass(frozen=True)
class ServiceProgram:
    """A module to run with `python -m`, and its settings."""

    name: str
    module: str
    environment: Mapping[str, str]
    """All its environment variables."""
    log: Path
    """Where its output goes, up to a limit; `previous_log` has what came before, or the run before."""

    @property
    def previous_log(self) -> Path:
        """Where the output before is."""
        return self.log.with_suffix(".previous.log")

    def log_tail(self) -> str:
        """Return the last lines of the output, to be shown with an error."""
        with suppress(FileNotFoundError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
        return ""


@asynccontextmanager
async def service_process(
    program: ServiceProgram, *, listen: str | None, on_exit: ExitCallback
) -> AsyncIterator[str]:
    """Run a process while the context lasts and give the address at which it answers.

    listen: host:port to listen on, None for a process that serves nothing (its address is empty).
    on_exit: called with the exit status when the process ends without having been asked.

    The process runs in a session of its own, so that a Ctrl-C in the terminal reaches only us, and gets
    SIGTERM when we die ourselves. What it started and left behind in its session is killed after it. Raises
    EngineError with the end of its log when it does not become ready.
    """
    ready, ready_write = os.pipe()
    try:
        process = await _spawn(program, listen, ready_write)
    except BaseException:
        os.close(ready)
        raise
    finally:
        os.close(ready_write)
    try:
        address = await _ready(program, process, ready)
        watchers = [
            asyncio.create_task(_watch(process, on_exit)),
            asyncio.create_task(limited(program.log, program.previous_log)),
        ]
        try:
            yield address
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.wait(watchers)
    finally:
        try:
            await _stop(process)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


async def _spawn(program: ServiceProgram, listen: str | None, ready: int) -> asyncio.subprocess.Process:
    program.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        program.log.replace(program.previous_log)
    environment = {**program.environment, "ANNOTATEFORGE_READY_FD": str(ready)}
    if listen is not None:
        environment["ANNOTATEFORGE_LISTEN"] = listen
    launcher = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(int(signal.SIGTERM)), "-"]
    # For appending: see log_limit.py.
    with program.log.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *launcher,
            sys.executable,
            "-m",
            program.module,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            pass_fds=[ready],
            start_new_session=True,
        )


async def _ready(program: ServiceProgram, process: asyncio.subprocess.Process, descriptor: int) -> str:
    """Read what the process writes once it is ready; an early end of it closes the pipe."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    try:
        async with asyncio.timeout(START_TIMEOUT):
            line = await reader.readline()
            if line.endswith(b"\n"):
                return str(orjson.loads(line)["address"])
            status = await process.wait()
    except TimeoutError:
        raise EngineError(
            f"{program.name} was not ready after {START_TIMEOUT:.0f} s.\n{program.log_tail()}"
        ) from None
    finally:
        transport.close()
    raise EngineError(f"{program.name} ended with exit status {status} while starting.\n{program.log_tail()}")


async def _watch(process: asyncio.subprocess.Process, on_exit: ExitCallback) -> None:
    on_exit(await process.wait())


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the process in good order, or after STOP_TIMEOUT, or when we are cancelled, at once."""
    if process.returncode is not None:
        return
    try:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_TIMEOUT):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
