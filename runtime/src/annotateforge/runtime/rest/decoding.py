"""Plain JSON objects to messages. For each message type a checker is made at first use, which turns an
object into what the message's own constructor takes; that constructor is C.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.struct_pb2 import ListValue, NullValue, Struct, Value

from annotateforge.runtime.rest.names import choices, enum_numbers, enum_of, is_map, message_of
from annotateforge.runtime.rest.times import duration_of, timestamp_of

Checker = Callable[[Any], Any]

DEEPEST_STRUCT = 32
"""Levels of lists and objects in free-form JSON."""


_single_precision = struct.Struct("<f")
_WHOLE = re.compile(r"-?[0-9]{1,20}")


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


class MessageChecker:
    """Checks objects for one message type. Call it with an object to get the constructor's arguments."""

    def __init__(self, descriptor: Descriptor, lenient: bool) -> None:
        """`lenient` passes over fields, enum values and nulls that this version does not know: for answers of
        newer servers.
        """
        self._lenient = lenient
        self._fields: dict[str, Checker] = {}
        self._oneofs: dict[str, str] = {}

    def add(self, field: FieldDescriptor, checker: Checker) -> None:
        """Take a field with the checker of its value."""
        self._fields[field.name] = checker
        oneof = field.containing_oneof
        if oneof is not None and len(oneof.fields) > 1:
            self._oneofs[field.name] = oneof.name

    def __call__(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise Refused(f"must be an object, not {_kind(value)}")
        given: dict[str, Any] = {}
        for name, item in value.items():
            # null means that the field is left out, whatever its type (proto3 JSON); Value alone has a null
            # of its own.
            checker = self._fields.get(name)
            if checker is None:
                if self._lenient:
                    continue
                raise Refused(self._unknown(name), "UNKNOWN_FIELD").inside(_shown(name))
            if item is None and checker is not _free:
                continue
            try:
                found = checker(item)
            except Refused as refused:
                raise refused.inside(name) from None
            if found is not None:
                given[name] = found
        if self._oneofs:
            self._check_oneofs(given)
        return given

    def _check_oneofs(self, given: Mapping[str, Any]) -> None:
        taken: dict[str, str] = {}
        for name in given:
            oneof = self._oneofs.get(name)
            if oneof is not None:
                if oneof in taken:
                    raise Refused(
                        f"cannot be given together with {taken[oneof]}; only one of them", "ONEOF_CONFLICT"
                    ).inside(name)
                taken[oneof] = name

    def _unknown(self, name: str) -> str:
        known = ", ".join(self._fields) or "none"
        return f"is not a field here; the fields are {known}"


def checker_of(descriptor: Descriptor, *, lenient: bool = False) -> Checker:
    """The checker of a message type; raises Refused for what it does not take. See `codec` for the rules."""
    found = _checkers.get((descriptor.full_name, lenient))
    if found is None:
        # Made aside and published together: a type may contain itself, and nobody may see it half made.
        made: dict[str, Checker] = {}
        found = _make(descriptor, lenient, made)
        _checkers.update({(name, lenient): checker for name, checker in made.items()})
    return found


_checkers: dict[tuple[str, bool], Checker] = {}


def _make(descriptor: Descriptor, lenient: bool, made: dict[str, Checker]) -> Checker:
    name = descriptor.full_name
    if name in made:
        return made[name]
    if name in _WELL_KNOWN:
        return _WELL_KNOWN[name]
    if name.startswith("google.protobuf."):
        raise TypeError(f"{name} has no JSON form here")
    made[name] = checker = MessageChecker(descriptor, lenient)
    for field in descriptor.fields:
        checker.add(field, _field_checker(field, lenient, made))
    return checker


def _field_checker(field: FieldDescriptor, lenient: bool, made: dict[str, Checker]) -> Checker:
    if is_map(field):
        kind = message_of(field)
        return _map_of(
            kind.fields_by_name["key"], _value_checker(kind.fields_by_name["value"], lenient, made), lenient
        )
    single = _value_checker(field, lenient, made)
    return _list_of(single, lenient) if field.is_repeated else single


def single_checker(field: FieldDescriptor) -> Checker:
    """The checker of one value of a field, whether or not the field is repeated."""
    return _value_checker(field, False, {})


def _value_checker(field: FieldDescriptor, lenient: bool, made: dict[str, Checker]) -> Checker:
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _enum(field, lenient)
    if field.message_type is not None:
        return _make(field.message_type, lenient, made)
    return _SCALARS[field.type]


def _list_of(single: Checker, lenient: bool) -> Checker:
    def check(value: Any) -> list[Any]:
        if type(value) is not list:
            raise Refused(f"must be a list, not {_kind(value)}")
        found = []
        try:
            for item in value:
                found.append(single(item))
        except Refused as refused:
            raise refused.inside(f"[{len(found)}]") from None
        # Only enum values that this version does not know come out as None.
        return [item for item in found if item is not None] if lenient else found

    return check


def _map_of(key_field: FieldDescriptor, single: Checker, lenient: bool) -> Checker:
    text_keys = key_field.type == FieldDescriptor.TYPE_STRING

    def check(value: Any) -> dict[Any, Any]:
        if type(value) is not dict:
            raise Refused(f"must be an object, not {_kind(value)}")
        found: dict[Any, Any] = {}
        for key, item in value.items():
            if item is None and lenient:
                continue
            try:
                found[key if text_keys else _map_key(key, key_field)] = single(item)
            except Refused as refused:
                raise refused.inside(f"[{_shown(key)}]") from None
        return found

    return check


def _map_key(text: str, field: FieldDescriptor) -> Any:
    if field.type == FieldDescriptor.TYPE_BOOL:
        if text not in ("true", "false"):
            raise Refused('is no key; keys are "true" and "false"')
        return text == "true"
    if not _WHOLE.fullmatch(text):
        raise Refused("is no key; keys are whole numbers")
    return _SCALARS[field.type](int(text))


def _enum(field: FieldDescriptor, lenient: bool) -> Checker:
    enum = enum_of(field)
    numbers = enum_numbers(enum)
    listed = ", ".join(choices(enum))

    def check(value: Any) -> int | None:
        number = numbers.get(value) if type(value) is str else None
        if number is None:
            if lenient:
                return value if type(value) is int else None
            raise Refused(f"must be one of {listed}")
        return number

    return check


def _integer(lowest: int, highest: int) -> Checker:
    def check(value: Any) -> int:
        if type(value) is not int:
            # 5.0 and 1e3 are whole numbers too, however they are written (proto3 JSON).
            if type(value) is not float or not value.is_integer():
                raise Refused(f"must be a whole number, not {_kind(value)}")
            value = int(value)
        number: int = value
        if not lowest <= number <= highest:
            raise Refused(f"must be between {lowest} and {highest}")
        return number

    return check


def _number(value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise Refused(f"must be a number, not {_kind(value)}")
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
        raise Refused(f"must be a text, not {_kind(value)}")
    return value


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise Refused(f"must be true or false, not {_kind(value)}")
    return value


def _bytes(value: Any) -> bytes:
    if type(value) is not str:
        raise Refused(f"must be bytes in base64, not {_kind(value)}")
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


def _free(value: Any) -> Value:
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
        raise Refused(f"must be an object, not {_kind(value)}")
    return _free(value).struct_value


def _free_list(value: Any) -> ListValue:
    if type(value) is not list:
        raise Refused(f"must be a list, not {_kind(value)}")
    return _free(value).list_value


def _empty(value: Any) -> Any:
    if type(value) is not dict or value:
        raise Refused("must be an empty object")
    return {}


def _kind(value: Any) -> str:
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


def _shown(name: str) -> str:
    """A name from the input, short enough to be repeated in an error."""
    return name if len(name) <= 80 else name[:80] + "…"


_WELL_KNOWN: dict[str, Checker] = {
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.Duration": _duration,
    "google.protobuf.Empty": _empty,
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _free,
    "google.protobuf.ListValue": _free_list,
}

_INT32 = _integer(-(2**31), 2**31 - 1)
_INT64 = _integer(-(2**63), 2**63 - 1)
_UINT32 = _integer(0, 2**32 - 1)
_UINT64 = _integer(0, 2**64 - 1)

_SCALARS: dict[int, Checker] = {
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
