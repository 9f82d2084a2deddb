"""multipart/form-data (RFC 7578) as it arrives: parts are handed on piece by piece and never held."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from annotateforge.runtime.errors import InvalidArgument

_LONGEST_FIELD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Field:
    """A form field that is no file, whole."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class File:
    """A file begins; the bytes that follow until the next File or Field are its own."""

    filename: str


class _Collector:
    """Turns the parser's callbacks into events that are taken between two of its writes."""

    def __init__(self) -> None:
        self.events: list[Field | File | bytes] = []
        self.ended = False
        self._header = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._field: str | None = None
        self._text = bytearray()

    def on_part_begin(self) -> None:
        self._headers = {}

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise _malformed("a part has no Content-Disposition: form-data with a name")
        if b"filename" in options:
            self._field = None
            self.events.append(File(options[b"filename"].decode(errors="replace")))
        else:
            self._field = options[b"name"].decode(errors="replace")
            self._text.clear()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self.events.append(data[start:end])
        elif len(self._text) + end - start > _LONGEST_FIELD:
            raise InvalidArgument.of_field(
                "INVALID_VALUE", self._field[:80], f"is longer than {_LONGEST_FIELD} bytes"
            )
        else:
            self._text += data[start:end]

    def on_part_end(self) -> None:
        if self._field is not None:
            self.events.append(Field(self._field, self._text.decode(errors="replace")))

    def on_end(self) -> None:
        self.ended = True


def is_multipart(content_type: str | None) -> bool:
    """Whether a body of this type is a form with parts."""
    return parse_options_header(content_type)[0] == b"multipart/form-data"


async def read_multipart(
    content_type: str | None, body: AsyncIterator[bytes]
) -> AsyncIterator[Field | File | bytes]:
    """The parts of a body: fields whole, files as a File followed by its bytes.

    InvalidArgument INVALID_MULTIPART when it is malformed or ends too early.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise _malformed("the Content-Type names no boundary")
    collector = _Collector()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": collector.on_part_begin,
                "on_part_data": collector.on_part_data,
                "on_part_end": collector.on_part_end,
                "on_header_field": collector.on_header_field,
                "on_header_value": collector.on_header_value,
                "on_header_end": collector.on_header_end,
                "on_headers_finished": collector.on_headers_finished,
                "on_end": collector.on_end,
            },
        )
        async for data in body:
            parser.write(data)
            events, collector.events = collector.events, []
            for event in events:
                yield event
        parser.finalize()
    except FormParserError as error:
        raise _malformed(str(error)) from None
    if not collector.ended:
        raise _malformed("it ends before its last boundary")


def _malformed(why: str) -> InvalidArgument:
    return InvalidArgument("INVALID_MULTIPART", f"The body is no multipart/form-data: {why[:200]}.")
