"""Tokens at the gateway: who calls, and the gateway's own."""

import time
from datetime import timedelta

from annotateforge.runtime.auth import Principal, Role, TokenVerifier, issue_token

_KEPT_SECONDS = 5.0
_KEPT_TOKENS = 1000
_OWN_LIFETIME = timedelta(minutes=15)


class TokenCheck:
    """Verifies tokens, each at most once in some seconds.

    Checking a signature takes as long as the rest of a request's way through the gateway. A token that
    expires meanwhile is refused by the service that it is passed on to.
    """

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier
        self._known: dict[str, tuple[float, Principal]] = {}

    async def verify(self, token: str | None) -> Principal:
        """Who the token stands for. Unauthenticated as `TokenVerifier.verify` says."""
        now = time.monotonic()
        known = self._known.get(token) if token is not None else None
        if known is not None and known[0] > now:
            return known[1]
        principal = await self._verifier.verify(token)
        if token is not None:
            if len(self._known) >= _KEPT_TOKENS:
                self._known.clear()
            self._known[token] = (now + _KEPT_SECONDS, principal)
        return principal


class OwnToken:
    """The token with which the gateway reads what all watchers of a job share; it may read and nothing
    else.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._token = ""
        self._renewal = 0.0

    def __call__(self) -> str:
        """A token that is valid for some minutes more."""
        now = time.monotonic()
        if now >= self._renewal:
            self._token = issue_token(self._secret, Role.VIEWER, "gateway", _OWN_LIFETIME)
            self._renewal = now + _OWN_LIFETIME.total_seconds() / 2
        return self._token
