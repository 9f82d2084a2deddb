"""The gateway as one ASGI application."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from annotateforge.gateway.site import Site
from annotateforge.gateway.transcoder import Transcoder

_EXPOSED = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Location",
    "Retry-After",
    "X-Request-Id",
)
_ACCEPTED = ("Authorization", "Content-Type", "If-None-Match", "If-Range", "Range", "X-Request-Id")


class Application:
    """Hands what is served under fixed paths and WebSockets to the site, everything else to the transcoder,
    which is as near to the server as it can be.
    """

    def __init__(self, site: Site, transcoder: Transcoder, cors_origins: Sequence[str]) -> None:
        """`cors_origins`: origins whose pages may call; `*` for all."""
        self._site = site
        self._transcoder = transcoder
        self._entrance: ASGIApp = self._serve
        if cors_origins:
            self._entrance = CORSMiddleware(
                self._serve,
                allow_origins=cors_origins,
                allow_methods=["GET", "PUT", "POST", "PATCH", "DELETE"],
                allow_headers=_ACCEPTED,
                expose_headers=_EXPOSED,
                max_age=600,
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._entrance(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._site.serves(scope):
            await self._transcoder(scope, receive, send)
        else:
            await self._site(scope, receive, send)
