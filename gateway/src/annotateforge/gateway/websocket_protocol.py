"""uvicorn's WebSocket protocol with a way past ASGI: finished frames go to the transport at once.

A thousand watchers get the same bytes. ASGI would have each of them woken as a task, checked, framed and
joined again for itself; here each costs one write. Whoever takes slowly is told by `offer`, and has `send`.
"""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request

EXTENSION = "annotateforge.frames"
"""Where an application finds the protocol, in the extensions of a WebSocket's scope."""


def text_frame(text: str) -> bytes:
    """A text as a server sends it: one frame, not masked, without extensions (RFC 6455, section 5.2)."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


class FrameProtocol(WebSocketsSansIOProtocol):
    """Serves a client that only listens; what it says is read and dropped, pings and closing aside.

    No extension may be negotiated, or frames would have to be transformed: `ws_per_message_deflate` is off.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pausing: asyncio.Future[None] | None = None
        self._left = False

    def offer(self, frame: bytes) -> bool:
        """Write a frame now. False, and nothing is written, when the client takes slowly or has left."""
        if self._left or self.close_sent or not self.writable.is_set():
            return False
        self.transport.write(frame)
        return True

    async def send_frame(self, frame: bytes) -> None:
        """Write a frame once the client takes what came before. ConnectionResetError when it has left."""
        await self.writable.wait()
        if self._left or self.close_sent:
            raise ConnectionResetError
        self.transport.write(frame)

    async def pause(self) -> None:
        """Wait for `wake`. ConnectionResetError when the client has left, or does meanwhile."""
        if not self._left:
            self._pausing = self.loop.create_future()
            try:
                await self._pausing
            finally:
                self._pausing = None
        if self._left:
            raise ConnectionResetError

    def wake(self) -> None:
        """End a pause."""
        if self._pausing is not None and not self._pausing.done():
            self._pausing.set_result(None)

    def handle_connect(self, event: Request) -> None:
        """Let the application, whose task has not begun yet, find this protocol."""
        super().handle_connect(event)
        if not self.close_sent:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[EXTENSION] = self

    def send_receive_event_to_app(self) -> None:
        """Drop what the client says: nobody would take it, and reading has to go on."""
        self.frames = []

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        self._leave()

    def handle_close(self, event: Frame) -> None:
        """The client closes."""
        super().handle_close(event)
        self._leave()

    def handle_parser_exception(self) -> None:
        """The client does not keep to the protocol, and is disconnected."""
        super().handle_parser_exception()
        self._leave()

    def shutdown(self) -> None:
        """The server stops, and says so."""
        super().shutdown()
        self._leave()

    def _leave(self) -> None:
        self._left = True
        self.wake()
