"""/api/v1/session: sign in with a token, see who is signed in, sign out."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from annotateforge.gateway.credentials import presented_token, require_same_origin
from annotateforge.gateway.exchange import SECURITY
from annotateforge.gateway.session_cookie import clear_cookie, cookie_token, set_cookie, token_room
from annotateforge.runtime.auth import Principal, Role, TokenVerifier, allows
from annotateforge.runtime.errors import InvalidArgument, PermissionDenied, Unauthenticated

PATH = "/api/v1/session"
_LARGEST_BODY = 16 * 1024
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


class SessionEndpoint:
    """Exchanges tokens for the session's cookie."""

    def __init__(self, tokens: TokenVerifier, provider: Mapping[str, str] | None = None) -> None:
        """`provider`: the OpenID Connect provider as GET shows it, where people may sign in through one."""
        self._tokens = tokens
        self._provider = provider

    async def serve(self, request: Request) -> Response:
        """Answer GET, POST and DELETE. DomainError for what is refused."""
        match request.method:
            case "POST":
                return await self._sign_in(request)
            case "DELETE":
                return self._sign_out(request)
            case _:
                return await self._show(request)

    async def _show(self, request: Request) -> Response:
        headers = headers_of(request)
        token = presented_token(headers, safe=True)
        if token is None:
            return _session(None, provider=self._provider)
        try:
            return _session(await self._tokens.verify(token), provider=self._provider)
        except (Unauthenticated, PermissionDenied):
            if token != cookie_token(headers):
                raise
            # The session is over, or its role is; that is no error of this question.
            return _session(None, clear_cookie(headers), self._provider)

    async def _sign_in(self, request: Request) -> Response:
        headers = headers_of(request)
        require_same_origin(headers)
        token = _token(await _body(request))
        if len(token) > (room := token_room(headers)):
            raise InvalidArgument.of_field(
                "INVALID_VALUE",
                "token",
                f"has {len(token):,} characters, and a browser keeps no more than {room:,}; have its provider"
                " put less into it, or sign in with one that `annotateforge token create` prints",
            )
        principal = await self._tokens.verify(token)
        if not allows([Role.VIEWER], principal):
            raise PermissionDenied(
                "ROLE_NOT_ALLOWED",
                f"A token of the role {principal.role} is for machines; sign in with another.",
            )
        return _session(principal, set_cookie(headers, token))

    def _sign_out(self, request: Request) -> Response:
        headers = headers_of(request)
        require_same_origin(headers)
        return Response(status_code=204, headers=_headers(clear_cookie(headers)))


def headers_of(request: Request) -> dict[bytes, bytes]:
    """The headers of a request by lower-case name."""
    return dict(request.scope["headers"])


async def _body(request: Request) -> bytes:
    gathered = bytearray()
    async for part in request.stream():
        gathered += part
        if len(gathered) > _LARGEST_BODY:
            raise InvalidArgument.of_field("INVALID_VALUE", "token", "is longer than a token can be")
    return bytes(gathered)


def _token(body: bytes) -> str:
    try:
        given: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidArgument("INVALID_JSON", 'The body is no JSON; send {"token": "…"}.') from None
    token = given.get("token") if isinstance(given, dict) else None
    # Only these characters: a cookie is a part of a header.
    if not isinstance(token, str) or not _JWT.fullmatch(token.strip()):
        raise InvalidArgument.of_field(
            "INVALID_VALUE", "token", "must be the text of a token, which `annotateforge token create` prints"
        )
    return token.strip()


def _session(
    principal: Principal | None, cookie: bytes | None = None, provider: Mapping[str, str] | None = None
) -> Response:
    shown: dict[str, Mapping[str, str]] = {"provider": provider} if provider else {}
    if principal:
        shown["principal"] = {"subject": principal.subject, "role": principal.role}
    return Response(orjson.dumps(shown), media_type="application/json", headers=_headers(cookie))


def _headers(cookie: bytes | None) -> dict[str, str]:
    headers = {"cache-control": "no-store", **{name.decode(): value.decode() for name, value in SECURITY}}
    return headers if cookie is None else {**headers, "set-cookie": cookie.decode()}
