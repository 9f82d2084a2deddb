"""Why a training failed, in the words of `Failure`."""

import shutil
import traceback
from collections.abc import Iterator

from annotateforge.api.trainer.v1.job_pb2 import Failure
from annotateforge.trainer.worker.child.resume_state import ResumeRefused
from annotateforge.trainer.worker.child.tether import OrderInvalid
from annotateforge.trainer.worker.child.weights import WeightsUnavailable
from annotateforge.trainer.worker.failures import disk_full, internal, is_disk_full, out_of_memory

_LITTLE_SPACE = 16 * 1024 * 1024
# CUDA, torch on CPUs, the system, OpenCV.
_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "insufficient memory",
    # Of NumPy in a process that loads images: what it raised is told as text.
    "memoryerror",
    # What CUDA's libraries say when it is they who get none; ultralytics takes it for that, too.
    "cublas_status_alloc_failed",
    "cudnn_status_internal_error",
    "unable to find an engine",
)
# Of a process that loads images, as torch tells it; the last one where it was handing an image over.
_KILLED = ("killed by signal", "bus error", "exited unexpectedly")


class DatasetInvalid(Exception):
    """The data set on the disk is not the one that was ordered."""


class LossDiverged(Exception):
    """The loss was not a number too often."""


def describe(error: BaseException) -> Failure:
    """The failure that an exception of the training is; unknown ones are INTERNAL, with the traceback's last
    line.
    """
    chain = list(_causes(error))
    text = " ".join(str(one) for one in chain)
    lowered = text.lower()
    if isinstance(error, WeightsUnavailable):
        return Failure(
            reason="WEIGHTS_UNAVAILABLE",
            message=str(error),
            hint='Put the file into the worker\'s weights folder, or choose pretrained "auto" or "never".',
        )
    if isinstance(error, ResumeRefused):
        return Failure(
            reason="CHECKPOINT_REFUSED",
            message=f"The training cannot go on from its checkpoint: {error}.",
            hint="Restart the job; it then begins at the beginning.",
        )
    if isinstance(error, OrderInvalid):
        return Failure(
            reason="ORDER_INVALID",
            message=f"The training process does not understand what its worker ordered: {error}",
            hint="Restart the worker: its program was replaced while it ran. Then restart the job.",
        )
    if any(isinstance(one, MemoryError) for one in chain) or any(words in lowered for words in _NO_MEMORY):
        return out_of_memory(f"Memory did not suffice: {_line(error)}")
    if "dataloader worker" in lowered and any(words in lowered for words in _KILLED):
        return out_of_memory(f"A process that loads images was killed: {_line(error)}")
    if _disk_full(chain, lowered):
        return disk_full()
    if isinstance(error, LossDiverged) or "nan persisted" in lowered or "nan/inf" in lowered:
        return Failure(
            reason="LOSS_DIVERGED",
            message=f"Training gave up, because the loss was no number any more: {_line(error)}",
            hint="Lower the learning rate, or leave it out; look for broken labels.",
        )
    if _of_dataset(chain):
        return Failure(
            reason="DATASET_INVALID",
            message=f"ultralytics cannot train on the data set: {_line(error)}",
            hint="Check the data set with datasets:check, mend the images and labels, and restart the job.",
        )
    if isinstance(error, ValueError) and "batchnorm" in lowered:
        return Failure(
            reason="BATCH_TOO_SMALL",
            message=f"The last batch of an epoch has one image, too few at this image size: {_line(error)}",
            hint="Choose another batch size, or an image size of at least 64.",
        )
    if isinstance(error, ValueError) and "'device=" in text:
        return Failure(
            reason="DEVICE_UNAVAILABLE",
            message="The job's device is not there on the worker.",
            hint="Leave the device out, or name one that the list of workers shows.",
        )
    return internal(f"Training ended with an error: {_line(error)}")


def _disk_full(chain: list[BaseException], lowered: str) -> bool:
    if any(map(is_disk_full, chain)):
        return True
    # torch.save tells of its file only that writing failed.
    failed_to_write = "pytorchstreamwriter" in lowered or "no space left" in lowered
    return failed_to_write and shutil.disk_usage(".").free < _LITTLE_SPACE


def _of_dataset(chain: list[BaseException]) -> bool:
    """Whether ultralytics complains of the data: it does so with the built-in exceptions."""
    for one in chain:
        text = str(one)
        if text.startswith(("Dataset '", "No valid images found", "No images found", "No labels found")):
            return True
        if isinstance(one, DatasetInvalid):
            return True
        if isinstance(one, FileNotFoundError) and ("Error loading data" in text or "No images found" in text):
            return True
    return False


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _line(error: BaseException) -> str:
    """The last line of the traceback, on one line."""
    return " ".join("".join(traceback.format_exception_only(error)).split())
