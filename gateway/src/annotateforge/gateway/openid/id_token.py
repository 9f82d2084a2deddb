"""Whether an ID token may be believed (OpenID Connect Core 1.0, section 3.1.3.7)."""

import hmac
import time
from datetime import UTC, datetime
from typing import Any

import jwt
import structlog

from annotateforge.runtime.auth import CLOCK_LEEWAY
from annotateforge.runtime.errors import Unauthenticated
from annotateforge.runtime.oidc import ProviderKeys

log = structlog.get_logger()


async def read_id_token(token: str, keys: ProviderKeys, client_id: str, nonce: str) -> dict[str, Any]:
    """The claims of an ID token that has just come from the provider.

    Unauthenticated CLOCKS_DIFFER when it is over or not valid yet, although it is new; ID_TOKEN_INVALID when
    it is not signed by the provider, or not for this installation or this sign-in. Unavailable
    IDENTITY_PROVIDER_UNAVAILABLE when the keys cannot be had.
    """
    try:
        key = await keys.key_of(token, from_provider=True)
        claims = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=client_id,
            issuer=keys.issuer,
            leeway=CLOCK_LEEWAY,
            options={"require": ["iss", "sub", "aud", "exp", "iat", "nonce"]},
        )
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as error:
        raise _clocks_differ(token) from error
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise _invalid(str(error)) from error
    if not isinstance(claims["nonce"], str) or not hmac.compare_digest(
        claims["nonce"].encode(), nonce.encode()
    ):
        raise _invalid("It was made for another sign-in.")
    if claims.get("azp", client_id) != client_id:
        raise _invalid("It was made for another application.")
    return claims


def _clocks_differ(token: str) -> Unauthenticated:
    # Its signature has been found good before its times were looked at.
    issued = jwt.decode(token, options={"verify_signature": False}).get("iat")
    there = (
        f"{datetime.fromtimestamp(issued, UTC):%H:%M:%S}"
        if isinstance(issued, int | float)
        else "another time"
    )
    here = f"{datetime.fromtimestamp(time.time(), UTC):%H:%M:%S}"
    log.warning("the clocks of identity provider and gateway differ", provider=there, gateway=here)
    return Unauthenticated(
        "CLOCKS_DIFFER",
        f"The clocks of the identity provider ({there} UTC) and of this server ({here} UTC) differ by more"
        f" than {CLOCK_LEEWAY} s. Whoever runs this installation has to set the clock, best by NTP.",
    )


def _invalid(why: str) -> Unauthenticated:
    log.warning("an ID token is refused", why=why)
    return Unauthenticated(
        "ID_TOKEN_INVALID",
        f"What the identity provider says cannot be believed: {why.rstrip('.')}. Sign in again; if that does"
        " not help, tell whoever runs this installation.",
    )
