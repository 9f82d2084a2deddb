"""Server reflection under both of its names, so that clients of any age and language find the API."""

from collections.abc import Sequence
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

V1ALPHA = reflection.SERVICE_NAME
V1 = "grpc.reflection.v1.ServerReflection"
"""The later name; its messages are the same on the wire, and the library does not have it yet."""


def add_reflection(names: Sequence[str], server: grpc.aio.Server) -> None:
    """Let clients ask for the services with these full names and for the messages that they use."""
    # V1 is served but not listed: there is no descriptor of it that a client could then ask for.
    listed = [*names, V1ALPHA]
    reflection.enable_server_reflection(listed, server)
    servicer = reflection.aio.ReflectionServicer(listed)
    handler: Any = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(V1, {"ServerReflectionInfo": handler}),)
    )
