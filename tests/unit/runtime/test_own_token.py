import time

import jwt
import pytest

from annotateforge.runtime import own_token
from annotateforge.runtime.auth import Principal, Role, TokenVerifier
from annotateforge.runtime.own_token import LIFETIME, OwnToken


async def test_a_process_is_known_by_its_own_token(secret: str) -> None:
    token = OwnToken(secret, Role.VIEWER, "service:gateway")
    assert await TokenVerifier(secret).verify(token()) == Principal("service:gateway", Role.VIEWER)


def test_a_token_is_kept_for_half_its_life_and_then_renewed(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = OwnToken(secret, Role.WORKER, "service:inference")
    first = token()
    assert token() == first
    assert jwt.decode(first, options={"verify_signature": False})["exp"] > time.time() + 1800
    later = time.monotonic() + LIFETIME.total_seconds() / 2 + 1
    monkeypatch.setattr(own_token, "issue_token", lambda *arguments: "renewed")
    assert token() == first
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert token() == "renewed"
