"""uvicorn as a part of this process: a context manager on a socket of ours, without signals or logs of its
own.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from annotateforge.gateway.http_protocol import BoundedHttpProtocol
from annotateforge.gateway.websocket_protocol import FrameProtocol

_GRACE_SECONDS = 5
_KEEP_ALIVE_SECONDS = 75
_BACKLOG = 2048
# Clients of the WebSocket have nothing to say.
_LARGEST_SOCKET_MESSAGE = 4096
_PING_SECONDS = 20.0


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals are the process's, see runtime.process.
        yield


@contextlib.asynccontextmanager
async def http_server(app: ASGIApp, listen: str) -> AsyncIterator[str]:
    """Serve an application at host:port for the time of the context; yields the address with the port that
    was taken.

    At the end connections get 5 s to complete what they are at; WebSockets are closed with 1012. OSError when
    the address cannot be taken.
    """
    host, _, port = listen.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), int(port)), family=family, backlog=_BACKLOG)
    except (OSError, ValueError) as error:
        raise OSError(f"Cannot listen on {listen}; is another process using the port?") from error
    # Connections inherit it. asyncio's own loop would set it only on sockets that name their protocol.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        app,
        interface="asgi3",
        http=BoundedHttpProtocol,
        ws=FrameProtocol,
        lifespan="off",
        # Lines of uvicorn's at info show whole addresses, and with them tokens of WebSockets.
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws_max_size=_LARGEST_SOCKET_MESSAGE,
        ws_per_message_deflate=False,
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PING_SECONDS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        backlog=_BACKLOG,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait([serving, ready], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
        yield f"{host}:{listener.getsockname()[1]}"
    finally:
        ready.cancel()
        server.should_exit = True
        await serving
