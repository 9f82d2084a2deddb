"""Messages that carry bytes, in protobuf's wire form, which this writes and reads without the copies that a
message object takes: https://protobuf.dev/programming-guides/encoding/.

A handler may answer such bytes in place of a message, and get them so (`gets_content`).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

from google.protobuf.message import Message

_LENGTH_DELIMITED = 2

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


M = TypeVar("M", bound=Message)
H = TypeVar("H", bound=Callable[..., Any])


def in_wire_form(kind: type[M], field: str, parts: Sequence[bytes | memoryview]) -> M:
    """The bytes of a message of some kind whose only field, of type bytes, holds some parts in a row.

    They are of use to a serializer that lets them pass, in place of a message, and nowhere else.
    """
    before = _before(kind, field, sum(map(len, parts)))  # type: ignore[arg-type]  # a class is hashable
    return cast(M, b"".join((before, *parts)))


@lru_cache
def _before(kind: type[Message], field: str, length: int) -> bytes:
    """What stands before the content of a field of type bytes; nearly all messages are of one length."""
    return bytes_tag(kind, field) + _varint(length)


def bytes_tag(kind: type[Message], field: str) -> bytes:
    """What stands before the length of a field of type bytes."""
    return _varint(kind.DESCRIPTOR.fields_by_name[field].number << 3 | _LENGTH_DELIMITED)


def content_of(tag: bytes, message: bytes) -> memoryview | None:
    """What the only field of a message in wire form holds, given by its `bytes_tag`; None when it is any
    other message.
    """
    if not message.startswith(tag):
        return None
    length = 0
    # A length that fits 64 bits has at most ten bytes of seven bits each.
    for number, byte in enumerate(message[len(tag) : len(tag) + 10]):
        length |= (byte & 0x7F) << (7 * number)
        if byte < 0x80:
            content = memoryview(message)[len(tag) + number + 1 :]
            return content if len(content) == length else None
    return None


def passing_bytes(serialize: Serializer | None) -> Serializer | None:
    """A serializer that lets messages pass which are in wire form already."""
    if serialize is None:
        return None

    def passing(message: Any) -> bytes:
        return message if type(message) is bytes else serialize(message)

    return passing


def gets_content(kind: type[Message], field: str) -> Callable[[H], H]:
    """Marks a handler that gets a memoryview in place of each message of some kind whose only field, of type
    bytes, is the given one, and other messages as they are.
    """
    tag = bytes_tag(kind, field)

    def deserialize(message: bytes) -> Message | memoryview:
        content = content_of(tag, message)
        return kind.FromString(message) if content is None else content

    def mark(handler: H) -> H:
        handler.request_deserializer = deserialize  # type: ignore[attr-defined]
        return handler

    return mark


def deserializer_for(behaviour: Callable[..., Any], deserialize: Deserializer | None) -> Deserializer | None:
    """What reads the requests of a handler: as `gets_content` marks it, or else `deserialize`."""
    chosen: Deserializer | None = getattr(behaviour, "request_deserializer", deserialize)
    return chosen


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
