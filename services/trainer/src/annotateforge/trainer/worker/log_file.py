"""The file with a child's output that stays on the worker."""

import contextlib
from pathlib import Path

LOG_BYTES = 8 * 1024 * 1024
"""Bytes of a file after which it begins anew; as many of what came before stay beside it."""


class LogFile:
    """Takes lines for as long as the disk does."""

    def __init__(self, path: Path, most: int = LOG_BYTES) -> None:
        """Begin it; OSError when that cannot be."""
        self._path = path
        self._file = path.open("wb", buffering=0)
        self._most = most

    def write(self, line: str) -> None:
        """Add a line; on a full disk it is left out. The output must go on being read, or the child waits."""
        with contextlib.suppress(OSError):
            if self._file.tell() > self._most:
                self._begin_anew()
            self._file.write(line.encode() + b"\n")

    def close(self) -> None:
        """Nothing comes any more."""
        self._file.close()

    def _begin_anew(self) -> None:
        unfinished = self._path.with_suffix(".part")
        try:
            anew = unfinished.open("wb", buffering=0)
            self._path.replace(previous_of(self._path))
            unfinished.replace(self._path)
        except OSError:
            # Then what came before is lost, and not the limit.
            self._file.seek(0)
            self._file.truncate()
        else:
            self._file.close()
            self._file = anew


def previous_of(log: Path) -> Path:
    """Where what a log held before it began anew is."""
    return log.with_suffix(f".previous{log.suffix}")
