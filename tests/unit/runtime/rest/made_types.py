"""Message types that our protos do not have: every kind of field, to hold the codec to all of them."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, struct_pb2, timestamp_pb2
from google.protobuf.message_factory import GetMessageClass

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
    "sint32": _Field.TYPE_SINT32,
    "sint64": _Field.TYPE_SINT64,
    "fixed32": _Field.TYPE_FIXED32,
    "fixed64": _Field.TYPE_FIXED64,
    "sfixed32": _Field.TYPE_SFIXED32,
    "sfixed64": _Field.TYPE_SFIXED64,
    "bool": _Field.TYPE_BOOL,
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
}
_MESSAGES = {
    "timestamp": ".google.protobuf.Timestamp",
    "duration": ".google.protobuf.Duration",
    "struct": ".google.protobuf.Struct",
    "value": ".google.protobuf.Value",
    "list_value": ".google.protobuf.ListValue",
    "itself": ".made.All",
}
_ENUM = ".made.HTTPKind"


def _add(message: Any, name: str, kind: str, *, repeated: bool = False) -> Any:
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    field = message.field.add(name=name, number=len(message.field) + 1, label=label)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    elif kind == "enum":
        field.type, field.type_name = _Field.TYPE_ENUM, _ENUM
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, _MESSAGES.get(kind, kind)
    return field


def _add_map(message: Any, name: str, key: str, value: str) -> None:
    entry = message.nested_type.add(name=name.title().replace("_", "") + "Entry")
    entry.options.map_entry = True
    _add(entry, "key", key)
    _add(entry, "value", value)
    _add(message, name, f".made.{message.name}.{entry.name}", repeated=True)


def _make() -> Any:
    pool = descriptor_pool.Default()
    file = descriptor_pb2.FileDescriptorProto(name="made.proto", package="made", syntax="proto3")
    for known in (duration_pb2, struct_pb2, timestamp_pb2):
        file.dependency.append(known.DESCRIPTOR.name)
    enum = file.enum_type.add(name="HTTPKind")
    for number, name in enumerate(["HTTP_KIND_UNSPECIFIED", "HTTP_KIND_PLAIN", "HTTP_KIND_TWO_WORDS"]):
        enum.value.add(name=name, number=number)
    message = file.message_type.add(name="All")
    for kind in [*_SCALARS, "enum", *_MESSAGES]:
        _add(message, f"one_{kind}", kind)
        _add(message, f"many_{kind}", kind, repeated=True)
    # Words that Python keeps for itself, and one that the generated code uses.
    for name in ("from", "class", "d", "m"):
        _add(message, name, "string")
    _add_map(message, "names", "string", "double")
    _add_map(message, "counts", "int64", "enum")
    _add_map(message, "flags", "bool", "itself")
    message.oneof_decl.add(name="choice")
    for name in ("left", "right"):
        _add(message, name, "string").oneof_index = 0
    _add(message, "deep", "itself").oneof_index = 0
    _add(message, "after", "int32")
    for kind in ("int32", "string", "enum", "double"):
        message.oneof_decl.add(name=f"_maybe_{kind}")
        field = _add(message, f"maybe_{kind}", kind)
        field.proto3_optional, field.oneof_index = True, len(message.oneof_decl) - 1
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("made.All"))


All = _make()
