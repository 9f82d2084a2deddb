"""A REST route as the gateway serves it: its binding with all that can be known before a request comes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

from annotateforge.api.options.v1 import options_pb2
from annotateforge.gateway.metrics import Tally
from annotateforge.runtime.auth import Principal as _Principal
from annotateforge.runtime.auth import Role, access_roles, allows
from annotateforge.runtime.rest.response import response_writer
from annotateforge.runtime.rest.rules import Binding, Shape
from annotateforge.runtime.rest.templates import Template

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One binding, ready to be called."""

    binding: Binding
    call: Callable[..., Any]
    """The RPC on the channel of its service: a multicallable of grpc.aio."""
    roles: frozenset[Role]
    """The roles whose tokens may call, those higher on the ladder included."""
    needed: str
    """The least roles for people, such as `editor or worker`."""
    write: Callable[[Message], bytes] | None
    """Makes the JSON body of a response; None for what answers bytes or nothing."""
    location: Callable[[Message], bytes] | None
    """The path of the resource that a response has made; None for what makes none with a route of its own."""

    tally: Tally
    """Counts its requests."""


def make_route(binding: Binding, channel: grpc.aio.Channel, readers: Mapping[str, Template]) -> Route:
    """The route of a binding over a channel; `readers` are the paths at which resources are read, by type."""
    method = binding.method
    streaming = (method.client_streaming, method.server_streaming)
    make: Callable[..., Any] = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
    }[streaming]
    call = make(
        binding.rpc_path,
        request_serializer=binding.request_type.SerializeToString,
        # Chunks go on as they came: taking them out of message objects would copy every byte twice more.
        response_deserializer=None if binding.shape is Shape.DOWNLOAD else binding.response_type.FromString,
    )
    named = access_roles(method.GetOptions().Extensions[options_pb2.access].roles)
    return Route(
        binding=binding,
        call=call,
        roles=frozenset(role for role in Role if allows(named, _Principal("", role))),
        needed=" or ".join(sorted(named)) or "a role that nobody has",
        write=_writer(binding),
        location=_location(binding, readers),
        tally=Tally(binding.template.text),
    )


def resource_paths(bindings: Iterable[Binding]) -> dict[str, Template]:
    """Where resources are read, by the full name of their message: GET with the id as the only variable."""
    return {
        binding.response_field.message_type.full_name: binding.template
        for binding in bindings
        if binding.http_method == "GET"
        and binding.shape is Shape.JSON
        and len(binding.template.variables) == 1
        and binding.response_field is not None
        and binding.response_field.message_type is not None
        and "id" in binding.response_field.message_type.fields_by_name
    }


def _writer(binding: Binding) -> Callable[[Message], bytes] | None:
    if binding.shape is Shape.DOWNLOAD or binding.success_status == 204:
        return None
    return response_writer(binding)


def _location(binding: Binding, readers: Mapping[str, Template]) -> Callable[[Message], bytes] | None:
    field = binding.response_field
    if not binding.creates or field is None or field.message_type is None:
        return None
    template = readers.get(field.message_type.full_name)
    if template is None:
        return None

    def location(response: Message) -> bytes:
        made = getattr(response, field.name)
        return template.expand(lambda _: made.id).encode()

    return location
