"""Keeps the file that a process prints into from growing without end."""

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

LOG_BYTES = 20 * 1024 * 1024
"""Bytes of a log after which it begins anew; as many of what came before are kept beside it."""
LOOK = 10.0
"""Seconds between two looks at its size."""


async def limited(log: Path, previous: Path, most: int = LOG_BYTES, every: float = LOOK) -> None:
    """Look after a log until cancelled. Whoever writes into it has opened it for appending.

    Its writers hold it open and cannot be asked to open another one, so what it holds is copied and then cut
    off: lines that are printed just in between are lost.
    """
    while True:
        await asyncio.sleep(every)
        with contextlib.suppress(OSError):
            if log.stat().st_size > most:
                await asyncio.to_thread(_begin_anew, log, previous)


def _begin_anew(log: Path, previous: Path) -> None:
    unfinished = previous.with_suffix(".part")
    try:
        shutil.copyfile(log, unfinished)
        unfinished.replace(previous)
    except OSError:
        # A full disk most probably, which is no reason to let it grow on.
        with contextlib.suppress(OSError):
            unfinished.unlink()
    os.truncate(log, 0)
