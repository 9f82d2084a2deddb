"""The heap of the process: when what was freed is given back to the system."""

import ctypes
import sys
from functools import cache

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


def trim_heap() -> None:
    """Give the system back what was freed. glibc keeps it otherwise wherever something small lies above it,
    so that a process stays as large as it ever was. Takes milliseconds; does nothing where there is no glibc.
    """
    if (trim := _glibc("malloc_trim")) is not None:
        trim(0)


def keep_heap() -> None:
    """Keep up to 16 MiB of what was freed, for the buffers that streams need again at once. glibc would give
    them back each time, and the system fill new pages with zeros, which costs more than what is done with
    them. All threads share one heap: with one each, what one has freed is of no use to another, and holders
    of Python's lock seldom ask at once. To be called once, before threads start; does nothing where there is
    no glibc.
    """
    if (set_option := _glibc("mallopt")) is not None:
        set_option(_M_TRIM_THRESHOLD, 16 * 1024 * 1024)
        set_option(_M_MMAP_THRESHOLD, 8 * 1024 * 1024)
        set_option(_M_ARENA_MAX, 1)


@cache
def _glibc(name: str) -> "ctypes._NamedFuncPointer | None":
    if not sys.platform.startswith("linux"):
        return None
    function: ctypes._NamedFuncPointer | None = getattr(ctypes.CDLL(None), name, None)
    return function
