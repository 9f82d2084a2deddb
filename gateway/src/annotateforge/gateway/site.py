"""What the gateway serves beside the routes of the protos: the web app and its sessions, pages, the OpenAPI
document, health, metrics and the WebSocket.
"""

from collections.abc import Mapping
from http import HTTPStatus
from string import Template
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from annotateforge.gateway import session, websocket
from annotateforge.gateway.credentials import presented_token
from annotateforge.gateway.docs_page import docs_body
from annotateforge.gateway.exchange import SECURITY
from annotateforge.gateway.health import Health
from annotateforge.gateway.html_page import file_text, html_page
from annotateforge.gateway.openid.endpoint import AUTHORIZE, CALLBACK, ProviderEndpoint
from annotateforge.gateway.refusals import method_not_allowed
from annotateforge.gateway.session import SessionEndpoint, headers_of
from annotateforge.gateway.web_app import WebApp
from annotateforge.gateway.websocket import JobSocket
from annotateforge.runtime.auth import Role, TokenVerifier, allows
from annotateforge.runtime.errors import DomainError, NotFound, PermissionDenied
from annotateforge.runtime.rest.problem import problem_body


class Site:
    """An ASGI application for what it `serves`, and for WebSockets."""

    def __init__(
        self,
        document: Mapping[str, Any],
        health: Health,
        job_socket: JobSocket,
        tokens: TokenVerifier,
        web_app: WebApp | None = None,
        provider: ProviderEndpoint | None = None,
    ) -> None:
        """`web_app`: the built app; without it `/` is a page about the API. `provider`: where people may sign
        in, if not by tokens alone.
        """
        self._document = orjson.dumps(document)
        self._version = str(document["info"]["version"])
        self._docs = html_page(f"{document['info']['title']} API", docs_body(document))
        self._tokens = tokens
        self._web_app = web_app
        routes = [
            Route("/", self._home if web_app is None else web_app.serve),
            Route("/docs", self._show_docs),
            Route("/api/v1/openapi.json", self._show_document),
            Route("/healthz", health.alive),
            Route("/readyz", health.ready),
            Route("/metrics", self._show_metrics),
            Route(
                session.PATH,
                SessionEndpoint(tokens, provider.shown() if provider else None).serve,
                methods=["GET", "POST", "DELETE"],
            ),
        ]
        if provider is not None:
            routes += [Route(AUTHORIZE, provider.authorize), Route(CALLBACK, provider.callback)]
        self._paths = frozenset(route.path for route in routes)
        app_routes = [] if web_app is None else [Route("/{path:path}", web_app.serve)]
        self._app = Starlette(
            routes=[*routes, WebSocketRoute(websocket.PATH, job_socket.serve), *app_routes],
            exception_handlers={DomainError: _refuse, HTTPException: _refuse_method},
        )

    def serves(self, scope: Scope) -> bool:
        """Whether an HTTP request is answered here."""
        return scope["path"] in self._paths or (self._web_app is not None and self._web_app.serves(scope))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def _home(self, request: Request) -> Response:
        host = request.headers.get("host", "localhost:8000")
        shown = host if _is_host(host) else "localhost:8000"
        body = Template(file_text("home.html")).substitute(
            version=self._version, url=f"http://{shown}", websocket_url=f"ws://{shown}"
        )
        return html_page("AnnotateForge Training", body)

    async def _show_docs(self, request: Request) -> Response:
        return self._docs

    async def _show_document(self, request: Request) -> Response:
        return Response(self._document, media_type="application/json", headers=_headers("no-cache"))

    async def _show_metrics(self, request: Request) -> Response:
        principal = await self._tokens.verify(presented_token(headers_of(request), safe=True))
        if not allows([Role.VIEWER], principal):
            raise PermissionDenied(
                "ROLE_NOT_ALLOWED", f"The role {principal.role} may not call this; it needs viewer."
            )
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST, headers=_headers("no-store"))


def _is_host(text: str) -> bool:
    """Whether a Host header holds what hosts and ports consist of, and nothing that HTML would notice."""
    return text.replace("-", "").replace(".", "").replace(":", "").strip("[]").isalnum() and text.isascii()


def _headers(cache: str) -> dict[str, str]:
    return {"cache-control": cache, **{name.decode(): value.decode() for name, value in SECURITY}}


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)  # what it is registered for
    status = error.code.http_status
    return Response(problem_body(error), status, _headers("no-store"), "application/json")


async def _refuse_method(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # what it is registered for
    if error.status_code == HTTPStatus.NOT_FOUND:
        missing = NotFound("ROUTE_NOT_FOUND", f"There is nothing at {request.url.path[:200]}.")
        return Response(problem_body(missing), HTTPStatus.NOT_FOUND, _headers("no-store"), "application/json")
    allow = ", ".join(sorted((error.headers or {}).get("Allow", "GET, HEAD").split(", ")))
    refusal = method_not_allowed(request.method, allow)
    return Response(
        problem_body(refusal.error, refusal.status),
        refusal.status,
        {**_headers("no-store"), "allow": allow},
        "application/json",
    )
