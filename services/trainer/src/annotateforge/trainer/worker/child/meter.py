"""How fast an epoch trains, how long it waits for images, and the memory that it takes."""

import time

import psutil
import torch

from annotateforge.api.trainer.v1.job_pb2 import Epoch


class Meter:
    """Measures one epoch after the other; its methods are called where their names say."""

    def __init__(self, device: str) -> None:
        """`device`: "cpu" or the index of a GPU."""
        self._on_gpu = device != "cpu"
        self._process = psutil.Process()
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
        for loader in self._process.children(recursive=True):
            try:
                memory += loader.memory_info().rss
            except psutil.Error:
                # It has ended since it was listed.
                continue
        return memory
