"""Tokens and roles: JWTs signed with the installation's secret, or by an OpenID Connect provider."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import jwt

from annotateforge.api.options.v1.options_pb2 import Role as RoleProto
from annotateforge.runtime.errors import Unauthenticated
from annotateforge.runtime.oidc import ProviderKeys
from annotateforge.runtime.settings import MIN_SECRET_BYTES, ServiceSettings

AUDIENCE = "annotateforge"
"""Audience of the tokens that the installation signs itself."""
CLOCK_LEEWAY = 10
"""Seconds by which the clocks of two machines may differ."""

_LONGEST_TOKEN = 8192
_MOST_VERIFIED = 1024
_VERIFIED_FOR = 30.0
_REQUIRED = ["exp", "iat", "sub", "aud"]


class Role(StrEnum):
    """What a token allows. viewer, editor and admin include the one before; worker stands alone."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"
    WORKER = "worker"


_LADDER = {Role.VIEWER: 1, Role.EDITOR: 2, Role.ADMIN: 3}
_FROM_PROTO = {
    RoleProto.ROLE_VIEWER: Role.VIEWER,
    RoleProto.ROLE_EDITOR: Role.EDITOR,
    RoleProto.ROLE_ADMIN: Role.ADMIN,
    RoleProto.ROLE_WORKER: Role.WORKER,
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls."""

    subject: str
    role: Role


@dataclass(frozen=True, slots=True)
class _Verified:
    """A token that has been checked: checking it again takes longer than many a call."""

    principal: Principal
    good_until: float


def access_roles(numbers: Collection[int]) -> frozenset[Role]:
    """The roles that an `(access)` option names."""
    return frozenset(_FROM_PROTO[RoleProto.ValueType(number)] for number in numbers if number in _FROM_PROTO)


def allows(access: Collection[Role], principal: Principal) -> bool:
    """Whether a principal may call a method with this access: its role is named, or above a named one on the
    ladder.
    """
    if principal.role in access:
        return True
    rank = _LADDER.get(principal.role, 0)
    return any(rank >= _LADDER[role] for role in access if role in _LADDER)


def issue_token(secret: str, role: Role | str, subject: str, lifetime: timedelta) -> str:
    """Sign a token for `subject` with the installation's secret. ValueError for an unknown role or a short
    secret.
    """
    _check_secret(secret)
    now = datetime.now(UTC)
    claims = {"sub": subject, "role": Role(role).value, "aud": AUDIENCE, "iat": now, "exp": now + lifetime}
    return jwt.encode(claims, secret, algorithm="HS256")


class TokenVerifier:
    """Tells who a token stands for."""

    def __init__(
        self,
        secret: str,
        *,
        provider: ProviderKeys | None = None,
        audience: str = AUDIENCE,
        role_claim: str = "role",
    ) -> None:
        """`provider` holds the keys of an OpenID Connect issuer whose tokens are accepted too; audience and
        claim are theirs.
        """
        _check_secret(secret)
        self._secret = secret
        self._provider = provider
        self._audience = audience
        self._role_claim = role_claim
        self._verified: dict[str, _Verified] = {}

    @classmethod
    def from_settings(cls, settings: ServiceSettings) -> "TokenVerifier":
        """The verifier that the settings describe."""
        return cls(
            settings.secret.get_secret_value(),
            provider=ProviderKeys(settings.oidc_issuer) if settings.oidc_issuer else None,
            audience=settings.oidc_audience,
            role_claim=settings.oidc_role_claim,
        )

    async def verify(self, token: str | None) -> Principal:
        """Who the token stands for.

        Unauthenticated: TOKEN_MISSING, TOKEN_EXPIRED or TOKEN_INVALID. Unavailable
        IDENTITY_PROVIDER_UNAVAILABLE when the provider's keys cannot be had.
        """
        if not token:
            raise Unauthenticated(
                "TOKEN_MISSING",
                "This needs a token, as `authorization: Bearer …`; `annotateforge token create` makes one.",
            )
        if len(token) > _LONGEST_TOKEN:
            raise _invalid()
        known = self._verified.get(token)
        if known is not None and time.time() < known.good_until:
            return known.principal
        claims, role_claim = await self._claims(token)
        principal = _principal(claims, role_claim)
        if len(self._verified) >= _MOST_VERIFIED:
            self._verified.clear()
        # Not for long: a provider may take a key back.
        good_until = min(int(claims["exp"]), time.time() + _VERIFIED_FOR)
        self._verified[token] = _Verified(principal, good_until)
        return principal

    async def _claims(self, token: str) -> tuple[dict[str, Any], str]:
        """What a good token says, and the claim in which it names the role."""
        try:
            # The header chooses between two disjoint families only; each is checked with its own algorithms
            # and keys, so that a token can never have a public key taken for a secret, nor go unsigned.
            algorithm = jwt.get_unverified_header(token).get("alg")
            if algorithm == "HS256":
                return self._decode(token, self._secret, ["HS256"], AUDIENCE, None), "role"
            if self._provider is not None and algorithm in ProviderKeys.ALGORITHMS:
                key = await self._provider.key_of(token)
                claims = self._decode(token, key, [algorithm], self._audience, self._provider.issuer)
                return claims, self._role_claim
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("TOKEN_EXPIRED", "The token has expired. Get a new one.") from error
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise _invalid() from error
        raise _invalid()

    def _decode(
        self, token: str, key: Any, algorithms: list[str], audience: str, issuer: str | None
    ) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=algorithms,
            audience=audience,
            issuer=issuer,
            leeway=CLOCK_LEEWAY,
            options={"require": _REQUIRED if issuer is None else [*_REQUIRED, "iss"]},
        )


def bearer(authorization: str | None) -> str | None:
    """The token in the value of an `authorization` header; None when it holds no bearer token."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _principal(claims: dict[str, Any], role_claim: str) -> Principal:
    subject, role = claims["sub"], claims.get(role_claim)
    if not isinstance(subject, str) or not isinstance(role, str):
        raise _invalid()
    try:
        return Principal(subject, Role(role))
    except ValueError:
        raise _invalid() from None


def _invalid() -> Unauthenticated:
    return Unauthenticated("TOKEN_INVALID", "The token is none of this installation's. Get a new one.")


def _check_secret(secret: str) -> None:
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"The secret must have at least {MIN_SECRET_BYTES} bytes.")
