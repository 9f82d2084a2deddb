"""One HTTP request and its answer, directly on ASGI."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from annotateforge.gateway.refusals import body_stalled, body_too_large

Headers = Sequence[tuple[bytes, bytes]]

SECURITY: Final[Headers] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
)
"""What every answer that is no page carries: nothing in it is ever executed or guessed at."""
JSON: Final = (b"content-type", b"application/json")
NO_STORE: Final = (b"cache-control", b"no-store")

GATHERED_BYTES = 512 * 1024
"""Size of the pieces in which bodies go on to the services."""


class ClientGone(Exception):
    """The client closed the connection before the exchange was complete."""


class Exchange:
    """A request that is read and answered at most once."""

    __slots__ = (
        "_idle_timeout",
        "_receive",
        "_send",
        "headers",
        "request_id",
        "scope",
        "status",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, idle_timeout: float) -> None:
        """`idle_timeout`: seconds for which the client may neither send nor take any byte."""
        self.scope = scope
        self.request_id = ""
        """The id that logs, services and the answer carry."""
        self.status = 0
        """HTTP status of the answer; 0 before it has begun."""
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        """The request's headers by lower-case name; the last one where there are several."""
        self._receive = receive
        self._send = send
        self._idle_timeout = idle_timeout

    def header(self, name: bytes) -> str | None:
        """The value of a request header, named in lower case; the last one where there are several."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def has_body(self) -> bool:
        """Whether the request announces a body."""
        return self.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.headers

    async def body(self, limit: int) -> bytes:
        """The whole body of at most `limit` bytes. HttpRefusal 413 when it is larger, 408 when it stalls."""
        self._refuse_announced(limit)
        parts: list[bytes] = []
        size = 0
        async for part in self.parts():
            size += len(part)
            if size > limit:
                raise body_too_large(limit)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def parts(self) -> AsyncIterator[bytes]:
        """The body as it arrives; the connection is not read while a part is being used.

        ClientGone when the client closes the connection before the end; HttpRefusal 408 when it stalls.
        """
        more = True
        while more:
            try:
                async with asyncio.timeout(self._idle_timeout):
                    message = await self._receive()
            except TimeoutError:
                raise body_stalled(self._idle_timeout) from None
            if message["type"] == "http.disconnect":
                raise ClientGone
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces of half a MiB at most, few of them small: each costs a message."""
        gathered = bytearray()
        async for part in self.parts():
            gathered += part
            while len(gathered) >= GATHERED_BYTES:
                yield bytes(gathered[:GATHERED_BYTES])
                del gathered[:GATHERED_BYTES]
        if gathered:
            yield bytes(gathered)

    async def gone(self) -> None:
        """Wait until the client closes the connection, or until the answer is complete."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def answer(self, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Answer with a body that is there already; adds its length, the request id and SECURITY."""
        await self.begin(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self._send({"type": "http.response.body", "body": body})

    async def answer_nothing(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Answer with headers alone."""
        await self.begin(status, headers)
        await self._send({"type": "http.response.body", "body": b""})

    async def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Begin an answer whose body follows with `write`."""
        self.status = status
        own = (b"x-request-id", self.request_id.encode())
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [*headers, own, *SECURITY]}
        )

    async def write(self, chunk: bytes | memoryview, *, more: bool = True) -> None:
        """Send a part of the answer's body; waits while the client does not take it.

        ClientGone when it takes nothing for too long.
        """
        message: Message = {"type": "http.response.body", "body": chunk, "more_body": more}
        try:
            async with asyncio.timeout(self._idle_timeout):
                await self._send(message)
        except (TimeoutError, OSError):
            raise ClientGone from None

    def _refuse_announced(self, limit: int) -> None:
        announced = self.headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced[:20]) > limit:
            raise body_too_large(limit)
