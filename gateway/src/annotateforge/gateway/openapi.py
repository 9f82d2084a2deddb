"""The OpenAPI 3.1 document of the REST API, from the descriptors of the protos and their comments."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from annotateforge.api.options.v1 import options_pb2
from annotateforge.gateway import fixed_paths
from annotateforge.gateway.comments import proto_comments, sentence
from annotateforge.gateway.schemas import (
    Schema,
    enum_schema,
    enums_of,
    is_required,
    message_schema,
    messages_of,
    reference,
    value_schema,
)
from annotateforge.runtime.auth import access_roles
from annotateforge.runtime.rest.parameters import parameters_of
from annotateforge.runtime.rest.rules import Binding, Shape

JSON = "application/json"
BYTES = "application/octet-stream"
FORM = "multipart/form-data"

_BINARY: Schema = {"type": "string", "format": "binary"}
_RANGE_HEADERS: list[Schema] = [
    {
        "name": "Range",
        "in": "header",
        "description": "One range of bytes, such as `bytes=0-1023`, `bytes=1024-` or `bytes=-512`.",
        "schema": {"type": "string"},
    },
    {
        "name": "If-Range",
        "in": "header",
        "description": "The range is sent only if the content still has this ETag, otherwise all of it.",
        "schema": {"type": "string"},
    },
    {
        "name": "If-None-Match",
        "in": "header",
        "description": "Answers 304 without a body if the content still has this ETag.",
        "schema": {"type": "string"},
    },
]


def openapi_document(bindings: Iterable[Binding]) -> dict[str, Any]:
    """The document for these bindings and the paths that every gateway has.

    ValueError where two messages share a short name, under which they would be one schema.
    """
    every = list(bindings)
    paths: dict[str, dict[str, Any]] = {}
    used: set[str] = set()
    for binding in every:
        operation = _operation(binding, _operation_id(binding, used))
        paths.setdefault(_path(binding), {})[binding.http_method.lower()] = operation
    for path, item in fixed_paths.paths().items():
        paths.setdefault(path, {}).update(item)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AnnotateForge Training",
            "version": version("annotateforge"),
            "summary": "Brings labelled images together, trains YOLO models from them, and keeps the models.",
            "description": fixed_paths.INTRODUCTION,
            "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"session": []}],
        "tags": _tags(every),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token made by `annotateforge token create --role ROLE`.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "annotateforge_session",
                    "description": "The token in the web app's cookie, whose name ends in the port.",
                },
            },
            "responses": fixed_paths.responses(),
            "schemas": _apart(_schemas(every), fixed_paths.schemas()),
        },
    }


def _apart(messages: dict[str, Schema], fixed: dict[str, Schema]) -> dict[str, Schema]:
    """Both together; ValueError where one would hide the other."""
    if shared := messages.keys() & fixed.keys():
        raise ValueError(f"two schemas have the name {', '.join(sorted(shared))}")
    return messages | fixed


def _path(binding: Binding) -> str:
    """The template with variables named as clients know them: without an upload's header before them."""
    text = binding.template.text
    for variable in binding.template.variables:
        text = text.replace(f"{{{variable.field}}}", f"{{{binding.target_path(variable.field)}}}")
    return text


def _operation_id(binding: Binding, used: set[str]) -> str:
    name = binding.method.name
    if name in used:
        # An additional binding: the last word of its path tells it apart.
        literals = [segment for segment in binding.template.segments if segment != "*"]
        name = f"{name}_{literals[-1]}"
        while name in used:
            name += "_"
    used.add(name)
    return name


def _operation(binding: Binding, operation_id: str) -> dict[str, Any]:
    method = binding.method
    comment = proto_comments().get(method.full_name, "").removeprefix(f"{method.name} ")
    comment = comment[:1].upper() + comment[1:]
    operation: dict[str, Any] = {
        "operationId": operation_id,
        "tags": [_tag(method)],
        "summary": sentence(comment).rstrip("."),
        "description": f"{comment}\n\n{_roles(method)}",
        "parameters": _parameters(binding),
        "responses": _responses(binding),
    }
    body = _request_body(binding)
    if body is not None:
        operation["requestBody"] = body
    return operation


def _tag(method: MethodDescriptor) -> str:
    return str(method.containing_service.name).removesuffix("Service").lower()


def _tags(bindings: Iterable[Binding]) -> list[dict[str, str]]:
    comments = proto_comments()
    found = {}
    for binding in bindings:
        service = binding.method.containing_service
        text = comments.get(service.full_name, "").removeprefix(f"{service.name} ")
        found[_tag(binding.method)] = text[:1].upper() + text[1:]
    return [{"name": name, "description": text} for name, text in found.items()]


def _roles(method: MethodDescriptor) -> str:
    roles = access_roles(method.GetOptions().Extensions[options_pb2.access].roles)
    return f"Needs the role {' or '.join(f'`{role}`' for role in sorted(roles))}."


