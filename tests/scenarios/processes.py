"""Which processes there are below another one, and whether they have ended (Linux)."""

import time
from contextlib import suppress
from pathlib import Path

_LIMIT = 10.0


def children(pid: int) -> set[int]:
    """Processes that a process has started itself and that have not been waited for."""
    found: set[int] = set()
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found |= set(map(int, listing.read_text().split()))
    return found


def descendants(pid: int) -> set[int]:
    """All processes below a process."""
    found: set[int] = set()
    new = children(pid)
    while new:
        found |= new
        new = {below for parent in new for below in children(parent)} - found
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that run."""
    found = set()
    for pid in pids:
        with suppress(OSError):
            if "State:\tZ" not in Path(f"/proc/{pid}/status").read_text():
                found.add(pid)
    return found


def all_gone(pids: set[int]) -> None:
    """Return when none of them runs; AssertionError after ten seconds."""
    end = time.monotonic() + _LIMIT
    while left := alive(pids):
        assert time.monotonic() < end, left
        time.sleep(0.02)
