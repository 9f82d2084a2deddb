"""The REST routes that the `google.api.http` options of the protos describe, and a matcher for them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from google.api import annotations_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from annotateforge.api.options.v1 import options_pb2
from annotateforge.runtime.errors import InvalidArgument, NotFound
from annotateforge.runtime.rest.templates import Template, parse_template, unquote_segment


class Shape(Enum):
    """How a binding's bodies travel."""

    JSON = "JSON in, JSON out"
    RAW = "bytes in (the request's field that `body` names), JSON out"
    UPLOAD = "bytes in, streamed as a header and chunks; JSON out"
    DOWNLOAD = "bytes out, streamed as a description and chunks, with ranges"
    LAST = "JSON in; the last message of the stream that has the response's field is the answer"


@dataclass(frozen=True, eq=False)
class Binding:
    """One REST route of one method."""

    http_method: str
    """GET, PUT, POST, DELETE, PATCH, or a custom one."""
    template: Template
    body: str
    """Field of the request that the body fills, `*` for all that the path does not; empty without a body."""
    response_body: str
    """Field of the response that is the answer; empty when all of it is."""
    method: MethodDescriptor
    shape: Shape

    @cached_property
    def rpc_path(self) -> str:
        """Path of the RPC, such as `/package.Service/Method`."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @cached_property
    def creates(self) -> bool:
        """Whether the method makes a resource."""
        return bool(self.method.GetOptions().Extensions[options_pb2.creates])

    @cached_property
    def success_status(self) -> int:
        """HTTP status of success: 201 of what creates, 204 of a DELETE that answers nothing, else 200."""
        if self.creates:
            return 201
        return 204 if self.http_method == "DELETE" and not self.method.output_type.fields else 200

    @cached_property
    def request_type(self) -> type[Message]:
        """Class of the method's request."""
        return message_factory.GetMessageClass(self.method.input_type)

    @cached_property
    def response_type(self) -> type[Message]:
        """Class of the method's response."""
        return message_factory.GetMessageClass(self.method.output_type)

    @cached_property
    def header_field(self) -> FieldDescriptor | None:
        """Of an upload, the request's field that holds the header."""
        if self.shape is not Shape.UPLOAD:
            return None
        return next(f for f in self.method.input_type.fields if f.message_type is not None)

    @cached_property
    def target(self) -> Descriptor:
        """The message that path and query fill: an upload's header, otherwise the request."""
        header = self.header_field
        return header.message_type if header is not None and header.message_type else self.method.input_type

    @cached_property
    def path_fields(self) -> frozenset[str]:
        """Paths of the fields of `target` that the path fills."""
        return frozenset(map(self.target_path, (variable.field for variable in self.template.variables)))

    def target_path(self, path: str) -> str:
        """A field path of the template as a path in `target`."""
        return path if self.header_field is None else path.removeprefix(self.header_field.name + ".")

    @cached_property
    def body_field(self) -> FieldDescriptor | None:
        """The request's field that the body fills; None for `*` and without a body."""
        return self.method.input_type.fields_by_name[self.body] if self.body not in ("", "*") else None

    @cached_property
    def response_field(self) -> FieldDescriptor | None:
        """The response's field that is the answer; None when all of it is."""
        return self.method.output_type.fields_by_name[self.response_body] if self.response_body else None


def bindings_of(service: ServiceDescriptor) -> list[Binding]:
    """All REST routes of a service, a method's own before its additional ones. ValueError for a rule that
    cannot work.
    """
    found = []
    for method in service.methods:
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        if rule.WhichOneof("pattern") is not None:
            found.append(_binding(method, rule))
            found.extend(_binding(method, additional) for additional in rule.additional_bindings)
    return found


def _binding(method: MethodDescriptor, rule: Any) -> Binding:
    pattern = rule.WhichOneof("pattern")
    http_method = rule.custom.kind if pattern == "custom" else pattern.upper()
    template = parse_template(rule.custom.path if pattern == "custom" else getattr(rule, pattern))
    for variable in template.variables:
        _check_path_field(method, variable.field)
    for name, kind in ((rule.body, method.input_type), (rule.response_body, method.output_type)):
        if name not in ("", "*") and name not in kind.fields_by_name:
            raise ValueError(f"{method.full_name}: {kind.name} has no field {name}")
    shape = _shape(method, rule.body, rule.response_body)
    return Binding(http_method, template, rule.body, rule.response_body, method, shape)


def _shape(method: MethodDescriptor, body: str, response_body: str) -> Shape:
    body_field = method.input_type.fields_by_name.get(body)
    raw = body_field is not None and body_field.type == FieldDescriptor.TYPE_BYTES
    if method.client_streaming and raw and not method.server_streaming:
        return Shape.UPLOAD
    if method.server_streaming and not method.client_streaming:
        kinds = {field.type for field in method.output_type.fields}
        if not response_body and kinds == {FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_BYTES}:
            return Shape.DOWNLOAD
        if response_body:
            return Shape.LAST
    if method.client_streaming or method.server_streaming:
        raise ValueError(f"{method.full_name}: a stream of this form has no REST binding")
    return Shape.RAW if raw else Shape.JSON


