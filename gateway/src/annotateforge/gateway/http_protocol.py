"""uvicorn's HTTP protocol with bounds on what surrounds bodies. httptools has none: whoever sends a head
without end would fill the memory before any token is looked at.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 64 * 1024
"""Bytes of a request line with its headers, and of what stands between two pieces of a body."""
HEAD_SECONDS = 30.0
"""Seconds that a request's head may take, and for which a new connection may say nothing."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Answers a head that is too large with 400, and closes a connection whose head does not end."""

    _outside_body = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_ended()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._outside_body += len(data)
        super().data_received(data)
        # What one read brings is little; what is counted here is only what has not led to anything.
        if self._outside_body > LARGEST_HEAD and not self.transport.is_closing():
            # Before the first request there is no cycle.
            if getattr(self.cycle, "response_complete", True):
                self.send_400_response("The head of the request is too large.")
            else:
                self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._outside_body = 0
        self._head_ended()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._outside_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._outside_body = 0
        super().on_message_complete()

    def _expect_head(self) -> None:
        self._head_ended()
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_late)

    def _head_ended(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_late(self) -> None:
        if self.flow.read_paused:
            # It is us who do not read: a request before it is still being served.
            self._expect_head()
        else:
            self.transport.close()
