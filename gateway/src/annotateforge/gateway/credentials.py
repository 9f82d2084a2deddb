"""The token that a request brings: in its `authorization` header, or in the session's cookie."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from annotateforge.gateway.session_cookie import cookie_token
from annotateforge.runtime.auth import bearer
from annotateforge.runtime.errors import PermissionDenied


def presented_token(headers: Mapping[bytes, bytes], *, safe: bool) -> str | None:
    """The token of a request with these headers, named in lower case; None when it brings none.

    Browsers add the cookie without being asked, so that it counts only where it can do no harm: in a `safe`
    request (GET, HEAD), whose answer no other page can read, and in one that a page of the same origin makes.
    PermissionDenied ORIGIN_NOT_ALLOWED otherwise.
    """
    token = bearer(headers.get(b"authorization", b"").decode("latin-1"))
    if token is not None:
        return token
    token = cookie_token(headers)
    if token is not None and not safe:
        require_same_origin(headers)
    return token


def require_same_origin(headers: Mapping[bytes, bytes]) -> None:
    """PermissionDenied ORIGIN_NOT_ALLOWED unless a page of this origin makes the request.

    `sec-fetch-site` is the browser's own word, and holds behind proxies that change the host; browsers leave
    it out on plain HTTP, where the origin's host must be the one that was asked.
    """
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        same = site == b"same-origin"
    else:
        origin = urlsplit(headers.get(b"origin", b"").decode("latin-1")).netloc
        same = bool(origin) and origin == headers.get(b"host", b"").decode("latin-1")
    if not same:
        raise PermissionDenied(
            "ORIGIN_NOT_ALLOWED",
            "A session's cookie counts for pages of this server alone."
            " Send the token as `authorization: Bearer …`.",
        )
