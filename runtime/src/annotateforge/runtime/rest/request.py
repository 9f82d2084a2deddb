"""HTTP requests to request messages and back: what stands in the path, in the query and in the body."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import orjson
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.rest.codec import from_object, parse, refused_argument, to_object
from annotateforge.runtime.rest.parameters import Parameter, parameters_of
from annotateforge.runtime.rest.rules import Binding, Shape
from annotateforge.runtime.rest.values import Refused


def read_request(
    binding: Binding, captures: Mapping[str, str], query: Iterable[tuple[str, str]], body: bytes = b""
) -> Message:
    """The request message of an HTTP request; of an upload its first message, with the header filled in.

    `captures` come from `Router.match`, `query` holds the decoded parameters in their order, one entry for
    each time they were given. `body` is JSON, or of a RAW binding the bytes themselves; that of an upload
    is not looked at. InvalidArgument: UNKNOWN_PARAMETER, UNEXPECTED_BODY, INVALID_VALUE, and what `codec`
    raises.
    """
    request = _read_body(binding, body)
    header = binding.header_field
    target = request
    if header is not None:
        target = getattr(request, header.name)
        target.SetInParent()
    try:
        for path, text in captures.items():
            name = binding.target_path(path)
            parameters_of(binding.target)[name].set(target, [text])
        for name, values in _grouped(query).items():
            parameter = _query_parameters(binding).get(name)
            if parameter is None:
                known = ", ".join(_query_parameters(binding)) or "none"
                raise Refused(
                    f"is not a parameter here; the parameters are {known}", "UNKNOWN_PARAMETER"
                ).inside(name[:80])
            parameter.set(target, values)
    except Refused as refused:
        raise refused_argument(refused) from None
    return request


def _read_body(binding: Binding, body: bytes) -> Message:
    """A request with what the body says."""
    if binding.shape is Shape.UPLOAD:
        return binding.request_type()
    if binding.shape is Shape.RAW:
        return binding.request_type(**{binding.body: body})
    if not binding.body:
        if body:
            raise InvalidArgument(
                "UNEXPECTED_BODY", f"{binding.http_method} takes no body here; leave it out."
            )
        return binding.request_type()
    value = parse(body)
    if binding.body_field is None:
        for name in binding.path_fields.intersection(value if isinstance(value, dict) else ()):
            raise InvalidArgument.of_field(
                "INVALID_VALUE", name, "stands in the path; leave it out of the body"
            )
        return from_object(binding.request_type, value)
    kind = binding.body_field.message_type
    if kind is None or binding.body_field.is_repeated:
        return from_object(binding.request_type, {binding.body: value})
    # Read on its own, so that a refusal names fields as they stand in the body.
    return binding.request_type(**{binding.body: from_object(GetMessageClass(kind), value)})


def _grouped(query: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in query:
        found.setdefault(name, []).append(value)
    return found


@lru_cache(4096)
def _query_parameters(binding: Binding) -> dict[str, Parameter]:
    """What may stand in the query: nothing where the body is everything, otherwise all that path and body
    leave.
    """
    if binding.body == "*":
        return {}
    taken = binding.path_fields
    return {
        name: parameter
        for name, parameter in parameters_of(binding.target).items()
        if name not in taken and name.split(".")[0] != binding.body
    }


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What a client sends."""

    binding: Binding
    path: str
    """Percent-encoded, without the query."""
    query: tuple[tuple[str, str], ...]
    """Parameters, not encoded yet."""
    body: bytes | None
    """JSON, or the bytes of a RAW binding; None without a body, and of an upload, whose chunks the caller
    streams.
    """


def write_request(bindings: Iterable[Binding], message: Message) -> HttpRequest:
    """The HTTP request for a request message; of an upload for its first message, which has the header.

    Takes the binding whose path says most of the message. ValueError when the message fills in none.
    """
    problem = "it has no REST binding"
    for binding in sorted(bindings, key=lambda binding: -len(binding.path_fields)):
        try:
            return _write(binding, message)
        except ValueError as error:
            problem = str(error)
    raise ValueError(f"{message.DESCRIPTOR.name}: {problem}")


def _write(binding: Binding, message: Message) -> HttpRequest:
    header = binding.header_field
    target = message if header is None else getattr(message, header.name)
    fields = parameters_of(binding.target)

    def text_of(path: str) -> str:
        return next(iter(fields[binding.target_path(path)].texts(target)), "")

    path = binding.template.expand(text_of)
    query = tuple(
        (name, text)
        for name, parameter in _query_parameters(binding).items()
        for text in parameter.texts(target)
    )
    return HttpRequest(binding, path, query, _write_body(binding, message))


def _write_body(binding: Binding, message: Message) -> bytes | None:
    if not binding.body or binding.shape is Shape.UPLOAD:
        return None
    if binding.shape is Shape.RAW:
        return bytes(getattr(message, binding.body))
    written = to_object(message)
    if binding.body_field is None:
        return orjson.dumps(
            {name: value for name, value in written.items() if name not in binding.path_fields}
        )
    return orjson.dumps(written.get(binding.body, {}))
