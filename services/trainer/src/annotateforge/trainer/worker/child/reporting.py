"""What the training tells its worker, as frames on the pipe."""

import threading

from annotateforge.api.trainer.v1.event_pb2 import (
    CheckpointSaved,
    EpochStart,
    Progress,
    TrainingComplete,
    Warning,
)
from annotateforge.api.trainer.v1.job_pb2 import Epoch, Failure
from annotateforge.api.trainer.v1.worker_service_pb2 import Report, TrainingStarted
from annotateforge.trainer.worker.frames import Frame, Kind, write_frame


class Reporting:
    """Writes each message as one frame, whichever thread it comes from."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._warned: set[str] = set()

    def training_started(self, device: str) -> None:
        self._report(Report(training_started=TrainingStarted(device=device)))

    def epoch_start(self, epoch: int, total_epochs: int) -> None:
        self._report(Report(epoch_start=EpochStart(epoch=epoch, total_epochs=total_epochs)))

    def progress(self, progress: Progress) -> None:
        self._report(Report(progress=progress))

    def epoch_complete(self, epoch: Epoch) -> None:
        self._report(Report(epoch_complete=epoch))

    def warning(self, reason: str, message: str, hint: str = "") -> None:
        self._report(Report(warning=Warning(reason=reason, message=message, hint=hint)))

    def warning_once(self, reason: str, message: str, hint: str = "") -> None:
        """As `warning`, but the first time only that the reason comes up."""
        if reason not in self._warned:
            self._warned.add(reason)
            self.warning(reason, message, hint)

    def checkpoint(self, epoch: int) -> None:
        self._write(Kind.CHECKPOINT, CheckpointSaved(epoch=epoch).SerializeToString())

    def trained(self, result: TrainingComplete) -> None:
        self._write(Kind.TRAINED, result.SerializeToString())

    def failed(self, failure: Failure) -> None:
        self._write(Kind.FAILED, failure.SerializeToString())

    def pass_on(self, frame: Frame) -> None:
        """Write a frame of another process as it is."""
        self._write(*frame)

    def _report(self, report: Report) -> None:
        report.time.GetCurrentTime()
        self._write(Kind.REPORT, report.SerializeToString())

    def _write(self, kind: Kind, payload: bytes) -> None:
        with self._lock:
            write_frame(self._descriptor, kind, payload)
