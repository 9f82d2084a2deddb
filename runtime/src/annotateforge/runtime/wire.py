"""Messages that carry bytes, in protobuf's wire form, which this writes and reads without the copies that a
message object takes: https://protobuf.dev/programming-guides/encoding/.

A handler may answer such bytes in place of a message.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from google.protobuf.message import Message

_LENGTH_DELIMITED = 2

Serializer = Callable[[Any], bytes]


M = TypeVar("M", bound=Message)


def in_wire_form(kind: type[M], field: str, parts: Sequence[bytes | memoryview]) -> M:
    """The bytes of a message of some kind whose only field, of type bytes, holds some parts in a row.

    They are of use to a serializer that lets them pass, in place of a message, and nowhere else.
    """
    length = sum(map(len, parts))
    return cast(M, b"".join((bytes_tag(kind, field), _varint(length), *parts)))


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


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
