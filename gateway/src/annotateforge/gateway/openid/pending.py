"""A sign-in on its way: what the browser brings back from the provider must fit what it left with."""

import base64
import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import jwt

LIFETIME = timedelta(minutes=10)
"""How long a person may take at the provider's page."""

# Not that of tokens, so that neither is ever taken for the other.
_AUDIENCE = "annotateforge sign-in"
_LONGEST_PATH = 2000
"""Bytes in JSON, of which each three take four in a cookie: browsers drop one of more than 4,096."""
_FIELDS = ("state", "nonce", "verifier", "return_to")


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """What the gateway has to know again. It keeps nothing itself: the browser holds this in a cookie."""

    state: str
    """Comes back with the code: shows that this browser has begun the sign-in."""
    nonce: str
    """Comes back in the ID token: shows that the token was made for this sign-in."""
    verifier: str
    """Goes with the code: shows that it is exchanged by whom it was made for (RFC 7636)."""
    return_to: str
    """Path of the page to go on at."""

    @classmethod
    def begun(cls, return_to: str) -> Self:
        """A new one. A `return_to` that is no path of this server, or too long for a cookie, leads to `/`."""
        good = (
            return_to.startswith("/")
            and not return_to.startswith(("//", "/\\"))
            and return_to.isprintable()
            and len(json.dumps(return_to)) <= _LONGEST_PATH
        )
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, return_to if good else "/")

    @property
    def challenge(self) -> str:
        """What the provider is shown of the verifier."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def sealed(self, secret: str) -> str:
        """As the value of a cookie, signed with the installation's secret."""
        claims = {**asdict(self), "aud": _AUDIENCE, "exp": datetime.now(UTC) + LIFETIME}
        return jwt.encode(claims, secret, algorithm="HS256")

    @classmethod
    def opened(cls, value: str, secret: str) -> Self | None:
        """The one in a cookie; None when it is too old or not ours."""
        try:
            claims = jwt.decode(value, secret, algorithms=["HS256"], audience=_AUDIENCE)
            return cls(**{name: str(claims[name]) for name in _FIELDS})
        except (jwt.PyJWTError, KeyError):
            return None
