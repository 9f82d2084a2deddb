"""Plain JSON objects to messages. For each message type a checker is made at first use, which turns an
object into what the message's own constructor takes; that constructor is C.
"""

import re
from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from annotateforge.runtime.rest.names import choices, enum_numbers, enum_of, is_map, message_of
from annotateforge.runtime.rest.values import (
    SCALARS,
    WELL_KNOWN,
    Checker,
    Refused,
    free_value,
    kind_of,
    shown,
)

_WHOLE = re.compile(r"-?[0-9]{1,20}")


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
            raise Refused(f"must be an object, not {kind_of(value)}")
        given: dict[str, Any] = {}
        for name, item in value.items():
            # null means that the field is left out, whatever its type (proto3 JSON); Value alone has a null
            # of its own.
            checker = self._fields.get(name)
            if checker is None:
                if self._lenient:
                    continue
                raise Refused(self._unknown(name), "UNKNOWN_FIELD").inside(shown(name))
            if item is None and checker is not free_value:
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
    if name in WELL_KNOWN:
        return WELL_KNOWN[name]
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
    return SCALARS[field.type]


def _list_of(single: Checker, lenient: bool) -> Checker:
    def check(value: Any) -> list[Any]:
        if type(value) is not list:
            raise Refused(f"must be a list, not {kind_of(value)}")
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
            raise Refused(f"must be an object, not {kind_of(value)}")
        found: dict[Any, Any] = {}
        for key, item in value.items():
            if item is None and lenient:
                continue
            try:
                found[key if text_keys else _map_key(key, key_field)] = single(item)
            except Refused as refused:
                raise refused.inside(f"[{shown(key)}]") from None
        return found

    return check


def _map_key(text: str, field: FieldDescriptor) -> Any:
    if field.type == FieldDescriptor.TYPE_BOOL:
        if text not in ("true", "false"):
            raise Refused('is no key; keys are "true" and "false"')
        return text == "true"
    if not _WHOLE.fullmatch(text):
        raise Refused("is no key; keys are whole numbers")
    return SCALARS[field.type](int(text))


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
