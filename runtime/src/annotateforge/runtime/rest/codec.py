"""Messages as JSON and back, by the rules of this API:

- names are the proto's own snake_case; enums are short lower-case names (TASK_TYPE_DETECT is `detect`); -
Timestamp is RFC 3339, Duration seconds as a number, 64-bit integers are numbers, bytes are base64; - a
field without presence is always written, one with presence (messages, optional, oneof) when it is set; NaN
and
  infinities, which JSON does not have, are written as null;
- reading is strict: unknown fields, two members of a oneof, numbers in quotes, true for 1, and numbers out
of range are
  refused with the path of the field.
"""

from typing import Any, TypeVar, cast

import orjson
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.rest.decoding import checker_of
from annotateforge.runtime.rest.encoding import encoder_of
from annotateforge.runtime.rest.values import Refused

M = TypeVar("M", bound=Message)


def _descriptor(message: Message | type[Message]) -> Descriptor:
    # The stubs know of a second class, which at run time is the same one.
    return cast(Descriptor, message.DESCRIPTOR)


def to_object(message: Message) -> Any:
    """The message as an object that orjson can write: mostly a dict, a text for a Timestamp and so on."""
    return encoder_of(_descriptor(message))(message)


def encode(message: Message) -> bytes:
    """The message as JSON."""
    return orjson.dumps(encoder_of(_descriptor(message))(message))


def from_object(message_type: type[M], value: Any, *, lenient: bool = False) -> M:
    """The message that parsed JSON describes.

    InvalidArgument with the path of the field: UNKNOWN_FIELD, ONEOF_CONFLICT or INVALID_VALUE. `lenient`
    passes over fields and enum values that this version does not know, which is right for answers and wrong
    for requests.
    """
    try:
        arguments = checker_of(_descriptor(message_type), lenient=lenient)(value)
        return arguments if isinstance(arguments, message_type) else message_type(**arguments)
    except Refused as refused:
        raise refused_argument(refused) from None
    except RecursionError:
        raise InvalidArgument("INVALID_JSON", "The body is nested too deeply.") from None


def refused_argument(refused: Refused) -> InvalidArgument:
    """What a caller is told about a value that was refused."""
    if not refused.path:
        return InvalidArgument(refused.reason, f"The body {refused.description}.")
    return InvalidArgument.of_field(refused.reason, refused.path, refused.description)


def decode(message_type: type[M], data: bytes, *, lenient: bool = False) -> M:
    """The message that JSON describes; see `from_object`. InvalidArgument INVALID_JSON when it is no JSON."""
    return from_object(message_type, parse(data), lenient=lenient)


def parse(data: bytes) -> Any:
    """JSON as Python values; an empty body is an empty object. InvalidArgument INVALID_JSON says where it
    breaks.
    """
    if not data:
        return {}
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidArgument(
            "INVALID_JSON", f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
