"""Whether there is a worker for a job's device."""

from collections.abc import Iterable

from annotateforge.api.trainer.v1.event_pb2 import Warning
from annotateforge.api.trainer.v1.worker_pb2 import Worker


def warning_of_no_worker(device: str, online: Iterable[Worker]) -> Warning | None:
    """What to tell the maker of a job for whose device no online worker is there; None where one is.

    device: of the job's config; empty for any, for which a worker is expected to come up sooner or later.
    """
    devices = sorted({found.name for worker in online for found in worker.devices})
    if not device or device in devices:
        return None
    known = f"those that are online have {', '.join(devices)}" if devices else "none is online"
    return Warning(
        reason="NO_WORKER_FOR_DEVICE",
        message=f"No worker has the device {device!r}; {known}. The job waits until one comes.",
        hint="Start a worker with that device, or cancel the job and leave the device out.",
    )
