"""Why an attempt ends without a model, as far as the worker and its child say it alike."""

import errno
import signal

from annotateforge.api.trainer.v1.job_pb2 import Failure
from annotateforge.runtime.errors import DomainError

_MEMORY_HINT = "Choose a smaller batch size, a smaller image size or a smaller model."
_INTERNAL_HINT = "The log's end shows where. Restart the job; if it fails again, report it with the log."
_FULL = (errno.ENOSPC, errno.EDQUOT)


class ContentDamaged(Exception):
    """Bytes that a service sent are not those that it announced."""


def out_of_memory(message: str) -> Failure:
    """It needs more memory than there is."""
    return Failure(reason="OUT_OF_MEMORY", message=message, hint=_MEMORY_HINT)


def disk_full() -> Failure:
    """The worker's disk is full."""
    return Failure(
        reason="DISK_FULL",
        message="The worker's disk is full.",
        hint="Free space in the worker's folder, or give it a larger disk, and restart the job.",
    )


def internal(message: str) -> Failure:
    """Nothing that is known."""
    return Failure(reason="INTERNAL", message=message, hint=_INTERNAL_HINT)


def of_worker(message: str) -> Failure:
    """A fault of the worker, or of the trainer as it sees it, which says nothing of the job."""
    return Failure(
        reason="WORKER_LOST",
        message=message,
        hint="If it happens again, look into the worker's log for what failed.",
    )


def is_disk_full(error: BaseException) -> bool:
    """Whether the system says that there is no space left, or no more for this user."""
    return isinstance(error, OSError) and error.errno in _FULL


def of_ended_child(exit_code: int) -> Failure:
    """The failure of a child that ended without saying how; `exit_code` is negative for a signal."""
    if exit_code == -signal.SIGKILL:
        return out_of_memory(
            "The training process was killed (SIGKILL), most probably by the operating system because memory "
            "ran out."
        )
    if exit_code < 0:
        name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else str(-exit_code)
        return internal(f"The training process was ended by the signal {name}.")
    return internal(f"The training process ended with exit code {exit_code} without a result.")


def of_error(error: Exception) -> Failure:
    """The failure of an attempt that the worker itself could not carry through."""
    if isinstance(error, DomainError):
        return Failure(
            reason=error.reason,
            message=error.message,
            hint="Restart the job when the cause is gone.",
        )
    if isinstance(error, ContentDamaged):
        return Failure(
            reason="DOWNLOAD_DAMAGED",
            message=f"What came from a service is not what it should be: {error}",
            hint="Restart the job; if it fails again, the stored images or weights are damaged.",
        )
    if is_disk_full(error):
        return disk_full()
    return internal(f"The worker could not go on: {type(error).__name__}: {error}")