def _parameters(binding: Binding) -> list[dict[str, Any]]:
    comments = proto_comments()
    fields = parameters_of(binding.target)
    found = []
    for variable in binding.template.variables:
        name = binding.target_path(variable.field)
        found.append(_parameter("path", name, fields[name].field, comments, required=True))
    if binding.body != "*":
        for name, parameter in fields.items():
            if name in binding.path_fields or name.split(".")[0] == binding.body:
                continue
            if binding.shape is Shape.DOWNLOAD and name in {"offset", "length"}:
                continue
            # A form gives the name with each file.
            required = is_required(parameter.field) and binding.shape is not Shape.UPLOAD
            found.append(_parameter("query", name, parameter.field, comments, required=required))
    if binding.shape is Shape.DOWNLOAD:
        found += _RANGE_HEADERS if _is_ranged(binding) else _RANGE_HEADERS[-1:]
    return found


def _is_ranged(binding: Binding) -> bool:
    return {"offset", "length"} <= set(binding.method.input_type.fields_by_name)


def _parameter(
    place: str, name: str, field: FieldDescriptor, comments: Any, *, required: bool
) -> dict[str, Any]:
    described = comments.get(field.full_name)
    return {
        "name": name,
        "in": place,
        "schema": value_schema(field),
        **({"required": True} if required else {}),
        **({"description": described} if described else {}),
    }


def _request_body(binding: Binding) -> dict[str, Any] | None:
    if not binding.body:
        return None
    if binding.shape is Shape.UPLOAD:
        return {"required": True, "content": {BYTES: {"schema": _BINARY}, FORM: {"schema": _form(binding)}}}
    if binding.shape is Shape.RAW:
        form = {"type": "object", "properties": {"file": _BINARY}, "required": ["file"]}
        return {"required": True, "content": {BYTES: {"schema": _BINARY}, FORM: {"schema": form}}}
    if binding.body_field is not None:
        return {"required": True, "content": {JSON: {"schema": value_schema(binding.body_field)}}}
    rest = [field for field in binding.method.input_type.fields if field.name not in binding.path_fields]
    return {
        "required": any(is_required(field) for field in rest),
        "content": {JSON: {"schema": reference(binding.method.input_type.name)}},
    }


def _form(binding: Binding) -> Schema:
    several = "filename" in binding.target.fields_by_name
    files: Schema = {"type": "array", "items": _BINARY} if several else _BINARY
    return {"type": "object", "properties": {"file": files}, "required": ["file"]}


def _responses(binding: Binding) -> dict[str, Any]:
    problem = {"$ref": "#/components/responses/Problem"}
    if binding.shape is Shape.DOWNLOAD:
        headers = fixed_paths.DOWNLOAD_HEADERS
        content = {"*/*": {"schema": _BINARY}}
        part = headers | {"Content-Range": {"schema": {"type": "string"}}}
        whole = {"description": "All of the content.", "headers": headers, "content": content}
        partial = {"description": "The range that was asked for.", "headers": part, "content": content}
        held = {"description": "The content is still the one with this ETag."}
        if not _is_ranged(binding):
            return {"200": whole, "304": held, "default": problem}
        return {"200": whole, "206": partial, "304": held, "416": problem, "default": problem}
    status = binding.success_status
    if status == 204:
        return {"204": {"description": "Done."}, "default": problem}
    field = binding.response_field
    schema = reference(binding.method.output_type.name) if field is None else value_schema(field)
    meaning = "What was made." if status == 201 else "The answer."
    return {
        str(status): {"description": meaning, "content": {JSON: {"schema": schema}}},
        "default": problem,
    }


def _schemas(bindings: list[Binding]) -> dict[str, Schema]:
    """Schemas of all that travels as JSON, by short name."""
    requests: dict[str, tuple[Descriptor, frozenset[str]]] = {}
    sent: list[Descriptor] = []
    answered: list[Descriptor] = [fixed_paths.EVENT]
    for binding in bindings:
        if binding.shape in (Shape.JSON, Shape.LAST) and binding.body == "*":
            requests[binding.method.input_type.full_name] = (binding.method.input_type, binding.path_fields)
        if binding.body_field is not None and binding.body_field.message_type is not None:
            sent.append(binding.body_field.message_type)
        if binding.response_field is not None and binding.response_field.message_type is not None:
            answered.append(binding.response_field.message_type)
        elif binding.response_field is None and binding.shape is not Shape.DOWNLOAD:
            answered += [binding.method.output_type] if binding.success_status != 204 else []
    sent_names = {m.full_name for m in messages_of([*sent, *(m for m, _ in requests.values())])}
    every = messages_of([*sent, *answered, *(message for message, _ in requests.values())])
    found: dict[str, Schema] = {}
    for message in sorted(every, key=lambda message: message.name):
        if message.name in found:
            raise ValueError(f"Two messages are called {message.name}.")
        left_out = requests.get(message.full_name, (message, frozenset[str]()))[1]
        found[message.name] = message_schema(
            message, answered=message.full_name not in sent_names, left_out=left_out
        )
    parameters = [p.field for binding in bindings for p in parameters_of(binding.target).values()]
    for enum in enums_of(every, parameters):
        if found.setdefault(enum.name, enum_schema(enum))["type"] != "string":
            raise ValueError(f"A message and an enum are called {enum.name}.")
    return found
