"""How fast an epoch trains, how long it waits for images, and the memory that it takes."""

import os
import time

import psutil
import torch

from annotateforge.api.trainer.v1.job_pb2 import Epoch


class Meter:
    """Measures one epoch after the other; its methods are called where their names say."""

    def __init__(self, *, on_gpu: bool, with_parent: bool) -> None:
        """`with_parent`: whether the process that started this one, and others beside it, belongs to the
        training.
        """
        self._on_gpu = on_gpu
        self._process = psutil.Process(os.getppid() if with_parent else None)
        self._began = self._last = time.monotonic()
        self._seconds = 0.0
        self._waited = 0.0

    def epoch_start(self) -> None:
        self._began = self._last = time.monotonic()
        self._seconds = self._waited = 0.0
        if self._on_gpu:
            torch.cuda.reset_peak_memory_stats()

    def batch_start(self) -> None:
        """The batch is there: since the one before was done, nothing was trained."""
        now = time.monotonic()
        self._waited += now - self._last
        self._last = now

    def batch_end(self) -> None:
        self._last = time.monotonic()

    def training_end(self) -> None:
        """All batches are trained; validation follows."""
        self._seconds = time.monotonic() - self._began

    def fill(self, epoch: Epoch, images: int) -> None:
        """Write into an epoch what was measured of it; it trained so many images."""
        if self._seconds > 0:
            epoch.images_per_second = images / self._seconds
            epoch.loader_wait_percent = min(100.0, 100.0 * self._waited / self._seconds)
        epoch.host_memory_bytes = self._host_memory()
        if self._on_gpu:
            epoch.gpu_memory_bytes = torch.cuda.max_memory_reserved()

    def _host_memory(self) -> int:
        memory = int(self._process.memory_info().rss)
        for started in self._process.children(recursive=True):
            try:
                memory += started.memory_info().rss
            except psutil.Error:
                # It has ended since it was listed.
                continue
        return memory
