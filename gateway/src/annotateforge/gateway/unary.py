"""Calls with one JSON answer: plain ones, and streams of progress whose last message is the answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.message import Message

from annotateforge.gateway.call import RestCall
from annotateforge.gateway.exchange import JSON, NO_STORE, ClientGone, Exchange
from annotateforge.gateway.multipart import File, is_multipart, read_multipart
from annotateforge.gateway.refusals import body_too_large, unsupported_media_type
from annotateforge.runtime.errors import Internal, InvalidArgument
from annotateforge.runtime.rest.rules import Shape
from annotateforge.runtime.server import MAX_MESSAGE

_WATCH_AFTER = 0.1
"""Seconds after which a call is thought worth cancelling when its client goes away."""
_LARGE = 256 * 1024
"""Bytes of JSON whose conversion would make everybody else wait, and is therefore done in a thread."""
_RAW_BYTES = MAX_MESSAGE - 64 * 1024
"""Most bytes of a body that becomes a field: what a message holds, less its other fields."""


async def serve_unary(call: RestCall) -> None:
    """Answer a call of the shapes JSON and RAW."""
    request = await _read_request(call)
    limits, method = call.limits, call.route.binding.http_method
    timeout = limits.read_seconds if method == "GET" else limits.call_seconds
    rpc = call.route.call(request, timeout=timeout, metadata=call.metadata)
    await answer(call, await unless_gone(call.exchange, rpc))


async def serve_last(call: RestCall) -> None:
    """Answer a call of the shape LAST."""
    request = await _read_request(call)
    rpc = call.route.call(request, metadata=call.metadata)
    leaving = asyncio.create_task(_cancel_when_gone(call.exchange, rpc))
    name = call.route.binding.response_body
    result: Message | None = None
    try:
        async for message in patiently(rpc, call.limits.work_seconds):
            if message.HasField(name):
                result = message
    except asyncio.CancelledError:
        if leaving.done():
            raise ClientGone from None
        raise
    finally:
        leaving.cancel()
        rpc.cancel()
    if result is None:
        raise Internal("INTERNAL", f"The service ended without answering a {name}.")
    await answer(call, result)


async def answer(call: RestCall, response: Message) -> None:
    """Answer with a response message as JSON, or with nothing where there is nothing to say."""
    route = call.route
    headers = [NO_STORE]
    if route.location is not None:
        headers.append((b"location", route.location(response)))
    if route.write is None:
        await call.exchange.answer(route.binding.success_status, b"", headers)
    else:
        headers.append(JSON)
        large = response.ByteSize() > _LARGE
        body = await asyncio.to_thread(route.write, response) if large else route.write(response)
        await call.exchange.answer(route.binding.success_status, body, headers)


async def unless_gone(exchange: Exchange, rpc: Any) -> Any:
    """Await the answer of an RPC, and cancel the RPC when the client goes away meanwhile (ClientGone).

    Most calls are over before it would pay to watch the connection.
    """
    watching: list[asyncio.Task[None]] = []

    def watch() -> None:
        watching.append(asyncio.create_task(_cancel_when_gone(exchange, rpc)))

    timer = asyncio.get_running_loop().call_later(_WATCH_AFTER, watch)
    try:
        return await rpc
    except asyncio.CancelledError:
        if watching and watching[0].done():
            raise ClientGone from None
        raise
    finally:
        timer.cancel()
        for task in watching:
            task.cancel()


async def patiently(rpc: Any, seconds: float) -> AsyncIterator[Any]:
    """The messages of a stream. TimeoutError when one does not come within `seconds` of the one before."""
    messages = aiter(rpc)
    while True:
        try:
            async with asyncio.timeout(seconds):
                message = await anext(messages)
        except StopAsyncIteration:
            return
        yield message


async def _cancel_when_gone(exchange: Exchange, rpc: Any) -> None:
    await exchange.gone()
    rpc.cancel()


async def _read_request(call: RestCall) -> Message:
    body = await _read_body(call)
    if len(body) > _LARGE and call.route.binding.shape is not Shape.RAW:
        return await asyncio.to_thread(call.request, body)
    return call.request(body)


async def _read_body(call: RestCall) -> bytes:
    exchange = call.exchange
    if not exchange.has_body:
        return b""
    content_type = exchange.header(b"content-type")
    if call.route.binding.shape is Shape.RAW:
        if is_multipart(content_type):
            return await _first_file(exchange, content_type)
        return await exchange.body(_RAW_BYTES)
    if content_type != "application/json" and call.route.binding.body and not _is_json(content_type):
        raise unsupported_media_type(content_type, "application/json")
    return await exchange.body(call.limits.json_bytes)


def _is_json(content_type: str | None) -> bool:
    kind, _, parameters = (content_type or "").partition(";")
    kind = kind.strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        return False
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    return charset in ("", "utf-8", "utf8")


async def _first_file(exchange: Exchange, content_type: str | None) -> bytes:
    """The one file of a form. InvalidArgument INVALID_MULTIPART when there is none, or more."""
    found: bytearray | None = None
    async for part in read_multipart(content_type, exchange.parts()):
        if isinstance(part, bytes):
            assert found is not None  # bytes follow a file
            found += part
            if len(found) > _RAW_BYTES:
                raise body_too_large(_RAW_BYTES)
        elif isinstance(part, File) and found is None:
            found = bytearray()
        else:
            raise InvalidArgument("INVALID_MULTIPART", "The form must hold one file and nothing else.")
    if found is None:
        raise InvalidArgument("INVALID_MULTIPART", "The form holds no file.")
    return bytes(found)
