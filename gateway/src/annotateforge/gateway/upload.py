"""Uploads: a raw body, or the files of a form, as a stream of headers and chunks."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import grpc
from google.protobuf.message import Message

from annotateforge.gateway.call import RestCall
from annotateforge.gateway.exchange import GATHERED_BYTES
from annotateforge.gateway.multipart import Field, File, is_multipart, read_multipart
from annotateforge.gateway.refusals import unsupported_media_type
from annotateforge.gateway.unary import answer, unless_gone
from annotateforge.runtime.errors import DeadlineExceeded, InvalidArgument
from annotateforge.runtime.rest.codec import refused_argument
from annotateforge.runtime.rest.parameters import parameters_of
from annotateforge.runtime.rest.rules import Binding
from annotateforge.runtime.rest.values import Refused

_FILENAME = "filename"


async def serve_upload(call: RestCall) -> None:
    """Answer a call of the shape UPLOAD.

    The body goes on to the service as it comes, and comes no faster than the service takes it. What the
    service refuses before the end is answered at once.
    """
    first = call.request()
    content_type = call.exchange.header(b"content-type")
    if is_multipart(content_type):
        messages = _form_messages(call, first, content_type)
    elif (content_type or "").strip().lower().startswith("multipart/"):
        raise unsupported_media_type(content_type, "the bytes as they are, or multipart/form-data")
    else:
        messages = _raw_messages(call, first)
    rpc = call.route.call(metadata=call.metadata)
    try:
        await _send(rpc, messages, call.limits.work_seconds)
        async with asyncio.timeout(call.limits.work_seconds):
            response = await unless_gone(call.exchange, rpc)
    except TimeoutError:
        raise DeadlineExceeded(
            "DEADLINE_EXCEEDED", "The service did not get through the body in time."
        ) from None
    finally:
        rpc.cancel()
    await answer(call, response)


async def _send(rpc: Any, messages: AsyncGenerator[Message, None], seconds: float) -> None:
    """Write all messages and the end of them, or as many as there are until the service answers."""
    async with contextlib.aclosing(messages):
        async for message in messages:
            async with asyncio.timeout(seconds):
                if not await _written(rpc, message):
                    return
    with contextlib.suppress(grpc.aio.InternalError):
        await rpc.done_writing()


async def _written(rpc: Any, message: Message) -> bool:
    """Write one message; False when the service has answered already, which is found where it is awaited.

    Not by `rpc.write`: when a write fails because the service has just answered, grpc.aio 1.85 gives the call
    the status INTERNAL for good (`_StreamRequestMixin._write`), and what the service said is lost.
    """
    try:
        await rpc.wait_for_connection()
        await rpc._cython_call.send_serialized_message(message.SerializeToString())
    except (grpc.aio.InternalError, grpc.aio.AioRpcError):
        return False
    return not rpc.done()


async def _raw_messages(call: RestCall, first: Message) -> AsyncGenerator[Message, None]:
    yield first
    async for chunk in call.exchange.chunks():
        yield _chunk(call.route.binding, chunk)


async def _form_messages(
    call: RestCall, first: Message, content_type: str | None
) -> AsyncGenerator[Message, None]:
    """Each file of a form as a header and chunks; other fields fill the headers of the files after them."""
    binding = call.route.binding
    files = 0
    gathered = bytearray()
    async for part in read_multipart(content_type, call.exchange.parts()):
        if isinstance(part, bytes):
            gathered += part
        if gathered and (len(gathered) >= GATHERED_BYTES or not isinstance(part, bytes)):
            yield _chunk(binding, bytes(gathered))
            gathered.clear()
        if isinstance(part, Field):
            _fill(binding, first, part)
        elif isinstance(part, File):
            files += 1
            yield _header(binding, first, part, files)
    if gathered:
        yield _chunk(binding, bytes(gathered))
    if not files:
        raise InvalidArgument("INVALID_MULTIPART", "The form holds no file.")


def _header(binding: Binding, first: Message, file: File, number: int) -> Message:
    assert binding.header_field is not None  # what makes a binding an upload
    message = binding.request_type()
    message.CopyFrom(first)
    if _FILENAME in binding.target.fields_by_name:
        setattr(getattr(message, binding.header_field.name), _FILENAME, file.filename)
    elif number > 1:
        raise InvalidArgument("INVALID_MULTIPART", "The form must hold one file; this one holds more.")
    return message


def _fill(binding: Binding, first: Message, field: Field) -> None:
    assert binding.header_field is not None  # what makes a binding an upload
    known = {
        name: parameter
        for name, parameter in parameters_of(binding.target).items()
        if name not in binding.path_fields and name != _FILENAME
    }
    try:
        if field.name not in known:
            raise Refused(
                f"is not a field here; the fields are {', '.join(known) or 'none'}", "UNKNOWN_PARAMETER"
            ).inside(field.name[:80])
        known[field.name].set(getattr(first, binding.header_field.name), [field.value])
    except Refused as refused:
        raise refused_argument(refused) from None


def _chunk(binding: Binding, data: bytes) -> Message:
    return binding.request_type(**{binding.body: data})
