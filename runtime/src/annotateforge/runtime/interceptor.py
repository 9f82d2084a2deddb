"""What surrounds every RPC: request id, log line and metrics, then token and role, then the mapping of
errors.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
import structlog

from annotateforge.runtime.access import MethodAccess
from annotateforge.runtime.auth import TokenVerifier, allows, bearer
from annotateforge.runtime.call import REQUEST_ID_KEY, CallContext, accepted_request_id, current_call
from annotateforge.runtime.causes import domain_error
from annotateforge.runtime.errors import DomainError, Internal, PermissionDenied, Unimplemented
from annotateforge.runtime.rpc_status import DETAILS_KEY, GRPC_CODES, to_status
from annotateforge.runtime.telemetry import count_rpc
from annotateforge.runtime.wire import deserializer_for, passing_bytes

Context = grpc.aio.ServicerContext[Any, Any]
# What the server hands over is grpc's; its stubs know the synchronous server's handlers only.
Handler = Any

log = structlog.get_logger()


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the handlers of all four kinds of RPC in the same way."""

    def __init__(
        self, access: Mapping[str, MethodAccess], verifier: TokenVerifier, stopping: asyncio.Event
    ) -> None:
        """`access` knows every method of the server by its path, such as `/package.Service/Method`."""
        self._access = access
        self._verifier = verifier
        self._stopping = stopping
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Answer the wrapped handler; wrapping happens at a method's first call."""
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            # None means that the server has no such method, for which gRPC itself answers UNIMPLEMENTED.
            if handler is None:
                return handler
            wrapped = self._wrapped[method] = self._wrap(method, handler)
        return wrapped

    def _wrap(self, method: str, handler: Handler) -> Handler:
        access = self._access.get(method, MethodAccess(roles=frozenset()))
        if handler.response_streaming:
            behaviour = handler.stream_stream if handler.request_streaming else handler.unary_stream
        else:
            behaviour = handler.stream_unary if handler.request_streaming else handler.unary_unary
        options = {
            "request_deserializer": deserializer_for(behaviour, handler.request_deserializer),
            "response_serializer": passing_bytes(handler.response_serializer),
        }
        if handler.response_streaming:

            async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
                async with _Call(self, method, access, context):
                    answers = behaviour(request, context)
                    if hasattr(answers, "__aiter__"):
                        # A client that goes away leaves the generator half-way: what it holds is given back
                        # now.
                        async with contextlib.aclosing(answers):
                            async for answer in answers:
                                yield answer
                    else:
                        await answers

            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return make(stream, **options)

        async def unary(request: Any, context: Context) -> Any:
            async with _Call(self, method, access, context):
                return await behaviour(request, context)

        make = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make(unary, **options)


class _Call:
    """One call, from its metadata to its log line."""

    def __init__(
        self, interceptor: CallInterceptor, method: str, access: MethodAccess, context: Context
    ) -> None:
        self._verifier = interceptor._verifier
        self._method = method
        self._access = access
        self._context = context
        self._started = time.perf_counter()
        metadata = dict(context.invocation_metadata() or ())
        self._authorization = metadata.get("authorization")
        self._call = CallContext(
            accepted_request_id(_text(metadata.get(REQUEST_ID_KEY))), stopping=interceptor._stopping
        )

    async def __aenter__(self) -> None:
        current_call.set(self._call)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=self._call.request_id)
        self._context.set_trailing_metadata(((REQUEST_ID_KEY, self._call.request_id),))
        if self._access.open:
            return
        try:
            self._call.token = bearer(_text(self._authorization))
            principal = self._call.principal = await self._verifier.verify(self._call.token)
            if not allows(self._access.roles, principal):
                raise PermissionDenied(
                    "ROLE_NOT_ALLOWED",
                    f"The role {principal.role} may not call this; it needs {self._access.needed}.",
                )
        except Exception as error:
            await self._fail(error)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if error is None:
            self._report(grpc.StatusCode.OK)
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            # The client went away or its deadline passed; nobody reads an answer any more.
            expired = (self._context.time_remaining() or 1) <= 0
            self._report(grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED)
        elif isinstance(error, grpc.aio.AbortError):
            self._report(self._context.code())
        elif isinstance(error, Exception):
            await self._fail(error)

    async def _fail(self, error: Exception) -> None:
        """Answer with what the error means; ends the call by raising AbortError."""
        known = _meaning(error)
        if known is not None and known is not error:
            # The caller gets the meaning; what exactly happened is for the log.
            log.warning("failed below", method=self._method, error=f"{type(error).__name__}: {error}"[:1000])
        if known is None:
            # What is bound to the log context is the whole link between the caller's text and this entry.
            log.error("unexpected error", method=self._method, **self._call.noted, exc_info=error)
            known = Internal(
                "INTERNAL",
                f"Something went wrong on our side. The log has it under request id {self._call.request_id}.",
            )
        status = to_status(known)
        code = GRPC_CODES[known.code]
        self._report(code, reason=known.reason)
        await self._context.abort(
            code,
            status.message,
            trailing_metadata=(
                (REQUEST_ID_KEY, self._call.request_id),
                (DETAILS_KEY, status.SerializeToString()),
            ),
        )

    def _report(self, code: grpc.StatusCode, **more: str) -> None:
        seconds = time.perf_counter() - self._started
        count_rpc(self._method, code.name, seconds)
        write = log.debug if self._access.open else log.info
        if self._call.principal is not None:
            more["principal"] = self._call.principal.subject
        write(
            "rpc",
            method=self._method,
            code=code.name,
            duration_ms=round(seconds * 1000, 2),
            **more,
            **self._call.noted,
        )


def _meaning(error: Exception) -> DomainError | None:
    """What the caller is told; None when it is a fault of the program."""
    if isinstance(error, NotImplementedError):
        return Unimplemented("UNIMPLEMENTED", "This server does not have this method.")
    return domain_error(error)


def _text(value: str | bytes | None) -> str | None:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value
