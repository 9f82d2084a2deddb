"""What an OpenID Connect provider publishes about itself, kept for a while: endpoints and public keys."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, TypeVar
from urllib.error import HTTPError
from urllib.request import urlopen

import jwt
import orjson
import structlog

from annotateforge.runtime.errors import DomainError, FailedPrecondition, Unavailable

T = TypeVar("T")

FETCH_TIMEOUT = 5.0
"""Seconds that a request to the provider may take."""
KEYS_LIFETIME = 3600.0
"""Seconds after which the keys and the configuration are fetched anew."""
REFETCH_PAUSE = 30.0
"""Seconds between two fetches on account of unknown keys, so that forged tokens cannot flood the provider,
and between two tries for a newer configuration.
"""

_LARGEST_DOCUMENT = 1024 * 1024

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ProviderConfiguration:
    """What discovery tells (OpenID Connect Discovery 1.0, section 3)."""

    keys_url: str
    authorization_url: str | None
    """Where people sign in."""
    token_url: str | None
    """Where codes are exchanged."""
    userinfo_url: str | None
    authentication_methods: frozenset[str]
    """How a client may authenticate itself where codes are exchanged."""


class ProviderKeys:
    """The configuration and the signing keys of one issuer."""

    ALGORITHMS: ClassVar[frozenset[str]] = frozenset({"RS256", "ES256"})

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._configuration: ProviderConfiguration | None = None
        self._discovered = float("-inf")
        self._discovering = asyncio.Lock()
        self._failure: Exception | None = None
        """Why the last try found no configuration, when there is none."""
        self._failed = float("-inf")
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._tried = float("-inf")
        self._fetching = asyncio.Lock()

    async def configuration(self) -> ProviderConfiguration:
        """The provider's configuration; an older one while the provider is away.

        When there is none, Unavailable IDENTITY_PROVIDER_UNAVAILABLE, or FailedPrecondition
        IDENTITY_PROVIDER_MISCONFIGURED where the issuer's address leads to something else.
        """
        asked = time.monotonic()
        async with self._discovering:
            if self._failure is not None and asked <= self._failed:
                # It has just been tried for somebody who came before.
                raise _undiscovered(self.issuer, self._failure)
            if time.monotonic() - self._discovered > KEYS_LIFETIME:
                try:
                    self._configuration = await _in_thread(partial(_discover, self.issuer))
                    self._discovered = time.monotonic()
                except (OSError, ValueError, KeyError, TypeError) as error:
                    log.warning(
                        "no configuration of the identity provider", issuer=self.issuer, error=str(error)
                    )
                    if self._configuration is None:
                        self._failure, self._failed = error, time.monotonic()
                        raise _undiscovered(self.issuer, error) from error
                    self._discovered = time.monotonic() - KEYS_LIFETIME + REFETCH_PAUSE
                else:
                    self._failure = None
            assert self._configuration is not None  # kept, or just found
            return self._configuration

    async def key_of(self, token: str, *, from_provider: bool = False) -> jwt.PyJWK:
        """The key that signed the token. jwt.InvalidTokenError when the provider has no such key; Unavailable
        IDENTITY_PROVIDER_UNAVAILABLE when there is no answer and no older key.

        from_provider: the provider itself has just handed the token over. An unknown key is then a new one,
        for which it is asked without a pause.
        """
        header = jwt.get_unverified_header(token)
        key_id = header.get("kid")
        if key_id not in self._keys or time.monotonic() - self._fetched > KEYS_LIFETIME:
            await self._fetch(pause=0.0 if from_provider else REFETCH_PAUSE)
        # A provider of a single key need not name it (OpenID Connect Core 1.0, section 10.1).
        if key_id is None and len(self._keys) == 1:
            (key,) = self._keys.values()
        elif (known := self._keys.get(key_id)) is not None:
            key = known
        else:
            raise jwt.InvalidTokenError("The provider has no such key.")
        if key.algorithm_name != header.get("alg"):
            raise jwt.InvalidTokenError("The key is for another algorithm.")
        return key

    async def _fetch(self, pause: float) -> None:
        async with self._fetching:
            if time.monotonic() - self._tried < pause:
                if not self._keys:
                    raise _away()
                return
            self._tried = time.monotonic()
            try:
                client = jwt.PyJWKClient(
                    (await self.configuration()).keys_url, cache_keys=False, timeout=FETCH_TIMEOUT
                )
                keys = await _in_thread(partial(client.get_signing_keys, refresh=True))
            except DomainError:
                if not self._keys:
                    raise
                return
            except (jwt.PyJWTError, OSError, ValueError) as error:
                log.warning("no keys of the identity provider", issuer=self.issuer, error=str(error))
                if not self._keys:
                    raise _away() from error
                return
            self._keys = {key.key_id: key for key in keys}
            self._fetched = time.monotonic()


def _discover(issuer: str) -> ProviderConfiguration:
    """The provider's configuration (OpenID Connect Discovery 1.0, section 4)."""
    address = issuer.rstrip("/") + "/.well-known/openid-configuration"
    if not _is_url(address):
        raise ValueError("an issuer is an https address")
    try:
        with urlopen(address, timeout=FETCH_TIMEOUT) as answer:
            found: Any = orjson.loads(answer.read(_LARGEST_DOCUMENT))
    except HTTPError as error:
        # It holds the connection.
        error.close()
        raise
    if found["issuer"] != issuer:
        raise ValueError(f"the configuration is that of the issuer {found['issuer']!r}")
    urls = {
        name: found.get(name)
        for name in ("jwks_uri", "authorization_endpoint", "token_endpoint", "userinfo_endpoint")
    }
    if any(url is not None and not (isinstance(url, str) and _is_url(url)) for url in urls.values()):
        raise ValueError("an endpoint is no https address")
    # The default is of section 3.
    methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return ProviderConfiguration(
        found["jwks_uri"],
        urls["authorization_endpoint"],
        urls["token_endpoint"],
        urls["userinfo_endpoint"],
        frozenset(str(method) for method in methods),
    )


def _is_url(text: str) -> bool:
    return text.startswith(("https://", "http://"))


async def _in_thread(work: Callable[[], T]) -> T:
    async with asyncio.timeout(FETCH_TIMEOUT + 1):
        return await asyncio.to_thread(work)


def _undiscovered(issuer: str, error: Exception) -> DomainError:
    if isinstance(error, OSError) and not (isinstance(error, HTTPError) and error.code < 500):
        return _away()
    return FailedPrecondition(
        "IDENTITY_PROVIDER_MISCONFIGURED",
        f"There is no OpenID Connect provider at {issuer}: {error}. Whoever runs this installation has to put"
        " the provider's issuer into ANNOTATEFORGE_OIDC_ISSUER, letter for letter.",
    )


def _away() -> Unavailable:
    return Unavailable(
        "IDENTITY_PROVIDER_UNAVAILABLE", "The identity provider does not answer. Try again in a moment."
    )
