"""/api/v1/session/authorize and /callback: the browser's way to the provider and back."""

from collections.abc import Mapping
from html import escape

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from annotateforge.gateway.html_page import html_page
from annotateforge.gateway.openid.pending import LIFETIME, PendingSignIn
from annotateforge.gateway.openid.sign_in import ProviderSignIn
from annotateforge.gateway.session_cookie import cookie_name, cookie_value, set_cookie
from annotateforge.runtime.errors import Code, DomainError

AUTHORIZE = "/api/v1/session/authorize"
CALLBACK = "/api/v1/session/callback"
_COOKIE = "annotateforge_sign_in"

log = structlog.get_logger()


class ProviderEndpoint:
    """Sends people to the provider, and takes them back."""

    def __init__(self, provider: ProviderSignIn, public_url: str | None) -> None:
        """`public_url`: where browsers reach the gateway; by default where they say that they do."""
        self._provider = provider
        self._public_url = public_url

    def shown(self) -> dict[str, str]:
        """The provider as GET /api/v1/session shows it."""
        return {"name": self._provider.name, "url": f"{self._public_url or ''}{AUTHORIZE}"}

    async def authorize(self, request: Request) -> Response:
        """GET: to the provider's page, with what is to be remembered in a cookie."""
        pending = PendingSignIn.begun(request.query_params.get("return_to", "/"))
        try:
            address = await self._provider.address(pending, self._url(request) + CALLBACK)
        except DomainError as error:
            return _problem(error)
        value = pending.sealed(self._provider.secret)
        return _redirect(address, self._pending_cookie(request, value, int(LIFETIME.total_seconds())))

    async def callback(self, request: Request) -> Response:
        """GET: back from the provider, with the session's cookie on to the web app."""
        value = cookie_value(_headers(request), _COOKIE)
        pending = PendingSignIn.opened(value, self._provider.secret) if value else None
        forget = self._pending_cookie(request, "", 0)
        url = self._url(request)
        try:
            entered = await self._provider.complete(pending, request.query_params, url + CALLBACK)
        except DomainError as error:
            response = _problem(error)
            response.headers.append("set-cookie", forget)
            return response
        session = set_cookie({**_headers(request), b"origin": url.encode()}, entered.token)
        return _redirect(url + entered.return_to, session.decode(), forget)

    def _url(self, request: Request) -> str:
        """Scheme, host and port in the address bar."""
        return self._public_url or f"http://{request.headers.get('host', '')}"

    def _pending_cookie(self, request: Request, value: str, max_age: int) -> str:
        # Lax: the provider's page leads back here, and a strict cookie would stay behind.
        name = cookie_name(_headers(request), _COOKIE)
        secure = "; Secure" if self._url(request).startswith("https://") else ""
        return f"{name}={value}; Path={CALLBACK}; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}"


def _headers(request: Request) -> Mapping[bytes, bytes]:
    return dict(request.scope["headers"])


def _redirect(address: str, *cookies: str) -> Response:
    response = RedirectResponse(address, 303, {"cache-control": "no-store", "referrer-policy": "no-referrer"})
    for cookie in cookies:
        response.headers.append("set-cookie", cookie)
    return response


def _problem(error: DomainError) -> Response:
    """A page that says what went wrong: here a person looks at the answer itself."""
    body = (
        "<header><h1>Signing in did not work</h1></header>\n<main>\n"
        f"<p>{escape(error.message)}</p>\n"
        '<nav><a href="/sign-in">Back to signing in</a></nav>\n'
        f'<p class="soft">Reason: <code>{escape(error.reason)}</code></p>\n</main>\n'
    )
    page = html_page("Signing in did not work", body)
    page.status_code = error.code.http_status
    page.headers["cache-control"] = "no-store"
    if error.code is Code.UNAVAILABLE:
        page.headers["retry-after"] = "5"
    return page
