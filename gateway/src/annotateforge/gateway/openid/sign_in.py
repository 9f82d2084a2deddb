"""Signing in through the provider, from the way there to a token of this installation."""

import hmac
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import httpx
import structlog

from annotateforge.gateway.openid.exchange import CALL_TIMEOUT, Client, exchange_code, misconfigured, userinfo
from annotateforge.gateway.openid.id_token import read_id_token
from annotateforge.gateway.openid.pending import PendingSignIn
from annotateforge.gateway.settings import Settings
from annotateforge.runtime.auth import (
    EMAIL,
    EMAIL_VERIFIED,
    Principal,
    Role,
    allows,
    issue_token,
    provided_principal,
)
from annotateforge.runtime.errors import FailedPrecondition, PermissionDenied
from annotateforge.runtime.oidc import ProviderKeys
from annotateforge.runtime.provider_roles import RoleMapping

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody who has signed in."""

    principal: Principal
    token: str
    """A token of this installation. The provider's own would often be too large for a cookie, is over after
    minutes, and its audience is the web app alone.
    """
    return_to: str
    """Path of the page to go on at."""


@dataclass(frozen=True, slots=True)
class ProviderSignIn:
    """The provider, and this installation as its client."""

    name: str
    """What people call the provider."""
    keys: ProviderKeys
    client: Client
    scopes: str
    roles: RoleMapping
    subject_claim: str
    session: timedelta
    """How long somebody stays signed in."""
    secret: str
    """The installation's."""
    http: httpx.AsyncClient

    @classmethod
    @asynccontextmanager
    async def from_settings(cls, settings: Settings) -> AsyncIterator[Self | None]:
        """The provider that the settings name, for the time of the context; None when they name none."""
        if settings.oidc_issuer is None or settings.oidc_client_id is None:
            yield None
            return
        word = settings.oidc_client_secret
        # The system's certificates, as for the provider's keys. What it redirects to was not agreed upon.
        async with httpx.AsyncClient(
            verify=ssl.create_default_context(), timeout=CALL_TIMEOUT, follow_redirects=False
        ) as http:
            yield cls(
                name=settings.oidc_name or urlsplit(settings.oidc_issuer).netloc,
                keys=ProviderKeys(settings.oidc_issuer),
                client=Client(settings.oidc_client_id, word.get_secret_value() if word else None),
                scopes=settings.oidc_scopes,
                roles=settings.role_mapping(),
                subject_claim=settings.oidc_subject_claim,
                session=timedelta(seconds=settings.oidc_session_seconds),
                secret=settings.secret.get_secret_value(),
                http=http,
            )

    async def address(self, pending: PendingSignIn, redirect_url: str) -> str:
        """Where at the provider a person signs in. Unavailable IDENTITY_PROVIDER_UNAVAILABLE;
        FailedPrecondition IDENTITY_PROVIDER_MISCONFIGURED.
        """
        url = (await self.keys.configuration()).authorization_url
        if url is None:
            raise misconfigured("It names no address at which people sign in")
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.client.client_id,
                "redirect_uri": redirect_url,
                "scope": self.scopes,
                "state": pending.state,
                "nonce": pending.nonce,
                "code_challenge": pending.challenge,
                "code_challenge_method": "S256",
            }
        )
        return f"{url}{'&' if urlsplit(url).query else '?'}{query}"

    async def complete(
        self, pending: PendingSignIn | None, answer: Mapping[str, str], redirect_url: str
    ) -> Entered:
        """Let somebody in who comes back from the provider with this answer. DomainError says why not."""
        if pending is None or not hmac.compare_digest(
            answer.get("state", "").encode(), pending.state.encode()
        ):
            raise FailedPrecondition(
                "SIGN_IN_EXPIRED",
                "This sign-in was begun in another browser, has been begun again since, or took more than ten"
                " minutes. Sign in again.",
            )
        # A provider that tells who it is must be the right one (RFC 9207).
        if answer.get("iss", self.keys.issuer) != self.keys.issuer:
            raise misconfigured(f"The answer is that of the issuer {answer['iss'][:200]}")
        if "error" in answer or not answer.get("code"):
            error, description = answer.get("error", "no code"), answer.get("error_description", "")
            log.warning("identity provider refuses a sign-in", error=error, description=description)
            said = f"{error}: {description}" if description else error
            raise PermissionDenied(
                "SIGN_IN_REFUSED", f"The identity provider did not let you in: {said[:300]}."
            )
        configuration = await self.keys.configuration()
        tokens = await exchange_code(
            self.http,
            configuration,
            self.client,
            code=answer["code"],
            redirect_url=redirect_url,
            verifier=pending.verifier,
        )
        claims = await read_id_token(tokens.id_token, self.keys, self.client.client_id, pending.nonce)
        needed = {EMAIL, EMAIL_VERIFIED} if self.subject_claim == EMAIL else {self.subject_claim}
        lacks = not self.roles.named(claims) or not needed <= claims.keys()
        if lacks and configuration.userinfo_url and tokens.access_token:
            claims = await self._with_userinfo(claims, configuration.userinfo_url, tokens.access_token)
        principal = provided_principal(claims, self.roles, self.subject_claim)
        if not allows([Role.VIEWER], principal):
            raise PermissionDenied(
                "ROLE_NOT_ALLOWED",
                f"{principal.subject} has the role {principal.role}, which is for machines. Ask whoever runs"
                " the identity provider for another one.",
            )
        log.info("signed in", subject=principal.subject, role=principal.role)
        token = issue_token(self.secret, principal.role, principal.subject, self.session)
        return Entered(principal, token, pending.return_to)

    async def _with_userinfo(self, claims: dict[str, Any], url: str, access_token: str) -> dict[str, Any]:
        more = await userinfo(self.http, url, access_token)
        # It may be somebody else's (OpenID Connect Core 1.0, section 5.3.2).
        if more.get("sub") != claims["sub"]:
            return claims
        merged = {**more, **claims}
        # Of an address that both name, either may say that it is verified; of another's address, none.
        words = [said.get(EMAIL_VERIFIED) for said in (claims, more) if said.get(EMAIL) == merged.get(EMAIL)]
        return {**merged, EMAIL_VERIFIED: next((word for word in words if word is not None), None)}
