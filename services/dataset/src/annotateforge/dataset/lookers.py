"""Looks at images in processes of their own, which run beside the service on other cores and whose crashes
are not its own.
"""

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence

import structlog

from annotateforge.dataset.fingerprints import UNREADABLE
from annotateforge.dataset.images import ImageFormat
from annotateforge.dataset.looker import READY, request
from annotateforge.runtime.blobs import Buffer
from annotateforge.runtime.errors import Unavailable

COMMAND = (sys.executable, "-m", "annotateforge.dataset.looker")
LONGEST_LOOK = 60.0
"""Seconds that a request may take beside what its images take."""
LONGEST_IMAGE = 10.0
"""Seconds that an image may take: decoding a large one takes one or two."""
IDLE = 30.0
"""Seconds without an image after which the processes end, and give their memory back."""
_PATIENT = 19
"""Niceness of a process that takes what time the machine has left: an import goes on, or a training."""
_COMING = 60.0
_GOING = 5.0
_TRIES = 2
"""Processes that an image must end before it counts as unreadable: one may be killed for other reasons."""

log = structlog.get_logger()

EncodedImage = tuple[Buffer, ImageFormat]


class Lookers:
    """Some processes, each started when it is needed."""

    def __init__(self, count: int, idle: float = IDLE, command: Sequence[str] = COMMAND) -> None:
        """`count`: how many there may be at the same time."""
        self.count = count
        self._command = command
        self._idle_seconds = idle
        self._turns = asyncio.Semaphore(count)
        self._idle: dict[int, list[_Looker]] = {0: [], _PATIENT: []}
        """By niceness."""
        self._ending: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def look(self, images: Sequence[EncodedImage], *, patient: bool = False) -> list[bytes]:
        """The fingerprint of each image; UNREADABLE for one that cannot be decoded, or at which a decoder
        crashes or never ends. `patient`: whether nobody waits for it.
        """
        niceness = _PATIENT if patient else 0
        if not images:
            return []
        async with self._turns:
            idle = self._idle[niceness]
            looker = idle.pop() if idle else await self._start(niceness)
            looks = await self._ask(looker, images)
            if looks is not None:
                return looks
            # The process may have ended long before, or at any of them: that shows when each is looked at
            # alone by a new one.
            return [await self._look_alone(image, niceness) for image in images]

    async def _look_alone(self, image: EncodedImage, niceness: int) -> bytes:
        for _ in range(_TRIES):
            looks = await self._ask(await self._start(niceness), [image])
            if looks is not None:
                return looks[0]
        log.error("an image ends whoever decodes it and counts as unreadable", bytes=len(image[0]))
        return UNREADABLE

    async def _ask(self, looker: "_Looker", images: Sequence[EncodedImage]) -> list[bytes] | None:
        """The answer of a process; None when it has ended, or does not answer in time."""
        try:
            async with asyncio.timeout(LONGEST_LOOK + LONGEST_IMAGE * len(images)):
                looks = await looker.ask(images)
        except (OSError, EOFError, TimeoutError):
            status = await looker.end(at_once=True)
            log.warning("a process that looks at images was lost", exit_status=status)
            return None
        except BaseException:
            # Its next answer would be the one to this request.
            await looker.end(at_once=True)
            raise
        idle = self._idle[looker.niceness]
        if len(idle) < self.count:
            idle.append(looker)
            self._end_when_idle()
        else:
            await looker.end()
        return looks

    async def _start(self, niceness: int) -> "_Looker":
        return await _start(self._command, niceness)

    def _end_when_idle(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        self._ending = asyncio.get_running_loop().call_later(self._idle_seconds, self._end_idle)

    def _end_idle(self) -> None:
        idle = [looker for each in self._idle.values() for looker in each]
        for each in self._idle.values():
            each.clear()
        for looker in idle:
            task = asyncio.create_task(_end(looker))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End all processes. Nobody looks any more."""
        if self._ending is not None:
            self._ending.cancel()
        self._end_idle()
        await asyncio.gather(*self._tasks)


class _Looker:
    """One process and the socket that is its standard input and output."""

    def __init__(
        self,
        niceness: int,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.niceness = niceness
        self._process = process
        self._reader = reader
        self._writer = writer

    async def be_ready(self) -> None:
        """Wait until the process has started. OSError or EOFError when it ends."""
        await self._reader.readexactly(len(READY))

    async def ask(self, images: Sequence[EncodedImage]) -> list[bytes]:
        """The fingerprints of some images. OSError or EOFError when the process ends."""
        self._writer.writelines(request(images))
        await self._writer.drain()
        looks = []
        for _ in images:
            (length,) = await self._reader.readexactly(1)
            looks.append(await self._reader.readexactly(length))
        return looks

    async def end(self, *, at_once: bool = False) -> int:
        """End the process, which goes by itself once its input has ended and it has answered; its exit
        status.
        """
        if at_once:
            self._process.kill()
            self._writer.transport.abort()
        else:
            self._writer.close()
        try:
            return await asyncio.to_thread(self._process.wait, _GOING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return await asyncio.to_thread(self._process.wait)


async def _start(command: Sequence[str], niceness: int) -> _Looker:
    """A process that is ready. Unavailable LOOKER_NOT_STARTED; OSError where there can be no process."""
    ours, theirs = socket.socketpair()
    # Not by the event loop: uvloop forks, and what gRPC does around a fork has crashed processes.
    process = await asyncio.to_thread(_spawn, (*command, str(niceness)), theirs)
    looker = _Looker(niceness, process, *await asyncio.open_connection(sock=ours))
    try:
        async with asyncio.timeout(_COMING):
            await looker.be_ready()
    except BaseException as error:
        await looker.end(at_once=True)
        if isinstance(error, (OSError, EOFError)):
            raise Unavailable(
                "LOOKER_NOT_STARTED",
                "A process that looks at images could not be started. Is there memory left on the machine?",
            ) from error
        raise
    return looker


def _spawn(command: Sequence[str], connection: socket.socket) -> subprocess.Popen[bytes]:
    with connection:
        return subprocess.Popen(command, stdin=connection.fileno(), stdout=connection.fileno())


async def _end(looker: _Looker) -> None:
    await looker.end()


@contextlib.asynccontextmanager
async def looking(count: int, idle: float = IDLE, command: Sequence[str] = COMMAND) -> AsyncIterator[Lookers]:
    """Lookers for the time of the context; no process is left after it."""
    lookers = Lookers(count, idle, command)
    try:
        yield lookers
    finally:
        await lookers.close()
