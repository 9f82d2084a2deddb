"""Single values of JSON as values of fields: what is taken, and what is refused with which words."""

import base64
import binascii
import math
import struct
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.struct_pb2 import ListValue, NullValue, Struct, Value

from annotateforge.runtime.rest.times import duration_of, timestamp_of

Checker = Callable[[Any], Any]

DEEPEST_STRUCT = 32
"""Levels of lists and objects in free-form JSON."""


_single_precision = struct.Struct("<f")


class Refused(Exception):
    """A value is not what its field takes. The path grows as the error leaves one container after another."""

    def __init__(self, description: str, reason: str = "INVALID_VALUE") -> None:
        super().__init__(description)
        self.description = description
        self.reason = reason
        self.path = ""

    def inside(self, outer: str) -> "Refused":
        """The same refusal, seen from the container: `outer` is a field's name or an index such as `[3]`."""
        separator = "" if not self.path or self.path.startswith("[") else "."
        self.path = outer + separator + self.path
        return self


def _integer(lowest: int, highest: int) -> Checker:
    def check(value: Any) -> int:
        if type(value) is not int:
            # 5.0 and 1e3 are whole numbers too, however they are written (proto3 JSON).
            if type(value) is not float or not value.is_integer():
                raise Refused(f"must be a whole number, not {kind_of(value)}")
            value = int(value)
        number: int = value
        if not lowest <= number <= highest:
            raise Refused(f"must be between {lowest} and {highest}")
        return number

    return check


def _number(value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise Refused(f"must be a number, not {kind_of(value)}")
    if not math.isfinite(value):
        raise Refused("must be a finite number")
    return value


def _single_number(value: Any) -> float:
    try:
        _single_precision.pack(_number(value))
    except OverflowError:
        raise Refused("must be a number that fits into 32 bits") from None
    return float(value)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise Refused(f"must be a text, not {kind_of(value)}")
    return value


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise Refused(f"must be true or false, not {kind_of(value)}")
    return value


def _bytes(value: Any) -> bytes:
    if type(value) is not str:
        raise Refused(f"must be bytes in base64, not {kind_of(value)}")
    try:
        # Both alphabets, padded or not (proto3 JSON).
        plain = value.replace("-", "+").replace("_", "/").rstrip("=")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("must be bytes in base64") from None


def _timestamp(value: Any) -> Any:
    try:
        if type(value) is str:
            return timestamp_of(value)
    except ValueError:
        pass
    raise Refused("must be a time such as 2026-01-31T12:00:00Z")


def _duration(value: Any) -> Any:
    try:
        return duration_of(_number(value))
    except ValueError:
        raise Refused("must be a number of seconds below 10,000 years") from None


def free_value(value: Any) -> Value:
    """Any JSON as google.protobuf.Value. Here null is a value of its own."""
    return _free_value(value, DEEPEST_STRUCT)


def _free_value(value: Any, levels: int) -> Value:
    if levels == 0:
        raise Refused(f"must not be nested deeper than {DEEPEST_STRUCT} levels")
    match value:
        case None:
            return Value(null_value=NullValue.NULL_VALUE)
        case bool():
            return Value(bool_value=value)
        case str():
            return Value(string_value=value)
        case dict():
            fields = {key: _free_value(item, levels - 1) for key, item in value.items()}
            return Value(struct_value=Struct(fields=fields))
        case list():
            return Value(list_value=ListValue(values=[_free_value(item, levels - 1) for item in value]))
        case _:
            return Value(number_value=_number(value))


def _struct(value: Any) -> Struct:
    if type(value) is not dict:
        raise Refused(f"must be an object, not {kind_of(value)}")
    return free_value(value).struct_value


def _free_list(value: Any) -> ListValue:
    if type(value) is not list:
        raise Refused(f"must be a list, not {kind_of(value)}")
    return free_value(value).list_value


def _empty(value: Any) -> Any:
    if type(value) is not dict or value:
        raise Refused("must be an empty object")
    return {}


def kind_of(value: Any) -> str:
    """What a JSON value is, for people."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case float() | int():
            return f"{value!r:.40}" if math.isfinite(value) else "a number that is not finite"
        case list():
            return "a list"
        case _:
            return "an object"


def shown(name: str) -> str:
    """A name from the input, short enough to be repeated in an error."""
    return name if len(name) <= 80 else name[:80] + "…"


WELL_KNOWN: dict[str, Checker] = {
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.Duration": _duration,
    "google.protobuf.Empty": _empty,
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": free_value,
    "google.protobuf.ListValue": _free_list,
}

_INT32 = _integer(-(2**31), 2**31 - 1)
_INT64 = _integer(-(2**63), 2**63 - 1)
_UINT32 = _integer(0, 2**32 - 1)
_UINT64 = _integer(0, 2**64 - 1)

SCALARS: dict[int, Checker] = {
    FieldDescriptor.TYPE_DOUBLE: _number,
    FieldDescriptor.TYPE_FLOAT: _single_number,
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
    FieldDescriptor.TYPE_BOOL: _truth,
    FieldDescriptor.TYPE_STRING: _text,
    FieldDescriptor.TYPE_BYTES: _bytes,
}
