"""Reads XML element by element, in memory that does not grow with the file."""

import xml.sax
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from xml.sax.handler import ContentHandler

import defusedxml.sax
from defusedxml.common import DefusedXmlException

_LARGEST_PART = 8 << 20
"""Bytes of a tag or of a text."""
_MOST_FED = 4 << 20
_DEEPEST = 64


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


def xml_events(blocks: Iterator[bytes]) -> Iterator[XmlEvent]:
    """The beginnings and ends of all elements, in the order of the document.

    Raises XmlMalformed, also for entity declarations, more than 64 elements within each other and a tag or a
    text of more than 8 MiB.
    """
    parser = defusedxml.sax.make_parser()
    handler = _Handler(parser)
    parser.setContentHandler(handler)
    unseen = 0
    try:
        # Without it an empty file would be taken for a whole document.
        parser.feed(b"")
        for block in blocks:
            # Expat reads a tag from its beginning again and again until it is whole.
            while len(block) < min(unseen, _MOST_FED) and (more := next(blocks, b"")):
                block += more
            parser.feed(block)
            unseen += len(block)
            if handler.events:
                unseen = 0
            if unseen > _LARGEST_PART:
                raise XmlMalformed("A tag or a text is larger than 8 MiB.", handler.line)
            while handler.events:
                yield handler.events.popleft()
        parser.close()
    except xml.sax.SAXParseException as error:
        yield from handler.events
        raise XmlMalformed(f"It is not XML: {error.getMessage()}.", error.getLineNumber() or 0) from error
    except (DefusedXmlException, xml.sax.SAXException, ValueError, LookupError) as error:
        raise XmlMalformed("It declares entities or an encoding that are not read.", 0) from error
    yield from handler.events


class _Handler(ContentHandler):
    def __init__(self, parser: Any) -> None:
        super().__init__()
        self.events: deque[XmlEvent] = deque()
        self._parser = parser
        self._path: list[str] = []
        self._text: list[str] = []

    @property
    def line(self) -> int:
        return self._parser.getLineNumber() or 0

    def startElement(self, name: str, attrs: Any) -> None:
        if len(self._path) >= _DEEPEST:
            raise XmlMalformed(f"More than {_DEEPEST} elements stand within each other.", self.line)
        self._path.append(name.lower())
        self._text.clear()
        self.events.append(XmlEvent(False, tuple(self._path), dict(attrs), "", self.line))

    def characters(self, content: str) -> None:
        self._text.append(content)

    def endElement(self, name: str) -> None:
        text = "".join(self._text).strip()
        self._text.clear()
        self.events.append(XmlEvent(True, tuple(self._path), {}, text, self.line))
        self._path.pop()
