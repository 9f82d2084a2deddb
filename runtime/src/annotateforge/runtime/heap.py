"""The heap of the process: what was freed is given back to the system."""

import ctypes
import sys
from functools import cache


def trim_heap() -> None:
    """Give the system back what was freed. glibc keeps it otherwise wherever something small lies above it,
    so that a process stays as large as it ever was. Takes milliseconds; does nothing where there is no glibc.
    """
    if (trim := _malloc_trim()) is not None:
        trim(0)


@cache
def _malloc_trim() -> "ctypes._NamedFuncPointer | None":
    if not sys.platform.startswith("linux"):
        return None
    function: ctypes._NamedFuncPointer | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return function
