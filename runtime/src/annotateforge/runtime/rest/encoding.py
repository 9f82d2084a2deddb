"""Messages to plain JSON objects. For each message type a function is written and compiled at first use:
looking up what a field is, again for every value, would take most of the time of a call.
"""

import base64
import keyword
import struct
import threading
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from annotateforge.runtime.rest.names import enum_names, enum_of, is_map, message_of
from annotateforge.runtime.rest.times import duration_seconds, timestamp_text

Encoder = Callable[[Any], Any]

_encoders: dict[str, Encoder] = {}
_compiling = threading.Lock()
_single_precision = struct.Struct("f")


def encoder_of(descriptor: Descriptor) -> Encoder:
    """The function that turns messages of this type into what orjson can write; see `codec` for the rules."""
    found = _encoders.get(descriptor.full_name)
    if found is None:
        with _compiling:
            found = _encoders.get(descriptor.full_name) or _compile_all(descriptor)
    return found


def value_encoder(field: FieldDescriptor) -> Encoder:
    """The function that turns one value of a field into its JSON form, whether or not it is repeated."""
    return _expression(field, "value", _single(field, "value"))


def field_encoder(field: FieldDescriptor) -> Encoder:
    """The function that turns a field's value, a list or map where it is one, into its JSON form."""
    return _expression(
        field, "value", _repeated(field, "value") if field.is_repeated else _single(field, "value")
    )


def _expression(field: FieldDescriptor, argument: str, expression: str) -> Encoder:
    part = _part(field)
    if part is not None:
        encoder_of(part)
    exec(f"encode_value = lambda {argument}: {expression}", _scope)
    encoder: Encoder = _scope.pop("encode_value")
    return encoder


def _compile_all(descriptor: Descriptor) -> Encoder:
    """Compile a type and all that it is made of, then make them known together."""
    made: dict[str, Encoder] = {}
    pending = [descriptor]
    while pending:
        kind = pending.pop()
        if kind.full_name in made or kind.full_name in _encoders:
            continue
        encoder = _WELL_KNOWN.get(kind.full_name)
        if encoder is None:
            if kind.full_name.startswith("google.protobuf."):
                raise TypeError(f"{kind.full_name} has no JSON form here")
            # It is made of names from descriptors, which the proto compiler restricts to identifiers.
            exec(compile("\n".join(_function(kind)), f"<encoder of {kind.full_name}>", "exec"), _scope)
            encoder = _scope[_name(kind)]
            pending.extend(part for part in map(_part, kind.fields) if part is not None)
        _scope[_name(kind)] = made[kind.full_name] = encoder
    _encoders.update(made)
    return _encoders[descriptor.full_name]


def _part(field: FieldDescriptor) -> Descriptor | None:
    """The message type that a field's values are of; of a map its values."""
    return _entry(field, "value").message_type if is_map(field) else field.message_type


def _function(descriptor: Descriptor) -> list[str]:
    """Python of the encoder of one type: fields in the order of the proto, those without presence always."""
    lines = [f"def {_name(descriptor)}(m):", "    d = {}"]
    always: list[str] = []
    for field in descriptor.fields:
        oneof = field.containing_oneof
        if not field.has_presence:
            always.append(f"{field.name!r}: {_always(field)}")
            continue
        _flush(lines, always)
        if oneof is None or len(oneof.fields) == 1:
            lines.append(f"    if m.HasField({field.name!r}):")
            lines.append(f"        d[{field.name!r}] = {_single(field, _get(field))}")
        elif field.number == oneof.fields[0].number:
            lines.append(f"    w = m.WhichOneof({oneof.name!r})")
            for position, member in enumerate(oneof.fields):
                lines.append(f"    {'elif' if position else 'if'} w == {member.name!r}:")
                lines.append(f"        d[{member.name!r}] = {_single(member, _get(member))}")
    _flush(lines, always)
    return [*lines, "    return d"]


def _flush(lines: list[str], always: list[str]) -> None:
    """Write entries that are always there: as the first dict where nothing precedes them, else as update."""
    if always and lines[-1] == "    d = {}":
        lines[-1] = f"    d = {{{', '.join(always)}}}"
    elif always:
        lines.append(f"    d |= {{{', '.join(always)}}}")
    always.clear()


def _always(field: FieldDescriptor) -> str:
    return _repeated(field, _get(field)) if field.is_repeated else _single(field, _get(field))


def _repeated(field: FieldDescriptor, value: str) -> str:
    """Python expression for a list, or for a map in the order of its keys."""
    if not is_map(field):
        item = _single(field, "x")
        return f"[*{value}]" if item == "x" else f"[{item} for x in {value}]"
    key = "k" if _entry(field, "key").type == FieldDescriptor.TYPE_STRING else "_key(k)"
    return f"{{{key}: {_single(_entry(field, 'value'), 'v')} for k, v in sorted({value}.items())}}"


def _single(field: FieldDescriptor, value: str) -> str:
    """Python expression for one value, itself given as an expression."""
    if field.type == FieldDescriptor.TYPE_ENUM:
        enum = enum_of(field)
        name = "names_" + _mangled(enum.full_name)
        _scope[name] = enum_names(enum)
        return f"{name}[{value}]"
    if field.message_type is not None:
        return f"{_name(field.message_type)}({value})"
    if field.type == FieldDescriptor.TYPE_BYTES:
        return f"_base64({value})"
    if field.type == FieldDescriptor.TYPE_FLOAT:
        return f"_shortest({value})"
    return value


def _get(field: FieldDescriptor) -> str:
    return f"getattr(m, {field.name!r})" if keyword.iskeyword(field.name) else f"m.{field.name}"


def _name(descriptor: Descriptor) -> str:
    return "encode_" + _mangled(descriptor.full_name)


def _mangled(full_name: str) -> str:
    return full_name.replace("_", "__").replace(".", "_")


def _entry(field: FieldDescriptor, part: str) -> FieldDescriptor:
    """The key or the value of a map."""
    return message_of(field).fields_by_name[part]


def _key(key: int | bool) -> str:
    return str(key).lower()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _shortest(value: float) -> float:
    """The shortest decimal of a single-precision number: 0.1 and not 0.10000000149011612."""
    for digits in (6, 7, 8):
        short = float(f"{value:.{digits}g}")
        if _single_precision.unpack(_single_precision.pack(short))[0] == value:
            return short
    return float(f"{value:.9g}")


def _value(message: Any) -> Any:
    kind = message.WhichOneof("kind")
    if kind == "struct_value":
        return _struct(message.struct_value)
    if kind == "list_value":
        return _list(message.list_value)
    return None if kind in (None, "null_value") else getattr(message, kind)


def _struct(message: Any) -> dict[str, Any]:
    return {key: _value(value) for key, value in sorted(message.fields.items())}


def _list(message: Any) -> list[Any]:
    return [_value(value) for value in message.values]


_WELL_KNOWN: dict[str, Encoder] = {
    "google.protobuf.Timestamp": timestamp_text,
    "google.protobuf.Duration": duration_seconds,
    "google.protobuf.Empty": lambda message: {},
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _value,
    "google.protobuf.ListValue": _list,
}
_scope: dict[str, Any] = {"_key": _key, "_base64": _base64, "_shortest": _shortest}
