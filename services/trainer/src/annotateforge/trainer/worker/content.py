"""Contents that services stream, brought here whole however often the stream breaks."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Literal, Protocol, TypeVar

import grpc
import structlog

from annotateforge.api.content.v1.content_pb2 import ContentInfo
from annotateforge.runtime.errors import DomainError, Unavailable
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer.worker.failures import ContentDamaged
from annotateforge.trainer.worker.retries import Backoff

STALL = 60.0
"""Seconds to wait for the next bytes of a stream before it is taken for broken."""

log = structlog.get_logger()


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Part(Protocol):
    """A message of a download: the description first, then bytes."""

    @property
    def info(self) -> ContentInfo:
        """The description."""

    @property
    def chunk(self) -> bytes:
        """Bytes."""

    def WhichOneof(self, oneof_group: Literal["part"], /) -> str | None:
        """What it is."""


class Call(Protocol[T_co]):
    """A stream of messages that is running."""

    def __aiter__(self) -> AsyncIterator[T_co]:
        """Its messages."""

    def cancel(self) -> bool:
        """End it."""


OpenAt = Callable[[int], Call[Part]]
"""Begins the stream at a byte."""


class Content:
    """A content on its way."""

    def __init__(self, what: str, open_at: OpenAt) -> None:
        """`what` it is, for the log."""
        self._what = what
        self._open_at = open_at
        self._etag: str | None = None
        self.total: int | None = None
        """Bytes in all, once the stream has told."""
        self.received = 0
        """Bytes that `chunks` has handed out."""

    async def chunks(self) -> AsyncGenerator[bytes]:
        """All bytes in order, each once. A stream that breaks or stalls is opened again where it broke.

        DomainError when it cannot be opened again; ContentDamaged when the service has another content by
        then.
        """
        whole = persistently(self._what, self._stream, lambda: self.received == self.total)
        async with contextlib.aclosing(whole) as chunks:
            async for chunk in chunks:
                self.received += len(chunk)
                yield chunk

    async def _stream(self) -> AsyncGenerator[bytes]:
        async with contextlib.aclosing(unstalled(self._open_at(self.received))) as parts:
            async for part in parts:
                if part.WhichOneof("part") == "info":
                    self._check(part.info)
                elif part.chunk:
                    yield part.chunk

    def _check(self, info: ContentInfo) -> None:
        if self._etag is None:
            self._etag, self.total = info.etag, info.total_size
        elif (info.etag, info.total_size) != (self._etag, self.total):
            raise ContentDamaged(f"{self._what} changed while it was downloaded")
        if info.offset != self.received:
            raise ContentDamaged(f"{self._what} came from byte {info.offset} instead of {self.received}")


async def unstalled(call: Call[T]) -> AsyncGenerator[T]:
    """The messages of a stream. TimeoutError when the next one does not come in time; leaving ends the
    stream.
    """
    try:
        messages = aiter(call)
        while True:
            async with asyncio.timeout(STALL):
                message = await anext(messages, None)
            if message is None:
                return
            yield message
    finally:
        call.cancel()


async def persistently(
    what: str, stream: Callable[[], AsyncGenerator[T]], is_complete: Callable[[], bool]
) -> AsyncGenerator[T]:
    """What a stream yields; it is opened anew whenever it breaks or stalls, and has to go on by itself where
    it broke, until everything is there. DomainError when it cannot be opened again.
    """
    backoff = Backoff()
    while not is_complete():
        moved = False
        try:
            async with contextlib.aclosing(stream()) as messages:
                async for message in messages:
                    moved = True
                    yield message
            if not is_complete():
                raise Unavailable("STREAM_BROKEN", "The stream ended before its content did.")
        except (grpc.aio.AioRpcError, TimeoutError, Unavailable) as failed:
            error = _as_domain(failed)
            if moved:
                backoff.reset()
            if not backoff.may_pass(error):
                raise error from failed
            log.warning("goes on", what=what, error=str(error))
            await backoff.wait()


def _as_domain(error: Exception) -> DomainError:
    if isinstance(error, grpc.aio.AioRpcError):
        return from_rpc_error(error)
    if isinstance(error, DomainError):
        return error
    return Unavailable("STREAM_STALLED", "Nothing came for a while.")
