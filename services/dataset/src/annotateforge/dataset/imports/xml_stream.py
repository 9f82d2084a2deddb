"""Reads XML element by element, in memory that does not grow with the file."""

import re
import xml.sax
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

_LARGEST_PART = 8 << 20
"""Bytes of a tag or of a text."""
_MOST_FED = 4 << 20
_FIRST_PIECE = 64
"""Bytes in which most roots begin: all XML files of an archive are looked at, to tell their kind."""
_DEEPEST = 64
# No comment and no document type before it, and no encoding in which these would be other letters.
_DECLARATION = rb"<\?xml version=.1\.\d.(?: encoding=.(?i:utf-8).)?\s*\?>\s*+"
_USUAL_ROOT = re.compile(rb"(?:\xef\xbb\xbf)?\s*+(?:" + _DECLARATION + rb")?<([A-Za-z]\w*+)[\s/>]")


class XmlMalformed(Exception):
    """The text is not XML, or XML that is refused; `line` counts from 1, and is 0 where it is not known."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class XmlEvent(NamedTuple):
    """An element begins or ends."""

    ends: bool
    path: tuple[str, ...]
    """Names of the elements around it and its own, lower case."""
    attributes: Mapping[str, str]
    """Of an element that begins."""
    text: str
    """Of an element that ends: what stands directly before its end, without blanks around."""
    line: int


class XmlParser(DefusedExpatParser):
    """Expat as defusedxml makes it safe, without the objects that SAX makes of every element. Fed with the
    bytes of a document, it calls the methods below, and raises XML_ERRORS.
    """

    _parser: Any

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        """Parts of the text before the tag that was read last. Whoever has read a tag clears it."""

    def start_element(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""

    def end_element(self, name: str) -> None:
        """An element ends."""

    def taken_text(self) -> str:
        """What stands directly before the tag that was read last, without blanks around."""
        return "".join(self.text).strip()

    @property
    def line(self) -> int:
        """Where it is, from 1; 0 where that is not known."""
        return self.getLineNumber() or 0

    def reset(self) -> None:
        """Begin a document; called by the first `feed`."""
        super().reset()
        self._parser.buffer_text = True
        # Not a method of ours: half of all calls are for the blanks between elements.
        self._parser.CharacterDataHandler = self.text.append


XML_ERRORS = (xml.sax.SAXException, DefusedXmlException, ValueError, LookupError)
"""What feeding a parser raises over bytes that are not XML, or that are refused."""


def malformed(error: Exception) -> XmlMalformed:
    """One of XML_ERRORS as people are told of it."""
    if isinstance(error, xml.sax.SAXParseException):
        return XmlMalformed(f"It is not XML: {error.getMessage()}.", error.getLineNumber() or 0)
    return XmlMalformed("It declares entities or an encoding that are not read.", 0)


def xml_events(blocks: Iterator[bytes], *, at_a_glance: bool = False) -> Iterator[XmlEvent]:
    """The beginnings and ends of all elements, in the order of the document. `at_a_glance` is for those who
    only want the first ones: what comes in a block after them is not read before they are there.

    Raises XmlMalformed, also for entity declarations, more than 64 elements within each other and a tag or a
    text of more than 8 MiB.
    """
    parser = _EventParser()
    unseen = 0
    if at_a_glance:
        blocks = _growing(blocks)
    try:
        # Without it an empty file would be taken for a whole document.
        parser.feed(b"")
        for block in blocks:
            # Expat reads a tag from its beginning again and again until it is whole.
            while len(block) < min(unseen, _MOST_FED) and (more := next(blocks, b"")):
                block += more
            parser.feed(block)
            unseen += len(block)
            if parser.events:
                unseen = 0
            if unseen > _LARGEST_PART:
                raise XmlMalformed("A tag or a text is larger than 8 MiB.", parser.line)
            while parser.events:
                yield parser.events.popleft()
        parser.close()
    except XML_ERRORS as error:
        if isinstance(error, xml.sax.SAXParseException):
            yield from parser.events
        raise malformed(error) from error
    yield from parser.events


def usual_root(head: bytes) -> str | None:
    """The name of the root element, lower case, where the first bytes of a document tell it at once; None
    where it takes a parser.
    """
    found = _USUAL_ROOT.match(head)
    return found[1].decode().lower() if found is not None else None


def _growing(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, at first in small pieces."""
    size = _FIRST_PIECE
    for block in blocks:
        at = 0
        while at < len(block):
            yield block[at : at + size]
            at += size
            size = min(2 * size, _MOST_FED)


class _EventParser(XmlParser):
    def __init__(self) -> None:
        super().__init__()
        self.events: deque[XmlEvent] = deque()
        self._path: tuple[str, ...] = ()

    def start_element(self, name: str, attributes: Mapping[str, str]) -> None:
        if len(self._path) >= _DEEPEST:
            raise XmlMalformed(f"More than {_DEEPEST} elements stand within each other.", self.line)
        self._path = (*self._path, name.lower())
        self.text.clear()
        self.events.append(XmlEvent(False, self._path, attributes, "", self.line))

    def end_element(self, name: str) -> None:
        text = self.taken_text()
        self.text.clear()
        self.events.append(XmlEvent(True, self._path, {}, text, self.line))
        self._path = self._path[:-1]
