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

    Source: prctl(2), PR_SET_PDEATHSIG. Elsewhere the end of standard input does it, see `read_orders`.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def read_orders() -> "queue.SimpleQueue[TrainingOrder]":
    """A queue that will get the order; when standard input ends, the worker is gone and the process exits."""
    orders: queue.SimpleQueue[TrainingOrder] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(orders,), name="tether", daemon=True).start()
    return orders


def _read(orders: "queue.SimpleQueue[TrainingOrder]") -> None:
    line = b""
    while data := os.read(0, _CHUNK):
        line += data
        if line.endswith(b"\n"):
            orders.put(TrainingOrder.from_json(line))
            line = b""
    os._exit(1)
