"""The calls to the provider that follow a person's return: a code for tokens, and who the person is."""

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import structlog

from annotateforge.runtime.errors import DomainError, FailedPrecondition, PermissionDenied, Unavailable
from annotateforge.runtime.oidc import ProviderConfiguration

CALL_TIMEOUT = 10.0
"""Seconds that the provider has for an answer."""
_LARGEST_ANSWER = 256 * 1024

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Client:
    """The installation, as the provider knows it."""

    client_id: str
    client_secret: str | None
    """None for a public client, which PKCE alone protects."""


@dataclass(frozen=True, slots=True)
class ProviderTokens:
    """What a code is worth."""

    id_token: str
    access_token: str


async def exchange_code(
    http: httpx.AsyncClient,
    provider: ProviderConfiguration,
    client: Client,
    *,
    code: str,
    redirect_url: str,
    verifier: str,
) -> ProviderTokens:
    """Exchange an authorization code (OpenID Connect Core 1.0, section 3.1.3).

    Unavailable IDENTITY_PROVIDER_UNAVAILABLE; FailedPrecondition IDENTITY_PROVIDER_MISCONFIGURED or
    SIGN_IN_EXPIRED.
    """
    if provider.token_url is None:
        raise misconfigured("It names no address at which codes are exchanged")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_url,
        "code_verifier": verifier,
    }
    headers = {"accept": "application/json"}
    if client.client_secret is None:
        form["client_id"] = client.client_id
    elif "client_secret_basic" in provider.authentication_methods:
        # Both are encoded before they are joined (RFC 6749, section 2.3.1).
        name, word = quote(client.client_id, safe=""), quote(client.client_secret, safe="")
        headers["authorization"] = "Basic " + base64.b64encode(f"{name}:{word}".encode()).decode()
    else:
        form |= {"client_id": client.client_id, "client_secret": client.client_secret}
    status, answer = await _answer(
        http, http.build_request("POST", provider.token_url, data=form, headers=headers)
    )
    if status != httpx.codes.OK:
        raise _refused(str(answer.get("error", "")), str(answer.get("error_description", "")), status)
    id_token, access_token = answer.get("id_token"), answer.get("access_token")
    if not isinstance(id_token, str):
        raise misconfigured("It gives no ID token; the scope openid has to be allowed to this client")
    return ProviderTokens(id_token, access_token if isinstance(access_token, str) else "")


async def userinfo(http: httpx.AsyncClient, url: str, access_token: str) -> dict[str, Any]:
    """What the provider says of the person beside the ID token (section 5.3); empty when it says nothing."""
    headers = {"authorization": f"Bearer {access_token}", "accept": "application/json"}
    status, answer = await _answer(http, http.build_request("GET", url, headers=headers))
    return answer if status == httpx.codes.OK else {}


async def _answer(http: httpx.AsyncClient, request: httpx.Request) -> tuple[int, dict[str, Any]]:
    """Status and JSON object of an answer; an empty one when it is something else."""
    body = bytearray()
    try:
        response = await http.send(request, stream=True)
        try:
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _LARGEST_ANSWER:
                    raise misconfigured("Its answer is too long")
        finally:
            await response.aclose()
    except httpx.HTTPError as error:
        log.warning("identity provider is away", url=str(request.url), error=repr(error))
        raise _away() from error
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        log.warning("identity provider fails", url=str(request.url), status=response.status_code)
        raise _away()
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    return response.status_code, found if isinstance(found, dict) else {}


def _refused(error: str, description: str, status: int) -> DomainError:
    log.warning("identity provider refuses a code", error=error, description=description, status=status)
    if error == "invalid_grant":
        return FailedPrecondition(
            "SIGN_IN_EXPIRED", "The identity provider's code has been used or is too old. Sign in again."
        )
    if error == "access_denied":
        return PermissionDenied("SIGN_IN_REFUSED", "The identity provider lets you not in here.")
    hint = (
        "; look at ANNOTATEFORGE_OIDC_CLIENT_ID and ANNOTATEFORGE_OIDC_CLIENT_SECRET"
        if error in ("invalid_client", "unauthorized_client") or status == httpx.codes.UNAUTHORIZED
        else ""
    )
    said = ": ".join(part for part in (error, description) if part) or f"HTTP {status}"
    return misconfigured(f"It refuses this installation ({said[:300]}){hint}")


def misconfigured(what: str) -> FailedPrecondition:
    """What only whoever runs the installation or the provider can mend."""
    return FailedPrecondition(
        "IDENTITY_PROVIDER_MISCONFIGURED",
        f"Signing in through the identity provider does not work. {what}. Tell whoever runs this"
        " installation.",
    )


def _away() -> Unavailable:
    return Unavailable(
        "IDENTITY_PROVIDER_UNAVAILABLE", "The identity provider does not answer. Try again in a moment."
    )
