"""The last lines of a child's output, and all of it for whoever keeps it."""

from collections import deque
from collections.abc import Callable

from annotateforge.runtime.texts import plain_line

LINES = 200
"""Lines that are kept in memory."""
LONGEST_LINE = 1000
"""Characters of a line that are kept."""

_MOST_PENDING = 64 * 1024


class LogTail:
    """Takes output as it comes and keeps its last lines as a terminal would show them in the end: of a
    progress bar, which overwrites its line, the last state. Nothing in a line can move a cursor.
    """

    def __init__(self, hide: Callable[[str], str] = str) -> None:
        """`hide` answers a line without what nobody should see."""
        self._hide = hide
        self._takers: list[Callable[[str], None]] = []
        self._pending = b""
        self._lines: deque[str] = deque(maxlen=LINES)

    def tell(self, taker: Callable[[str], None]) -> None:
        """Hand every line to `taker`: the last ones that came already, and each that comes."""
        for line in self._lines:
            taker(line)
        self._takers.append(taker)

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
        text = raw.decode(errors="replace")
        states = (plain_line(part, _MOST_PENDING) for part in reversed(text.split("\r")))
        shown = next((state for state in states if state.strip()), "").rstrip()
        # Hidden before it is cut, so that no secret loses the end by which it is known.
        line = plain_line(self._hide(shown), LONGEST_LINE)
        self._lines.append(line)
        for taker in self._takers:
            taker(line)
