"""The cookie that holds the token of a person who has signed in to the web app.

The gateway keeps no sessions: the cookie is the token itself. Scripts cannot read it (HttpOnly), and browsers
send it with requests of the installation's own pages alone (SameSite=Strict).
"""

from collections.abc import Mapping

_NAME = "annotateforge_session"
_MAX_AGE = 30 * 24 * 3600
"""Seconds for which a browser keeps the cookie; the token in it may expire earlier."""
_LARGEST = 4096
"""Bytes of name and value together; browsers drop a larger cookie without a word."""


def cookie_token(headers: Mapping[bytes, bytes]) -> str | None:
    """The token in a request's cookie; None when there is none."""
    return cookie_value(headers, _NAME)


def cookie_value(headers: Mapping[bytes, bytes], kind: str) -> str | None:
    """The value of this installation's cookie of a kind; None when there is none."""
    # Not http.cookies: one odd cookie, which another program of this host has set, makes it find none.
    wanted = cookie_name(headers, kind)
    for part in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = part.partition("=")
        if name.strip() == wanted:
            return value.strip() or None
    return None


def token_room(headers: Mapping[bytes, bytes]) -> int:
    """Bytes that a token may have for browsers to keep its cookie."""
    return _LARGEST - len(cookie_name(headers, _NAME))


def set_cookie(headers: Mapping[bytes, bytes], token: str) -> bytes:
    """The value of `set-cookie` that makes the browser keep a token."""
    return _cookie(headers, token, _MAX_AGE)


def clear_cookie(headers: Mapping[bytes, bytes]) -> bytes:
    """The value of `set-cookie` that makes the browser forget it."""
    return _cookie(headers, "", 0)


def _cookie(headers: Mapping[bytes, bytes], token: str, max_age: int) -> bytes:
    # The page's own scheme, also where a proxy has taken TLS off before the gateway.
    secure = "; Secure" if headers.get(b"origin", b"").startswith(b"https://") else ""
    kept = (
        f"{cookie_name(headers, _NAME)}={token}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}"
    )
    return kept.encode()


def cookie_name(headers: Mapping[bytes, bytes], kind: str) -> str:
    """The name of a kind of cookie, one for each port: cookies belong to hosts, and one host may have several
    installations.
    """
    _, _, port = headers.get(b"host", b"").decode("latin-1").rpartition(":")
    return f"{kind}_{port}" if port.isdigit() else kind
