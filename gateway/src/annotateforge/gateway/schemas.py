"""JSON schemas (OpenAPI 3.1, JSON Schema 2020-12) of proto messages, as `runtime.rest.codec` writes and reads
them.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from annotateforge.api.options.v1 import options_pb2
from annotateforge.gateway.comments import proto_comments
from annotateforge.runtime.rest.names import enum_names

Schema = dict[str, Any]

_SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.TYPE_INT64: {"type": "integer", "format": "int64"},
    FieldDescriptor.TYPE_UINT64: {"type": "integer", "minimum": 0},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
_WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "number", "description": "Seconds."},
}


def messages_of(roots: Iterable[Descriptor]) -> list[Descriptor]:
    """The messages and all that they hold, each once, those with a schema of their own."""
    found: dict[str, Descriptor] = {}
    waiting = list(roots)
    while waiting:
        message = waiting.pop()
        if message.full_name in _WELL_KNOWN or message.full_name in found:
            continue
        if not message.GetOptions().map_entry:
            found[message.full_name] = message
        waiting += [field.message_type for field in message.fields if field.message_type is not None]
    return list(found.values())


def enums_of(messages: Iterable[Descriptor], fields: Iterable[FieldDescriptor] = ()) -> list[EnumDescriptor]:
    """The enums of the messages' own fields and of further ones, each once, by name."""
    every = [*fields, *(field for message in messages for field in _value_fields(message))]
    found = {field.enum_type.full_name: field.enum_type for field in every if field.enum_type is not None}
    return sorted(found.values(), key=lambda enum: enum.name)


def enum_schema(enum: EnumDescriptor) -> Schema:
    """A string that is one of the short names, with the meaning of each in the description."""
    comments = proto_comments()
    shown = enum_names(enum)
    names = [str(shown[value.number]) for value in enum.values]
    meanings = [
        f"- `{name}`: {comments.get(f'{enum.full_name}.{value.name}', '')}"
        for name, value in zip(names, enum.values, strict=True)
    ]
    text = comments.get(enum.full_name, "")
    return {"type": "string", "enum": names, "description": "\n".join([text, "", *meanings]).strip()}


def message_schema(message: Descriptor, *, answered: bool, left_out: Collection[str] = ()) -> Schema:
    """An object with the message's fields.

    `answered`: it is never sent by a client, so that all fields without presence are always there. `left_out`
    are fields that travel elsewhere, such as in the path.
    """
    fields = [field for field in message.fields if field.name not in left_out]
    schema: Schema = {"type": "object"}
    description = [proto_comments().get(message.full_name, "")]
    for oneof in message.oneofs:
        names = [field.name for field in oneof.fields]
        if len(names) > 1 and not set(names) & set(left_out):
            description.append(f"At most one of {', '.join(f'`{name}`' for name in names)} is given.")
    schema["description"] = "\n\n".join(filter(None, description))
    if fields:
        schema["properties"] = {field.name: field_schema(field) for field in fields}
    required = [field.name for field in fields if _is_required(field, answered)]
    if required:
        schema["required"] = required
    return schema


def field_schema(field: FieldDescriptor) -> Schema:
    """The schema of one field with its comment."""
    schema = {**value_schema(field), **_setting(field)}
    behaviours = _behaviours(field)
    description = proto_comments().get(field.full_name)
    if description:
        schema = {**schema, "description": description}
    if field_behavior_pb2.OUTPUT_ONLY in behaviours:
        schema = {**schema, "readOnly": True}
    return schema


def value_schema(field: FieldDescriptor) -> Schema:
    """The schema of a field's value alone."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return {"type": "object", "additionalProperties": _single(field.message_type.fields_by_name["value"])}
    if field.is_repeated:
        return {"type": "array", "items": _single(field)}
    return _single(field)


def is_required(field: FieldDescriptor) -> bool:
    """Whether the proto says that a client must give the field."""
    return field_behavior_pb2.REQUIRED in _behaviours(field)


def reference(name: str) -> Schema:
    """A reference to a schema among the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def _single(field: FieldDescriptor) -> Schema:
    if field.message_type is not None:
        known = _WELL_KNOWN.get(field.message_type.full_name)
        return dict(known) if known is not None else reference(field.message_type.name)
    if field.enum_type is not None:
        return reference(field.enum_type.name)
    return dict(_SCALARS[field.type])


def _is_required(field: FieldDescriptor, answered: bool) -> bool:
    if is_required(field):
        return True
    # OpenAPI: what is both required and readOnly is required of answers alone.
    always = answered or field_behavior_pb2.OUTPUT_ONLY in _behaviours(field)
    return always and not field.has_presence


def _setting(field: FieldDescriptor) -> Schema:
    """What the option `setting` says of a field that people set, in JSON Schema's words where it has some."""
    options = field.GetOptions()
    if not options.HasExtension(options_pb2.setting):
        return {}
    said = options.Extensions[options_pb2.setting]
    schema: Schema = {"title": said.title}
    if said.maximum > said.minimum:
        schema["exclusiveMinimum" if said.exclusive_minimum else "minimum"] = _number(field, said.minimum)
        schema["exclusiveMaximum" if said.exclusive_maximum else "maximum"] = _number(field, said.maximum)
    if said.default:
        schema["default"] = said.default if field.enum_type is not None else json.loads(said.default)
    if said.group:
        schema["x-group"] = said.group
    if said.tasks:
        schema["x-tasks"] = list(said.tasks)
    return schema


def _number(field: FieldDescriptor, value: float) -> float:
    return int(value) if value.is_integer() and "integer" in _SCALARS[field.type]["type"] else value


def _behaviours(field: FieldDescriptor) -> Collection[int]:
    return list(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def _value_fields(message: Descriptor) -> Iterator[FieldDescriptor]:
    for field in message.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            yield field.message_type.fields_by_name["value"]
        else:
            yield field
