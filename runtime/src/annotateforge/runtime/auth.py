"""Tokens and roles: JWTs signed with the installation's secret, or by an OpenID Connect provider."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import jwt

from annotateforge.api.options.v1.options_pb2 import Role as RoleProto
from annotateforge.runtime.errors import PermissionDenied, Unauthenticated
from annotateforge.runtime.oidc import ProviderKeys
from annotateforge.runtime.provider_roles import RoleMapping
from annotateforge.runtime.settings import MIN_SECRET_BYTES, ServiceSettings

AUDIENCE = "annotateforge"
"""Audience of the tokens that the installation signs itself."""
CLOCK_LEEWAY = 10
"""Seconds by which the clocks of two machines may differ."""
EMAIL, EMAIL_VERIFIED = "email", "email_verified"
"""Claims of a provider: an address, and whether it has seen that it is the person's own."""

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
        roles: RoleMapping | None = None,
        subject_claim: str = "sub",
    ) -> None:
        """`provider` holds the keys of an OpenID Connect issuer whose tokens are accepted too; audience,
        roles and the claim that names people are theirs.
        """
        _check_secret(secret)
        self._secret = secret
        self._provider = provider
        self._audience = audience
        self._roles = roles or RoleMapping()
        self._subject_claim = subject_claim
        self._verified: dict[str, _Verified] = {}

    @classmethod
    def from_settings(cls, settings: ServiceSettings) -> "TokenVerifier":
        """The verifier that the settings describe."""
        return cls(
            settings.secret.get_secret_value(),
            provider=ProviderKeys(settings.oidc_issuer) if settings.oidc_issuer else None,
            audience=settings.oidc_audience,
            roles=settings.role_mapping(),
            subject_claim=settings.oidc_subject_claim,
        )

    async def verify(self, token: str | None) -> Principal:
        """Who the token stands for.

        Unauthenticated: TOKEN_MISSING, TOKEN_EXPIRED or TOKEN_INVALID. PermissionDenied NO_ROLE: a provider's
        good token gives no role. Unavailable IDENTITY_PROVIDER_UNAVAILABLE when the provider's keys cannot be
        had.
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
        claims, principal = await self._read(token)
        if len(self._verified) >= _MOST_VERIFIED:
            self._verified.clear()
        # Not for long: a provider may take a key back.
        good_until = min(int(claims["exp"]), time.time() + _VERIFIED_FOR)
        self._verified[token] = _Verified(principal, good_until)
        return principal

    async def _read(self, token: str) -> tuple[dict[str, Any], Principal]:
        """What a good token says, and whom it stands for."""
        try:
            # The header chooses between two disjoint families only; each is checked with its own algorithms
            # and keys, so that a token can never have a public key taken for a secret, nor go unsigned.
            algorithm = jwt.get_unverified_header(token).get("alg")
            if algorithm == "HS256":
                claims = self._decode(token, self._secret, ["HS256"], AUDIENCE, None)
                return claims, _principal(claims)
            if self._provider is not None and algorithm in ProviderKeys.ALGORITHMS:
                key = await self._provider.key_of(token)
                claims = self._decode(token, key, [algorithm], self._audience, self._provider.issuer)
                return claims, provided_principal(claims, self._roles, self._subject_claim)
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("TOKEN_EXPIRED", "The token has expired. Get a new one.") from error
        except jwt.ImmatureSignatureError as error:
            raise Unauthenticated(
                "TOKEN_INVALID",
                f"By this machine's clock the token is not valid yet: the clocks differ by more than"
                f" {CLOCK_LEEWAY} s. Set the clock of this machine, or of the one that made the token.",
            ) from error
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


def provided_principal(claims: Mapping[str, Any], roles: RoleMapping, subject_claim: str) -> Principal:
    """Whom the verified claims of an OpenID Connect provider stand for. PermissionDenied NO_ROLE when they
    give no role, EMAIL_NOT_VERIFIED when the name is an address that nobody has checked; Unauthenticated
    TOKEN_INVALID when they lack the name.
    """
    subject = claims.get(subject_claim)
    if not isinstance(subject, str) or not subject:
        raise Unauthenticated(
            "TOKEN_INVALID",
            f"The identity provider gives no name in the claim {subject_claim!r}. Whoever runs this"
            " installation has to name one that it gives in ANNOTATEFORGE_OIDC_SUBJECT_CLAIM.",
        )
    # Where people enter their address themselves, anybody may enter somebody else's (OpenID Connect Core 1.0,
    # section 5.7). Some providers write the word as a text.
    if subject_claim == EMAIL and claims.get(EMAIL_VERIFIED) not in (True, "true"):
        raise PermissionDenied(
            "EMAIL_NOT_VERIFIED",
            f"The identity provider does not say that {subject} is verified (claim {EMAIL_VERIFIED!r}); the"
            " address may be somebody else's. Verify it there, or ask whoever runs the identity provider to"
            " give this claim.",
        )
    role = roles.role_of(claims)
    if role is None:
        found = ", ".join(roles.named(claims)[:5])
        wanted = ", ".join(roles.names) or "viewer, editor or admin"
        raise PermissionDenied(
            "NO_ROLE",
            f"{subject} has no role here: the claim {roles.claim!r} of the identity provider "
            + (f"says {found[:200]}" if found else "is not there")
            + f", and this installation knows {wanted}. Ask whoever runs the identity provider for one of"
            " these.",
        )
    return Principal(subject, Role(role))


def _principal(claims: dict[str, Any]) -> Principal:
    subject, role = claims["sub"], claims.get("role")
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