def _check_path_field(method: MethodDescriptor, path: str) -> None:
    kind: Descriptor | None = method.input_type
    leaf = None
    for name in path.split("."):
        leaf = kind.fields_by_name.get(name) if kind is not None else None
        if leaf is None:
            raise ValueError(
                f"{method.full_name}: the path names {path}, which {method.input_type.name} does not have"
            )
        kind = leaf.message_type
    if leaf is None or leaf.is_repeated or leaf.message_type is not None:
        raise ValueError(f"{method.full_name}: the path names {path}, which is no single value")


class MethodNotAllowed(Exception):
    """There is such a path, but not with this HTTP method. REST answers 405 with `Allow`."""

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__("method not allowed")
        self.allowed = tuple(sorted(allowed))


@dataclass(frozen=True, slots=True)
class Match:
    """A route and what the path filled in."""

    binding: Binding
    captures: Mapping[str, str]
    """Texts by field path of the request, decoded."""


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    one: "_Node | None" = None
    rest: "_Node | None" = None
    ends: dict[str, dict[str, Binding]] = field(default_factory=dict)
    """Bindings that end here by verb and HTTP method."""


class Router:
    """Finds the binding of a request. Literals win over variables; the time does not depend on the number of
    routes.
    """

    def __init__(self, bindings: Iterable[Binding]) -> None:
        """ValueError when two bindings share method and path."""
        self._root = _Node()
        self.bindings = tuple(bindings)
        for binding in self.bindings:
            self._add(binding)

    def _add(self, binding: Binding) -> None:
        node = self._root
        for segment in binding.template.segments:
            if segment == "*":
                node.one = node = node.one or _Node()
            elif segment == "**":
                node.rest = node = node.rest or _Node()
            else:
                node = node.literals.setdefault(segment, _Node())
        ends = node.ends.setdefault(binding.template.verb, {})
        other = ends.setdefault(binding.http_method, binding)
        if other is not binding:
            raise ValueError(
                f"{binding.method.full_name} and {other.method.full_name} share {binding.template.text}"
            )

    def match(self, http_method: str, raw_path: str) -> Match:
        """The binding for a path as it was sent, without its query and still percent-encoded.

        NotFound ROUTE_NOT_FOUND; MethodNotAllowed where the path exists for other methods; InvalidArgument
        INVALID_PATH for a path that is no UTF-8.
        """
        if not raw_path.startswith("/"):
            raise _no_route(raw_path)
        segments = raw_path[1:].split("/")
        if "%" in raw_path:
            try:
                segments = [unquote_segment(segment) for segment in segments]
            except UnicodeDecodeError:
                raise InvalidArgument("INVALID_PATH", "The path is not percent-encoded UTF-8.") from None
        elif ":" not in segments[-1]:
            # Nearly all paths; what is not found straight away is searched for with every way back.
            binding = _straight(self._root, segments).get(http_method)
            if binding is not None:
                return Match(binding, binding.template.captures(segments))
        allowed: set[str] = set()
        for verb, parts in _readings(raw_path, segments):
            for node in _walk(self._root, parts, 0):
                ends = node.ends.get(verb)
                if ends is None:
                    continue
                binding = ends.get(http_method)
                if binding is not None:
                    return Match(binding, binding.template.captures(parts))
                allowed.update(ends)
        if allowed:
            raise MethodNotAllowed(allowed)
        raise _no_route(raw_path)


def _straight(node: _Node, segments: list[str]) -> Mapping[str, Binding]:
    """What a path without a verb leads to on the most literal way, if that way leads anywhere."""
    for segment in segments:
        following = node.literals.get(segment)
        if following is None:
            if node.one is None or not segment:
                return {}
            following = node.one
        node = following
    return node.ends.get("", {})


def _readings(raw_path: str, segments: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The path with what follows its last colon as a verb, where it has one, and as it is. An encoded colon
    is no verb's.
    """
    head, colon, verb = raw_path.rpartition("/")[2].rpartition(":")
    if colon and head and verb:
        yield verb, [*segments[:-1], unquote_segment(head)]
    yield "", segments


def _walk(node: _Node, segments: list[str], at: int) -> Iterator[_Node]:
    """Where the segments lead, the most literal way first."""
    if at == len(segments):
        yield node
        return
    segment = segments[at]
    literal = node.literals.get(segment)
    if literal is not None:
        yield from _walk(literal, segments, at + 1)
    if node.one is not None and segment:
        yield from _walk(node.one, segments, at + 1)
    if node.rest is not None:
        yield node.rest


def _no_route(path: str) -> NotFound:
    shown = path if len(path) <= 200 else path[:200] + "…"
    return NotFound("ROUTE_NOT_FOUND", f"There is nothing at {shown}. /docs lists what there is.")
