"""What keeps an attempt from going on, and not the job: another attempt takes over from the checkpoint."""

import contextlib
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from annotateforge.api.trainer.v1.job_pb2 import Failure
from annotateforge.trainer.worker.failures import of_ended_child

_COUNTERS = (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat"))
"""Where Linux counts the processes that it has killed because memory ran out: in this container, in all."""

_SMALLER_HINT = (
    "Nothing needs to be done. To train faster, choose a smaller image size or model, or a device with more "
    "memory."
)


@dataclass(frozen=True)
class Interrupted:
    """An attempt has ended, and another one can go on."""

    failure: Failure
    batch_size: int = 0
    """Images in a batch from now on; 0 as before."""


@dataclass(frozen=True)
class KilledForMemory:
    """How many processes the kernel had killed because memory ran out."""

    counts: tuple[int, ...]
    """Empty where the system does not tell."""

    @classmethod
    def now(cls) -> Self:
        """The counts at this moment."""
        return cls(tuple(count for path in _COUNTERS if (count := _oom_kills(path)) is not None))

    def since(self, before: "KilledForMemory") -> bool:
        """Whether there were any since then; also where the system does not tell, since nothing else kills
        with SIGKILL so often.
        """
        return not self.counts or self.counts != before.counts


def of_failure(failure: Failure, batch_size: int, devices: int = 1) -> Failure | Interrupted:
    """What becomes of a failure that the child told: with half the batch memory may suffice. Each of several
    devices keeps as many images of it as the others.
    """
    if failure.reason == "OUT_OF_MEMORY" and batch_size >= 2 * devices:
        smaller = batch_size // devices // 2 * devices
        told = Failure()
        told.CopyFrom(failure)
        told.message = (
            f"{failure.message} Batches have {smaller} images from now on, not {batch_size}; the optimizer "
            "still learns from as many at a time."
        )
        told.hint = _SMALLER_HINT
        return Interrupted(told, smaller)
    return failure


def of_exit(exit_code: int, batch_size: int, devices: int = 1, *, for_memory: bool) -> Failure | Interrupted:
    """What becomes of a child that ended without saying how."""
    if exit_code == -signal.SIGKILL and for_memory:
        return of_failure(of_ended_child(exit_code), batch_size, devices)
    if exit_code < 0:
        name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else str(-exit_code)
        return Interrupted(
            Failure(
                reason="TRAINING_KILLED",
                message=f"The training process was ended by the signal {name}.",
                hint="See the log's end and the machine's log for who did it.",
            )
        )
    return of_ended_child(exit_code)


def of_silence(seconds: float) -> Interrupted:
    """A child that hangs."""
    return Interrupted(
        Failure(
            reason="STALLED",
            message=f"The training process did nothing for {seconds:.0f} s and was ended.",
            hint="If it happens again, try another number of loader_workers, and look at the machine's GPU "
            "and disk.",
        )
    )


def _oom_kills(path: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return None
