"""The child's tie to its worker: it gets its order from it, and dies with it."""

import ctypes
import os
import queue
import signal
import sys
import threading

from annotateforge.trainer.worker.order import TrainingOrder

_PR_SET_PDEATHSIG = 1
_CHUNK = 65536


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, where the kernel can; exit when it has already.

    Source: prctl(2), PR_SET_PDEATHSIG. Elsewhere the end of standard input does it, see `Orders`.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


class OrderInvalid(Exception):
    """What came from the worker is no order that this program knows."""


class Orders:
    """Orders as they come on standard input; when that ends, the worker is gone and the process exits."""

    def __init__(self) -> None:
        """Begin to listen."""
        self._come: queue.SimpleQueue[TrainingOrder | OrderInvalid] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(self._come,), name="tether", daemon=True).start()

    def get(self) -> TrainingOrder:
        """Wait for the next one. OrderInvalid when it makes no sense."""
        order = self._come.get()
        if isinstance(order, OrderInvalid):
            raise order
        return order


def _read(come: "queue.SimpleQueue[TrainingOrder | OrderInvalid]") -> None:
    line = b""
    while data := os.read(0, _CHUNK):
        line += data
        if line.endswith(b"\n"):
            try:
                come.put(TrainingOrder.from_json(line))
            except Exception as error:
                come.put(OrderInvalid(f"{type(error).__name__}: {error}"))
            line = b""
    os._exit(1)
