"""Downloads: whole contents and single ranges of them, with conditions (RFC 9110, sections 13 and 14)."""

import asyncio
import re
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import Message

from annotateforge.api.content.v1.content_pb2 import ContentInfo
from annotateforge.gateway.call import RestCall
from annotateforge.gateway.disposition import content_disposition
from annotateforge.gateway.exchange import ClientGone
from annotateforge.gateway.ranges import (
    LARGEST,
    Interval,
    Suffix,
    matches_none,
    matches_range,
    parse_range,
    resolve,
)
from annotateforge.gateway.refusals import range_not_satisfiable
from annotateforge.runtime.errors import DeadlineExceeded, Internal, InvalidArgument
from annotateforge.runtime.wire import bytes_tag, content_of

# Clients may keep what they got, and ask with its tag whether it still holds.
_CACHE = (b"cache-control", b"private, no-cache")

_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w.+-]+=[\w.+-]+)*", re.ASCII)
_ENTITY_TAG = re.compile(r"[\x21\x23-\x7e]+")


class _Content(NamedTuple):
    """A download stream whose description has come."""

    info: ContentInfo
    rpc: Any


async def serve_download(call: RestCall) -> None:
    """Answer a call of the shape DOWNLOAD: 200, 206, 304, or 416 by HttpRefusal."""
    request: Any = call.request()
    if _is_ranged(request) and (request.offset or request.length):
        name = "offset" if request.offset else "length"
        raise InvalidArgument.of_field(
            "UNKNOWN_PARAMETER", name, "is not a parameter here; ask for a range with the header Range"
        )
    serving = asyncio.current_task()
    assert serving is not None
    leaving = asyncio.create_task(call.exchange.gone())
    leaving.add_done_callback(lambda done: None if done.cancelled() else serving.cancel())
    try:
        await _Download(call, request).serve()
    except asyncio.CancelledError:
        if leaving.done():
            serving.uncancel()
            raise ClientGone from None
        raise
    finally:
        leaving.cancel()


class _Download:
    """One answer."""

    def __init__(self, call: RestCall, request: Any) -> None:
        self._call = call
        self._request = request
        self._exchange = call.exchange
        self._answer_type: Any = call.route.binding.response_type
        self._ranged = _is_ranged(request)
        self._if_none_match = call.exchange.header(b"if-none-match")
        self._if_range = call.exchange.header(b"if-range")

    async def serve(self) -> None:
        # A range means something to GET alone (section 14.2).
        head = self._exchange.scope["method"] == "HEAD"
        wanted = None if head or not self._ranged else parse_range(self._exchange.header(b"range"))
        content, partial = await self._open_wanted(wanted, 1 if head else 0)
        try:
            info = content.info
            if matches_none(self._if_none_match, info.etag):
                await self._exchange.answer_nothing(304, _validators(info))
            elif head:
                length = (b"content-length", b"%d" % info.total_size)
                await self._exchange.answer_nothing(200, [*self._headers(info), length])
            else:
                await self._send(content, partial)
        finally:
            content.rpc.cancel()

    async def _open_wanted(
        self, wanted: Interval | Suffix | None, whole_length: int
    ) -> tuple[_Content, bool]:
        """The content as far as it is wanted, and whether that is a part of it."""
        if wanted is None:
            return await self._open(0, whole_length), False
        if isinstance(wanted, Interval) and self._if_range is None:
            length = 0 if wanted.last is None else min(wanted.last - wanted.first + 1, LARGEST)
            try:
                content = await self._open(wanted.first, length)
                if content.info.length:
                    return content, True
                content.rpc.cancel()
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.OUT_OF_RANGE:
                    raise
        # The size and the tag decide what is to be sent.
        described = await self._open(0, 1)
        described.rpc.cancel()
        info = described.info
        if matches_none(self._if_none_match, info.etag):
            return described, False
        if not matches_range(self._if_range, info.etag):
            return await self._open(0, 0), False
        found = resolve(wanted, info.total_size)
        if found is None:
            raise range_not_satisfiable(info.total_size)
        return await self._open(*found), True

    async def _open(self, offset: int, length: int) -> _Content:
        request = type(self._request)()
        request.CopyFrom(self._request)
        if self._ranged:
            request.offset, request.length = offset, length
        rpc = self._call.route.call(request, metadata=self._call.metadata)
        try:
            first = await self._next(rpc)
        except BaseException:
            rpc.cancel()
            raise
        described = None if first is None else self._answer_type.FromString(first)
        if described is None or not described.HasField("info"):
            rpc.cancel()
            raise Internal("INTERNAL", "The service did not describe the content.")
        return _Content(described.info, rpc)

    async def _send(self, content: _Content, partial: bool) -> None:
        info = content.info
        headers = [*self._headers(info), (b"content-length", b"%d" % info.length)]
        if partial:
            last = info.offset + info.length - 1
            headers.append((b"content-range", b"bytes %d-%d/%d" % (info.offset, last, info.total_size)))
        await self._exchange.begin(206 if partial else 200, headers)
        sent = 0
        tag = bytes_tag(self._answer_type, "chunk")
        while (message := await self._next(content.rpc)) is not None:
            chunk = content_of(tag, message)
            if chunk is None:
                # Written otherwise, or with fields that this program does not know.
                chunk = memoryview(self._answer_type.FromString(message).chunk)
            sent += len(chunk)
            if sent > info.length:
                break
            await self._exchange.write(chunk)
        if sent != info.length:
            raise Internal("INTERNAL", f"The service sent {sent} of {info.length} bytes.")
        await self._exchange.write(b"", more=False)

    async def _next(self, rpc: Any) -> bytes | None:
        """The stream's next message in wire form; None at its end."""
        try:
            async with asyncio.timeout(self._call.limits.read_seconds):
                message = await rpc.read()
        except TimeoutError:
            raise DeadlineExceeded("DEADLINE_EXCEEDED", "The service sends no more of the content.") from None
        return None if message is grpc.aio.EOF else message

    def _headers(self, info: ContentInfo) -> list[tuple[bytes, bytes]]:
        known = _MEDIA_TYPE.fullmatch(info.content_type)
        media_type = info.content_type if known else "application/octet-stream"
        return [
            (b"content-type", media_type.encode()),
            (b"content-disposition", content_disposition(info.filename, media_type).encode()),
            (b"accept-ranges", b"bytes" if self._ranged else b"none"),
            *_validators(info),
        ]


def _is_ranged(request: Message) -> bool:
    """Whether the service sends any range; thumbnails come whole."""
    return {"offset", "length"} <= set(request.DESCRIPTOR.fields_by_name)


def _validators(info: ContentInfo) -> list[tuple[bytes, bytes]]:
    if not _ENTITY_TAG.fullmatch(info.etag):
        return [_CACHE]
    return [(b"etag", f'"{info.etag}"'.encode()), _CACHE]
