"""The gRPC server that every service runs: health, reflection, tokens, errors and logs around the service's
own methods.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from annotateforge.runtime import reflection
from annotateforge.runtime.access import OPEN, MethodAccess, method_access, methods_without_access
from annotateforge.runtime.auth import TokenVerifier
from annotateforge.runtime.interceptor import CallInterceptor

MAX_MESSAGE = 16 * 1024 * 1024
"""Most bytes of one message that a server or a channel takes."""
GRACE = 5.0
"""Seconds that calls get to end when the server stops."""

_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", -1),
    # Two servers on one port would share its calls at random; the second one shall fail.
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
]

log = structlog.get_logger()

Service = tuple[Callable[[Any, grpc.aio.Server], None], object, str]
"""The generated `add_XServicer_to_server`, the servicer, and the service's full name."""


@dataclass(slots=True)
class Server:
    """A server that is running."""

    address: str
    """Where it is reached, host:port with the port that was taken."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has been told to stop; see `call.stopping`."""


@contextlib.asynccontextmanager
async def serve(listen: str, services: Sequence[Service], verifier: TokenVerifier) -> AsyncIterator[Server]:
    """Serve for the time of the context; health says SERVING only inside it.

    Methods are open to the roles that their `(access)` option names, and to nobody without one. Health and
    reflection need no token. At the end calls get 5 s before they are cancelled. OSError when the address
    cannot be taken.
    """
    names = [name for _, _, name in services]
    stopping = asyncio.Event()
    for path in methods_without_access(names):
        log.error("nobody may call this method: it has no access option", method=path)
    access = method_access(names) | _open_methods()
    server = grpc.aio.server(interceptors=[CallInterceptor(access, verifier, stopping)], options=_OPTIONS)
    for add, servicer, _ in services:
        add(servicer, server)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    reflection.add_reflection([*names, health.SERVICE_NAME], server)
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise OSError(f"Cannot listen on {listen}; is another process using the port?") from error
    if port == 0:
        raise OSError(f"Cannot listen on {listen}; is another process using the port?")
    await server.start()
    for name in ["", *names]:
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    host = listen.rpartition(":")[0]
    try:
        yield Server(listen if listen.startswith("unix:") else f"{host}:{port}", stopping)
    finally:
        stopping.set()
        await checks.enter_graceful_shutdown()
        await server.stop(GRACE)


def _open_methods() -> dict[str, MethodAccess]:
    checks = [f"/{health.SERVICE_NAME}/{name}" for name in ("Check", "List", "Watch")]
    questions = [f"/{name}/ServerReflectionInfo" for name in (reflection.V1ALPHA, reflection.V1)]
    return dict.fromkeys(checks + questions, OPEN)
