"""Reads the arrays of a large JSON object element by element, in memory that does not grow with the file."""

import codecs
import contextlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_LARGEST_TEXT = 48 << 20
"""Characters of one text."""
LARGEST_VALUE = 4 << 20
"""Characters of any other value: what JSON makes of them in memory may be 25 times as much."""
_LARGEST_ENTRY = 8 << 20
"""Characters of an entry, which may be all that is drawn on an image, with its masks as lists of numbers."""
_WEIGHTS = {"[": 72, "{": 200, ",": 36}
"""Bytes that Python makes of each, and of the number behind it, at most."""
_HEAVIEST = 128 << 20
"""Bytes up to which a value may be larger than LARGEST_VALUE."""
_LOOKED_AT = (1 << 16, *range(1 << 20, _LARGEST_ENTRY + 1, 1 << 20))
"""Characters of text that are tried where a value begins that may be too heavy."""
_NUMBER_REST = 3
"""A number may go on, as in `1.5` or `1e-5`, where fewer characters than this are known behind it."""
_BLANKS = re.compile(r"[ \t\n\r]+")
_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")


class JsonMalformed(Exception):
    """The text is not the JSON that was expected; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class Element(NamedTuple):
    """One element of an array that is a member of the top-level object."""

    key: str
    """Name of the array."""
    value: Any
    line: int
    """Line on which the element begins, from 1."""


def array_elements(blocks: Iterator[bytes]) -> Iterator[Element]:
    """The elements of all arrays directly below the top-level object; other members are read over.

    Takes UTF-8 with or without a byte order mark. Raises JsonMalformed, also for a text of more
    than 48 MiB and any other value of more than 4 MiB.
    """
    text = _Text(blocks, LARGEST_VALUE)
    text.expect("{", "The top level is not an object.")
    if text.take("}"):
        return
    while True:
        key = text.value()
        if not isinstance(key, str):
            raise JsonMalformed("A member's name is not a string.", text.line)
        text.expect(":", f"There is no colon after {key!r}.")
        if text.take("["):
            yield from _elements(key, text)
        else:
            text.value()
        if not text.take(","):
            break
    text.expect("}", "The object is not closed; the file may be cut short.")


def _elements(key: str, text: "_Text") -> Iterator[Element]:
    if text.take("]"):
        return
    text.skip_blanks()
    while True:
        line = text.line
        yield Element(key, text.value(), line)
        if not text.next_element():
            break
    text.expect("]", f"The array {key!r} is not closed; the file may be cut short.")


JsonPath = tuple[str | int, ...]
"""Names of members and indices of elements from the top on; () is the whole document."""


class Entry(NamedTuple):
    """A value somewhere in a document."""

    path: JsonPath
    value: Any
    line: int
    """Line on which the value begins, from 1."""


def entries(
    blocks: Iterator[bytes], opened: Callable[[JsonPath], bool], largest: int = _LARGEST_ENTRY
) -> Iterator[Entry]:
    """The values of a JSON document, from the top: objects and arrays for whose path `opened` holds are gone
    through, and everything else comes whole, in the order of the document.

    Takes UTF-8 with or without a byte order mark. Raises JsonMalformed, also for a text of more than 48 MiB
    and any other value of more than `largest` characters, or of more than 4 MiB if it holds so many lists and
    objects that it would take too much memory.
    """
    text = _Text(blocks, largest)
    yield from _entries((), text, opened)
    text.skip_blanks()
    if not text.is_at_end:
        raise JsonMalformed("There is more after the end of the document.", text.line)


def _entries(path: JsonPath, text: "_Text", opened: Callable[[JsonPath], bool]) -> Iterator[Entry]:
    text.skip_blanks()
    line = text.line
    if opened(path):
        if text.take("["):
            yield from _items_of(path, text, opened)
            return
        if text.take("{"):
            yield from _members_of(path, text, opened)
            return
    yield Entry(path, text.value(), line)


def _items_of(path: JsonPath, text: "_Text", opened: Callable[[JsonPath], bool]) -> Iterator[Entry]:
    if text.take("]"):
        return
    index = 0
    while True:
        yield from _entries((*path, index), text, opened)
        index += 1
        if not text.next_element():
            break
    text.expect("]", "An array is not closed; the file may be cut short.")


def _members_of(path: JsonPath, text: "_Text", opened: Callable[[JsonPath], bool]) -> Iterator[Entry]:
    if text.take("}"):
        return
    while True:
        key = text.value()
        if not isinstance(key, str):
            raise JsonMalformed("A member's name is not a string.", text.line)
        text.expect(":", f"There is no colon after {key[:100]!r}.")
        yield from _entries((*path, key), text, opened)
        if not text.take(","):
            break
    text.expect("}", "An object is not closed; the file may be cut short.")


def shown_path(path: JsonPath) -> str:
    """A path as people write it: `shapes[3].points`."""
    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:100]}" for part in path)
    return shown.removeprefix(".")


class _Text:
    """The text not read yet: a window that slides over the file."""

    def __init__(self, blocks: Iterator[bytes], largest: int) -> None:
        self._blocks = blocks
        self._largest = largest
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._scan = json.JSONDecoder().raw_decode
        self._window = ""
        self._at = 0
        self._ended = False
        self._is_heavy: bool | None = None
        self.line = 1

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is left, once blanks have been skipped."""
        return self._at >= len(self._window)

    def take(self, character: str) -> bool:
        """Step over the next character that is no blank, if it is this one."""
        self.skip_blanks()
        if self._at < len(self._window) and self._window[self._at] == character:
            self._at += 1
            return True
        return False

    def next_element(self) -> bool:
        """Step over a comma and the blanks around it; False where there is none."""
        between = _COMMA.match(self._window, self._at)
        if between is not None and between.end() < len(self._window):
            self._step_to(between.end())
            return True
        if not self.take(","):
            return False
        self.skip_blanks()
        return True

    def expect(self, character: str, otherwise: str) -> None:
        if not self.take(character):
            raise JsonMalformed(otherwise, self.line)

    def value(self) -> Any:
        """The JSON value that begins here."""
        self.skip_blanks()
        while True:
            try:
                value, end = self._scan_bounded()
            except json.JSONDecodeError as error:
                # Not kept: it holds the whole window, of which a larger one is made now.
                message, position = error.msg, error.pos
            except (RecursionError, ValueError) as error:
                raise JsonMalformed(
                    "A value is nested too deeply or a number is too long.", self.line
                ) from error
            else:
                if end > len(self._window) - _NUMBER_REST and self._fill():
                    continue
                self._step_to(end)
                return value
            if not self._fill():
                line = self.line + self._window.count("\n", self._at, position)
                raise JsonMalformed(f"It is not JSON: {message}.", line)

    def _scan_bounded(self) -> tuple[Any, int]:
        """The value that begins here and where it ends. What the text may become is bounded before it does:
        a large value of nothing but empty lists would take 25 times as much memory.
        """
        if (
            len(self._window) - self._at <= LARGEST_VALUE
            or self._window[self._at] == '"'
            or not self._window_is_heavy()
        ):
            return self._scan(self._window, self._at)
        for length in _LOOKED_AT:
            text = self._window[self._at : self._at + length]
            if length > LARGEST_VALUE and _weight(text) > _HEAVIEST:
                break
            with contextlib.suppress(json.JSONDecodeError):
                value, end = self._scan(text, 0)
                if end <= length - _NUMBER_REST:
                    return value, self._at + end
        raise JsonMalformed(
            f"A single value larger than {LARGEST_VALUE >> 20} MiB holds too many lists and objects.",
            self.line,
        )

    def _window_is_heavy(self) -> bool:
        if self._is_heavy is None:
            self._is_heavy = _weight(self._window[self._at :]) > _HEAVIEST
        return self._is_heavy

    def skip_blanks(self) -> None:
        while True:
            blanks = _BLANKS.match(self._window, self._at)
            if blanks is not None:
                self._step_to(blanks.end())
            if self._at < len(self._window) or not self._fill():
                return

    def _step_to(self, end: int) -> None:
        self.line += self._window.count("\n", self._at, end)
        self._at = end

    def _fill(self) -> bool:
        """Bring more text into the window; False at the end of the file."""
        if self._ended:
            return False
        self._window = self._window[self._at :]
        self._at = 0
        # A text takes no more memory than its characters, so it may be longer than what holds others.
        largest = _LARGEST_TEXT if self._window.startswith('"') else self._largest
        if len(self._window) > largest:
            raise JsonMalformed(f"A single value is larger than {largest >> 20} MiB.", self.line)
        # At least doubling keeps the repeated scans of a long value linear.
        wanted = min(max(1 << 20, 2 * len(self._window)), largest + 1)
        parts = [self._window]
        length = len(self._window)
        try:
            while length < wanted and not self._ended:
                block = next(self._blocks, b"")
                self._ended = not block
                part = self._decoder.decode(block, final=self._ended)
                parts.append(part)
                length += len(part)
        except UnicodeDecodeError as error:
            raise JsonMalformed("It is not UTF-8.", self.line) from error
        self._window = "".join(parts)
        self._is_heavy = None
        return True


def _weight(text: str) -> int:
    """Bytes that Python may make of a text, about."""
    return sum(text.count(each) * size for each, size in _WEIGHTS.items())
