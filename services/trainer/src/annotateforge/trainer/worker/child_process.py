"""The child as its worker sees it: start it, tell it what to train, hear its frames, stop it."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Self

import psutil

from annotateforge.runtime.tasks import to_its_end
from annotateforge.trainer.worker.frames import Frame, FrameReader
from annotateforge.trainer.worker.log_file import LogFile
from annotateforge.trainer.worker.log_tail import LogTail
from annotateforge.trainer.worker.order import TrainingOrder

PATIENCE = 2.0
"""Seconds that a child gets to end after SIGTERM."""

_MODULE = "annotateforge.trainer.worker.child"
_CHUNK = 64 * 1024
_LOOK = 0.5
"""Seconds between two looks whether the child has ended."""


class ChildProcess:
    """A child that is running, in a process group of its own with whatever it starts."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reports: asyncio.StreamReader,
        connection: asyncio.StreamWriter,
        log: LogTail,
    ) -> None:
        """Use `start`."""
        self._process = process
        self._reports = reports
        self._connection = connection
        self._log_file: LogFile | None = None
        self._owned: Path | None = None
        self.log = log
        """What it prints."""
        self._printing = asyncio.create_task(self._read_output())
        self._clearing = asyncio.create_task(self._clear_up())

    @classmethod
    async def start(
        cls,
        folder: Path,
        environment: Mapping[str, str],
        hide: Callable[[str], str] = str,
        *,
        owns_folder: bool = False,
        launches: bool = False,
    ) -> Self:
        """Start a child with `folder` as its working directory. It imports what it needs and waits for its
        order. `hide` answers a line of its output without what nobody should see. A folder that it owns goes
        when it is stopped. One that launches gets an order for several devices, and imports nothing itself.
        """
        # Not a pipe: uvloop closes the descriptor of one twice, and the second time it may be that of a file
        # which a thread has just opened.
        ours, theirs = socket.socketpair()
        try:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", _MODULE, "--reports", str(theirs.fileno()), "--parent", str(os.getpid())),
                *(["--launches"] if launches else []),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )
        except BaseException:
            writer.close()
            raise
        finally:
            theirs.close()
        child = cls(process, reader, writer, LogTail(hide))
        child._owned = folder if owns_folder else None
        return child

    def log_to(self, path: Path) -> None:
        """Write what it prints, and has printed so far, to a file."""
        self._log_file = LogFile(path)
        self.log.tell(self._log_file.write)

    @property
    def pid(self) -> int:
        """Its process id, and its group's."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet, also when nobody has noticed that so far."""
        if self._process.returncode is not None:
            return False
        try:
            return psutil.Process(self._process.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    async def give(self, order: TrainingOrder) -> None:
        """Tell it what to train. A child that has ended is found out by its frames."""
        assert self._process.stdin is not None
        # uvloop tells of a closed pipe by a RuntimeError.
        with contextlib.suppress(ConnectionError, RuntimeError):
            self._process.stdin.write(order.to_json())
            await self._process.stdin.drain()

    async def frames(self) -> AsyncIterator[Frame]:
        """What it reports until it ends. BrokenFrames when that makes no sense."""
        reader = FrameReader()
        while data := await self._reports.read(_CHUNK):
            for frame in reader.feed(data):
                yield frame

    async def _clear_up(self) -> None:
        """End what the child has started once it is gone: loaders hold the pipe of its frames open."""
        while self._process.returncode is None:
            # Python 3.12 and later wait for its output's end, too, which loaders hold open as well.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._process.wait()
        self._signal(signal.SIGKILL)

    async def ended(self) -> int:
        """Wait for its end; the exit code, negative for a signal. Then `log` has all that it printed."""
        code = await self._process.wait()
        # Loaders that outlive it would hold its output open.
        self._signal(signal.SIGKILL)
        await asyncio.wait([self._printing], timeout=PATIENCE)
        return code

    async def stop(self) -> None:
        """End it with all that it started: politely, and after `PATIENCE` for sure. Harmless when it has
        ended. Nothing of it is left afterwards, however often the caller is cancelled meanwhile.
        """
        try:
            if self._process.returncode is None:
                self._signal(signal.SIGTERM)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PATIENCE):
                        await self._process.wait()
        finally:
            await to_its_end(self._put_away())

    async def _put_away(self) -> None:
        """End it for sure, and what is kept for it."""
        try:
            self._signal(signal.SIGKILL)
            await self._process.wait()
            await asyncio.wait([self._printing], timeout=PATIENCE)
        finally:
            self._printing.cancel()
            self._clearing.cancel()
            self._connection.close()
            if self._log_file is not None:
                self._log_file.close()
            if self._owned is not None:
                await asyncio.to_thread(shutil.rmtree, self._owned, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def _read_output(self) -> None:
        assert self._process.stdout is not None
        while data := await self._process.stdout.read(_CHUNK):
            self.log.feed(data)
        self.log.close()
