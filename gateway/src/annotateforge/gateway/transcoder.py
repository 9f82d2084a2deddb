"""REST to gRPC: finds the route of a request, lets its caller in, and has its shape served."""

import itertools
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from urllib.parse import parse_qsl

import grpc
import structlog
from starlette.types import Receive, Scope, Send

from annotateforge.gateway.call import Limits, RestCall
from annotateforge.gateway.credentials import presented_token
from annotateforge.gateway.download import serve_download
from annotateforge.gateway.exchange import JSON, NO_STORE, ClientGone, Exchange
from annotateforge.gateway.metrics import Tally
from annotateforge.gateway.refusals import HttpRefusal, method_not_allowed
from annotateforge.gateway.route import Route, make_route, resource_paths
from annotateforge.gateway.unary import serve_last, serve_unary
from annotateforge.gateway.upload import serve_upload
from annotateforge.runtime.auth import TokenVerifier
from annotateforge.runtime.call import REQUEST_ID_KEY, accepted_request_id
from annotateforge.runtime.errors import (
    Code,
    DeadlineExceeded,
    DomainError,
    Internal,
    InvalidArgument,
    PermissionDenied,
)
from annotateforge.runtime.rest.problem import problem_body
from annotateforge.runtime.rest.rules import Binding, MethodNotAllowed, Router, Shape
from annotateforge.runtime.rpc_status import from_rpc_error

_RETRY_AFTER = (b"retry-after", b"2")
_CHALLENGE = (b"www-authenticate", b"Bearer")
_LONGEST_QUERY = 16 * 1024
_GONE = 499
_PROCESS = os.urandom(8).hex()
_numbers = itertools.count(1)

_SERVE: Mapping[Shape, Callable[[RestCall], Awaitable[None]]] = {
    Shape.JSON: serve_unary,
    Shape.RAW: serve_unary,
    Shape.LAST: serve_last,
    Shape.UPLOAD: serve_upload,
    Shape.DOWNLOAD: serve_download,
}

log = structlog.get_logger()


class Transcoder:
    """Serves the bindings of the protos over HTTP; an ASGI application."""

    def __init__(
        self,
        channels: Iterable[tuple[Iterable[Binding], grpc.aio.Channel]],
        tokens: TokenVerifier,
        limits: Limits,
        idle_timeout: float,
    ) -> None:
        """`channels`: bindings with the channel to the service that has their methods."""
        pairs = [(list(bindings), channel) for bindings, channel in channels]
        every = [binding for bindings, _ in pairs for binding in bindings]
        readers = resource_paths(every)
        self._router = Router(every)
        self._routes = {
            binding: make_route(binding, channel, readers)
            for bindings, channel in pairs
            for binding in bindings
        }
        self._nowhere = Tally("nowhere")
        self._tokens = tokens
        self._limits = limits
        self._idle_timeout = idle_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        started = time.perf_counter()
        exchange = Exchange(scope, receive, send, self._idle_timeout)
        exchange.request_id = _request_id(exchange.header(b"x-request-id"))
        method: str = scope["method"]
        route: Route | None = None
        try:
            path = scope["raw_path"].decode("latin-1")
            match = self._router.match("GET" if method == "HEAD" else method, path)
            route = self._routes[match.binding]
            call = await self._admit(exchange, route, match.captures)
            await _SERVE[match.binding.shape](call)
        except ClientGone:
            log.debug("client went away", request_id=exchange.request_id)
        except MethodNotAllowed as error:
            await self._refuse_method(exchange, method, error.allowed)
        except Exception as error:
            await _refuse(exchange, error)
        tally = self._nowhere if route is None else route.tally
        tally.add(method, exchange.status or _GONE, time.perf_counter() - started)

    async def _admit(self, exchange: Exchange, route: Route, captures: Mapping[str, str]) -> RestCall:
        """The call, once its caller is known to be one who may call."""
        token = presented_token(exchange.headers, safe=exchange.scope["method"] in ("GET", "HEAD"))
        principal = await self._tokens.verify(token)
        if principal.role not in route.roles:
            raise PermissionDenied(
                "ROLE_NOT_ALLOWED", f"The role {principal.role} may not call this; it needs {route.needed}."
            )
        metadata = (("authorization", f"Bearer {token}"), (REQUEST_ID_KEY, exchange.request_id))
        query = _query(exchange.scope["query_string"])
        return RestCall(exchange, route, captures, query, metadata, self._limits)

    async def _refuse_method(self, exchange: Exchange, method: str, allowed: Iterable[str]) -> None:
        methods = {*allowed, "OPTIONS"}
        allow = ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))
        if method == "OPTIONS":
            await exchange.answer_nothing(204, [(b"allow", allow.encode())])
        else:
            await _refuse(exchange, method_not_allowed(method, allow))


def _request_id(proposed: str | None) -> str:
    """The client's own request id, or one that is new: drawing each at random costs more than all routing."""
    return f"{_PROCESS}-{next(_numbers):x}" if proposed is None else accepted_request_id(proposed)


def _query(query_string: bytes) -> list[tuple[str, str]]:
    if not query_string:
        return []
    if len(query_string) > _LONGEST_QUERY:
        raise InvalidArgument("INVALID_QUERY", f"The query is longer than {_LONGEST_QUERY} bytes.")
    try:
        return parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=1000,
        )
    except ValueError:
        raise InvalidArgument("INVALID_QUERY", "The query is not of the form a=1&b=2.") from None


async def _refuse(exchange: Exchange, error: Exception) -> None:
    """Answer with what an error means; end the connection where an answer has begun already."""
    if isinstance(error, HttpRefusal):
        known, status, headers = error.error, int(error.status), [*error.headers]
    else:
        known = _domain_error(error, exchange.request_id)
        status, headers = known.code.http_status, []
    if exchange.status:
        log.warning(
            "answer broken off", request_id=exchange.request_id, reason=known.reason, error=known.message
        )
        return
    if known.code is Code.UNAVAILABLE:
        headers.append(_RETRY_AFTER)
    elif known.code is Code.UNAUTHENTICATED:
        headers.append(_CHALLENGE)
    # What is left of the body is read and dropped by the server: most clients look at the answer only after
    # they have sent everything.
    await exchange.answer(status, problem_body(known, status), [JSON, NO_STORE, *headers])


def _domain_error(error: Exception, request_id: str) -> DomainError:
    if isinstance(error, DomainError):
        return error
    if isinstance(error, grpc.aio.AioRpcError):
        return from_rpc_error(error)
    if isinstance(error, TimeoutError):
        return DeadlineExceeded("DEADLINE_EXCEEDED", "A service did not answer in time. Try again.")
    log.error("unexpected error", request_id=request_id, exc_info=error)
    return Internal(
        "INTERNAL", f"Something went wrong on our side. The log has it under request id {request_id}."
    )
