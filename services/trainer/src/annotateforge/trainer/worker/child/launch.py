"""Starts the processes that train one model together, hears them, and ends all of them when one ends.

Without that a process that is gone would leave the others waiting for it for hours. Whatever happens to one
happens to the training: its failure is told as the training's, and a signal that ended it ends this process
too, so that the worker sees what it would have seen of a training in one process.
"""

import faulthandler
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from annotateforge.api.trainer.v1.job_pb2 import Failure
from annotateforge.trainer.worker.child import place, weights
from annotateforge.trainer.worker.child.place import Place
from annotateforge.trainer.worker.child.reporting import Reporting
from annotateforge.trainer.worker.frames import Frame, FrameReader, Kind
from annotateforge.trainer.worker.order import TrainingOrder

LINGER = 10.0
"""Seconds that the others get when one has ended: the first may still be writing the last state."""

_MODULE = "annotateforge.trainer.worker.child"
_CHUNK = 64 * 1024
_LAST_FRAMES = 5.0
"""Seconds for what an ended process has told; its loaders may hold the pipe open."""


@dataclass(frozen=True)
class End:
    """How one of the processes ended."""

    rank: int
    code: int
    """Exit code, negative for a signal."""
    failure: Failure | None = None
    """What it told."""


class Ended(Exception):
    """A process ended without a model, and with it the training."""

    def __init__(self, end: End, device: str) -> None:
        super().__init__(f"the process of device {device} ended with {end.code}")
        self.failure = end.failure
        self.code = end.code

    def exit_as_it_did(self) -> int:
        """The exit code; does not come back when a signal ended it."""
        if self.failure is None and self.code < 0:
            sys.stdout.flush()
            sys.stderr.flush()
            faulthandler.disable()
            if -self.code != signal.SIGKILL:
                signal.signal(-self.code, signal.SIG_DFL)
            os.kill(os.getpid(), -self.code)
        return max(self.code, 1)


def train_together(order: TrainingOrder, reporting: Reporting) -> None:
    """Train in a process for each device of the order, and report what the first one reports, TRAINED
    included. Ended when one of them ends otherwise; then none is left.
    """
    weights.fetch(order)
    # Once is enough, and they would be in each other's way.
    order = replace(order, allow_downloads=False)
    place.RENDEZVOUS.unlink(missing_ok=True)
    size = len(order.devices)
    told: queue.SimpleQueue[tuple[int, Frame | End]] = queue.SimpleQueue()
    members: list[_Member] = []
    try:
        for rank in range(size):
            members.append(_Member.start(Place(rank, size), order, told))
        ends, trained = _hear(size, told, reporting)
    finally:
        for member in members:
            member.kill()
    if trained is not None:
        reporting.pass_on(trained)
        return
    end = verdict(ends)
    for one in ends:
        print(f"The process of device {order.devices[one.rank]} (rank {one.rank}) ended: {_how(one)}.")
    raise Ended(end, order.devices[end.rank])


def verdict(ends: Sequence[End]) -> End:
    """Of the ends of all, in their order, the one that explains the others: the first that was not only
    because another process was gone.
    """
    unlike = [end for end in ends if end.code and end.code != place.LOST_ANOTHER]
    return (unlike or [end for end in ends if end.code] or list(ends))[0]


def _how(end: End) -> str:
    if end.failure is not None:
        return end.failure.reason
    if end.code == place.LOST_ANOTHER:
        return "another one was gone"
    return f"signal {-end.code}" if end.code < 0 else f"exit code {end.code}"


def _hear(
    size: int, told: "queue.SimpleQueue[tuple[int, Frame | End]]", reporting: Reporting
) -> tuple[list[End], Frame | None]:
    """Pass reports on until all have ended, or one has and the others do not follow. How they ended, and the
    word of the first that the model is trained.
    """
    ends: list[End] = []
    trained: Frame | None = None
    deadline: float | None = None
    while len(ends) < size:
        try:
            rank, what = told.get(timeout=None if deadline is None else max(0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if isinstance(what, End):
            ends.append(what)
        elif rank == 0 and what[0] is Kind.TRAINED:
            trained = what
        elif rank == 0:
            reporting.pass_on(what)
        if deadline is None and (trained is not None or any(end.code for end in ends)):
            deadline = time.monotonic() + LINGER
    return ends, trained


class _Member:
    """One of the processes."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Use `start`."""
        self._process = process

    @classmethod
    def start(
        cls, at: Place, order: TrainingOrder, told: "queue.SimpleQueue[tuple[int, Frame | End]]"
    ) -> Self:
        """Start it in this process's group, so that it is ended with this one. What it tells, and its end,
        come into the queue.
        """
        read_end, write_end = os.pipe()
        try:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", _MODULE),
                    *("--reports", str(write_end), "--parent", str(os.getpid())),
                ],
                stdin=subprocess.PIPE,
                pass_fds=(write_end,),
                env=place.environment(os.environ, at, order.cores_each if order.on_cpu else None),
            )
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        member = cls(process)
        threading.Thread(target=member._listen, args=(at.rank, read_end, told), daemon=True).start()
        assert process.stdin is not None
        try:
            process.stdin.write(order.to_json())
            process.stdin.flush()
        except BrokenPipeError:
            # It has ended already, and is heard of.
            pass
        return member

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _listen(self, rank: int, pipe: int, told: "queue.SimpleQueue[tuple[int, Frame | End]]") -> None:
        failures: list[Failure] = []
        reading = threading.Thread(target=self._read, args=(rank, pipe, told, failures), daemon=True)
        reading.start()
        code = self._process.wait()
        reading.join(_LAST_FRAMES)
        told.put((rank, End(rank, code, failures[0] if failures else None)))

    @staticmethod
    def _read(
        rank: int,
        pipe: int,
        told: "queue.SimpleQueue[tuple[int, Frame | End]]",
        failures: list[Failure],
    ) -> None:
        frames = FrameReader()
        while data := os.read(pipe, _CHUNK):
            for frame in frames.feed(data):
                if frame[0] is Kind.FAILED:
                    failures.append(Failure.FromString(frame[1]))
                else:
                    told.put((rank, frame))
        os.close(pipe)
