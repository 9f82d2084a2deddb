"""The public keys of an OpenID Connect provider, found by discovery and kept."""

import asyncio
import time
import urllib.error
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, TypeVar
from urllib.request import urlopen

import jwt
import orjson
import structlog

from annotateforge.runtime.errors import Unavailable

T = TypeVar("T")

FETCH_TIMEOUT = 5.0
"""Seconds that a request to the provider may take."""
KEYS_LIFETIME = 3600.0
"""Seconds after which the keys are fetched anew."""
REFETCH_PAUSE = 30.0
"""Seconds between two fetches on account of unknown keys, so that forged tokens cannot flood the provider."""

_LARGEST_DOCUMENT = 1024 * 1024

log = structlog.get_logger()


class ProviderKeys:
    """Signing keys of one issuer."""

    ALGORITHMS: ClassVar[frozenset[str]] = frozenset({"RS256", "ES256"})

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._client: jwt.PyJWKClient | None = None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._tried = float("-inf")
        self._fetching = asyncio.Lock()

    async def key_of(self, token: str) -> jwt.PyJWK:
        """The key that signed the token. jwt.InvalidTokenError when the provider has no such key; Unavailable
        IDENTITY_PROVIDER_UNAVAILABLE when there is no answer and no older key.
        """
        header = jwt.get_unverified_header(token)
        key_id = header.get("kid")
        if not isinstance(key_id, str):
            raise jwt.InvalidTokenError("The token names no key.")
        if key_id not in self._keys or time.monotonic() - self._fetched > KEYS_LIFETIME:
            await self._fetch()
        key = self._keys.get(key_id)
        if key is None:
            raise jwt.InvalidTokenError("The provider has no such key.")
        if key.algorithm_name != header.get("alg"):
            raise jwt.InvalidTokenError("The key is for another algorithm.")
        return key

    async def _fetch(self) -> None:
        async with self._fetching:
            if time.monotonic() - self._tried < REFETCH_PAUSE:
                if not self._keys:
                    raise _away()
                return
            self._tried = time.monotonic()
            try:
                if self._client is None:
                    address = await _in_thread(partial(_discover, self.issuer))
                    self._client = jwt.PyJWKClient(address, cache_keys=False, timeout=FETCH_TIMEOUT)
                keys = await _in_thread(partial(self._client.get_signing_keys, refresh=True))
            except (jwt.PyJWTError, urllib.error.URLError, OSError, ValueError, KeyError) as error:
                log.warning("identity provider is away", issuer=self.issuer, error=str(error))
                if not self._keys:
                    raise _away() from error
                return
            self._keys = {key.key_id: key for key in keys if key.key_id}
            self._fetched = time.monotonic()


def _discover(issuer: str) -> str:
    """Address of the keys, from the provider's configuration (OpenID Connect Discovery 1.0, section 4)."""
    address = issuer.rstrip("/") + "/.well-known/openid-configuration"
    if not address.startswith(("https://", "http://")):
        raise ValueError("an issuer is an https address")
    try:
        with urlopen(address, timeout=FETCH_TIMEOUT) as answer:
            found: Any = orjson.loads(answer.read(_LARGEST_DOCUMENT))
    except urllib.error.HTTPError as error:
        # It holds the connection.
        error.close()
        raise
    if found["issuer"] != issuer:
        raise ValueError("the configuration is another issuer's")
    return str(found["jwks_uri"])


async def _in_thread(work: Callable[[], T]) -> T:
    async with asyncio.timeout(FETCH_TIMEOUT + 1):
        return await asyncio.to_thread(work)


def _away() -> Unavailable:
    return Unavailable(
        "IDENTITY_PROVIDER_UNAVAILABLE", "The identity provider does not answer. Try again in a moment."
    )
