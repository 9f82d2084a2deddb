"""Memory that a large piece of work has left behind."""

import ctypes
import sys


def give_back_memory() -> None:
    """Return to the operating system what was freed; glibc keeps it for the next large piece of work, which
    may never come. Takes some milliseconds: call it in a worker thread.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
