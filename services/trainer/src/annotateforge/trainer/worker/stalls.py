"""Notices a training that hangs."""

import asyncio
import statistics
from collections import deque
from dataclasses import dataclass

from annotateforge.api.trainer.v1.event_pb2 import Progress
from annotateforge.api.trainer.v1.worker_service_pb2 import Report

_TICK = 1.0
_REMEMBERED = 101


@dataclass(frozen=True)
class Patience:
    """How long nothing may come of a training."""

    seconds: float
    """At least so long."""
    batches: float
    """At least so many times the median time of a batch."""
    first: float
    """Seconds until training starts: data sets are read through, and that takes its time."""

    @property
    def first_batch(self) -> float:
        """Seconds for the first batch, of which nobody knows yet how long it takes."""
        return min(self.seconds * self.batches, max(self.first, self.seconds))


class StallWatch:
    """Counts the silence of one training process.

    It counts ticks of its own, not the clock: when the machine slept, or the worker was stopped, the training
    could not be heard either.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._tick = min(_TICK, patience.seconds / 10)
        self._now = 0.0
        self._heard = 0.0
        self._batches: deque[float] = deque(maxlen=_REMEMBERED)
        self._started = False
        self._begun = False
        self._last: tuple[Progress, float] | None = None

    def hear(self, report: Report | None, at: float) -> None:
        """Something came at the time `at` (seconds of any clock): a report, or anything else."""
        self._heard = self._now
        if report is None:
            return
        progress = report.progress
        # By then all images were read through.
        self._started |= report.HasField("epoch_start")
        # Epochs of a moment are over before any progress is due.
        self._begun |= report.HasField("epoch_complete")
        if progress.stage not in ("training", "validating"):
            return
        self._begun = True
        if self._last is not None:
            before, then = self._last
            same = (before.stage, before.epoch) == (progress.stage, progress.epoch)
            if same and progress.done > before.done:
                self._batches.append((at - then) / (progress.done - before.done))
        self._last = progress, at

    @property
    def limit(self) -> float:
        """Seconds of silence that are borne now."""
        if self._started and not self._begun:
            return self._patience.first_batch
        if not self._begun:
            return max(self._patience.first, self._patience.seconds)
        median = statistics.median(self._batches) if self._batches else 0.0
        return max(self._patience.seconds, self._patience.batches * median)

    async def stalled(self) -> float:
        """Wait until nothing came for too long; the seconds."""
        while self._now - self._heard <= self.limit:
            await asyncio.sleep(self._tick)
            self._now += self._tick
        return self._now - self._heard
