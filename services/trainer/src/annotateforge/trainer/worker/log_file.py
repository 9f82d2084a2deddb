"""The file with a child's output that stays on the worker."""

import contextlib
from pathlib import Path

LOG_BYTES = 16 * 1024 * 1024
"""Bytes of a file after which it begins anew."""


class LogFile:
    """Takes lines for as long as the disk does."""

    def __init__(self, path: Path, most: int = LOG_BYTES) -> None:
        """Begin it; OSError when that cannot be."""
        self._file = path.open("wb", buffering=0)
        self._most = most

    def write(self, line: str) -> None:
        """Add a line; on a full disk it is left out. The output must go on being read, or the child waits."""
        with contextlib.suppress(OSError):
            if self._file.tell() > self._most:
                self._file.seek(0)
                self._file.truncate()
            self._file.write(line.encode() + b"\n")

    def close(self) -> None:
        """Nothing comes any more."""
        self._file.close()
