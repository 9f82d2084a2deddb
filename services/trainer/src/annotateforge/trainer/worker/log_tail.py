"""The last lines of a child's output, and all of it in a file."""

import re
from collections import deque
from typing import BinaryIO

LINES = 200
"""Lines that are kept in memory."""
LONGEST_LINE = 1000
"""Characters of a line that are kept."""

_MOST_PENDING = 64 * 1024
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class LogTail:
    """Takes output as it comes and keeps its last lines as a terminal would show them in the end: of a
    progress bar, which overwrites its line, the last state.
    """

    def __init__(self, file: BinaryIO) -> None:
        """`file` gets every line; closing it is the caller's."""
        self._file = file
        self._pending = b""
        self._lines: deque[str] = deque(maxlen=LINES)

    def feed(self, data: bytes) -> None:
        """Take the next piece of output."""
        *lines, pending = (self._pending + data).split(b"\n")
        for line in lines:
            self._keep(line)
        # What was overwritten already need not wait for the line's end.
        self._pending = pending[-_MOST_PENDING:]

    def close(self) -> None:
        """Take what came after the last newline for a line."""
        if self._pending:
            self._keep(self._pending)
            self._pending = b""

    def lines(self) -> list[str]:
        """The last lines, the oldest first."""
        return list(self._lines)

    def _keep(self, raw: bytes) -> None:
        text = _ANSI.sub("", raw.decode(errors="replace"))
        shown = next((part for part in reversed(text.split("\r")) if part.strip()), "").rstrip()[
            :LONGEST_LINE
        ]
        self._file.write(shown.encode() + b"\n")
        self._lines.append(shown)
