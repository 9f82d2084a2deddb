from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from annotateforge.runtime.auth import AUDIENCE, Principal, Role, TokenVerifier, allows, bearer, issue_token
from annotateforge.runtime.errors import Unauthenticated

SECRET = "the secret of this installation, long enough"
HOUR = timedelta(hours=1)


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier(SECRET)


def forged(secret: str = SECRET, algorithm: str = "HS256", drop: str = "", **changes: Any) -> str:
    now = datetime.now(UTC)
    claims = {"sub": "me", "role": "admin", "aud": AUDIENCE, "iat": now, "exp": now + HOUR} | changes
    claims.pop(drop, None)
    return jwt.encode(claims, secret, algorithm=algorithm)


@pytest.mark.parametrize("role", list(Role))
async def test_an_issued_token_stands_for_its_subject_and_role(verifier: TokenVerifier, role: Role) -> None:
    assert await verifier.verify(issue_token(SECRET, role, "ada", HOUR)) == Principal("ada", role)


@pytest.mark.parametrize("token", [None, ""])
async def test_a_missing_token_is_told_apart(verifier: TokenVerifier, token: str | None) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token)
    assert caught.value.reason == "TOKEN_MISSING"


async def test_an_expired_token_is_told_apart(verifier: TokenVerifier) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(issue_token(SECRET, "viewer", "ada", timedelta(seconds=-60)))
    assert caught.value.reason == "TOKEN_EXPIRED"


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        "ä.ö.ü",
        "a" * 100_000,
        forged(secret="another installation's secret, also long"),
        forged(secret="x" * 64, algorithm="HS512"),
        forged(secret="", algorithm="none"),
        forged(drop="exp"),
        forged(drop="iat"),
        forged(drop="sub"),
        forged(drop="role"),
        forged(drop="aud"),
        forged(aud="somewhere-else"),
        forged(role="root"),
        forged(role=["admin"]),
        forged(role=None),
        forged(iat=datetime.now(UTC) + HOUR),
        forged(exp="tomorrow"),
    ],
)
async def test_a_token_of_any_other_kind_is_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token)
    assert caught.value.reason == "TOKEN_INVALID"


async def test_a_changed_payload_is_refused(verifier: TokenVerifier) -> None:
    header, _, signature = issue_token(SECRET, "viewer", "ada", HOUR).split(".")
    payload = issue_token("some other secret of enough length!!", "admin", "ada", HOUR).split(".")[1]
    with pytest.raises(Unauthenticated):
        await verifier.verify(f"{header}.{payload}.{signature}")


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        TokenVerifier("short")
    with pytest.raises(ValueError, match="32 bytes"):
        issue_token("short", "viewer", "ada", HOUR)


def test_a_token_for_an_unknown_role_is_not_issued() -> None:
    with pytest.raises(ValueError, match="root"):
        issue_token(SECRET, "root", "ada", HOUR)


@pytest.mark.parametrize(
    ("access", "allowed"),
    [
        ({Role.VIEWER}, {Role.VIEWER, Role.EDITOR, Role.ADMIN}),
        ({Role.EDITOR}, {Role.EDITOR, Role.ADMIN}),
        ({Role.ADMIN}, {Role.ADMIN}),
        ({Role.WORKER}, {Role.WORKER}),
        ({Role.EDITOR, Role.WORKER}, {Role.EDITOR, Role.ADMIN, Role.WORKER}),
        (set(), set()),
    ],
)
def test_the_ladder_holds_and_a_worker_must_be_named(access: set[Role], allowed: set[Role]) -> None:
    assert {role for role in Role if allows(access, Principal("x", role))} == allowed


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic abc", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("", None),
        (None, None),
    ],
)
def test_the_token_is_taken_from_a_bearer_header(header: str | None, token: str | None) -> None:
    assert bearer(header) == token
