import asyncio
import base64
import hmac
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from annotateforge.runtime import oidc
from annotateforge.runtime.auth import Principal, Role, TokenVerifier
from annotateforge.runtime.errors import PermissionDenied, Unauthenticated, Unavailable
from annotateforge.runtime.oidc import ProviderKeys
from annotateforge.runtime.provider_roles import RoleMapping

SECRET = "the secret of this installation, long enough"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


class Provider:
    """An OpenID Connect provider on this machine."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.away = False
        self.asked, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()
        self.keys = [
            jwt.algorithms.RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True)
            | {"kid": "rsa", "alg": "RS256"},
            jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True)
            | {"kid": "ec", "alg": "ES256"},
        ]
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.requests.append(self.path)
                provider.asked.set()
                provider.may_answer.wait(10)
                self.send_response(503 if provider.away else 200)
                self.end_headers()
                if not provider.away:
                    self.wfile.write(orjson.dumps(provider.answer(self.path)))

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}/realm"

    def answer(self, path: str) -> Any:
        if path == "/realm/.well-known/openid-configuration":
            return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}
        return {"keys": self.keys}

    def token(
        self, key: Any = RSA_KEY, kid: str | None = "rsa", algorithm: str = "RS256", **changes: Any
    ) -> str:
        now = datetime.now(UTC)
        claims = {
            "sub": "ada",
            "annotateforge_role": "editor",
            "aud": "annotateforge",
            "iss": self.issuer,
            "iat": now,
            "exp": now + timedelta(hours=1),
        }
        return jwt.encode(
            claims | changes, key, algorithm=algorithm, headers={} if kid is None else {"kid": kid}
        )


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def verifier(provider: Provider) -> TokenVerifier:
    return TokenVerifier(
        SECRET,
        provider=ProviderKeys(provider.issuer),
        audience="annotateforge",
        roles=RoleMapping("annotateforge_role"),
    )


async def test_a_providers_tokens_are_accepted_and_its_keys_are_fetched_once(
    provider: Provider, verifier: TokenVerifier
) -> None:
    for token in (provider.token(), provider.token(EC_KEY, "ec", "ES256"), provider.token()):
        assert await verifier.verify(token) == Principal("ada", Role.EDITOR)
    assert provider.requests == ["/realm/.well-known/openid-configuration", "/realm/keys"]


async def test_a_public_key_is_never_taken_for_a_secret(provider: Provider, verifier: TokenVerifier) -> None:
    public = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    # Our library refuses to forge this; an attacker's does not.
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT","kid":"rsa"}').rstrip(b"=")
    signed = head + b"." + provider.token().split(".")[1].encode()
    signature = base64.urlsafe_b64encode(hmac.digest(public, signed, "sha256")).rstrip(b"=")
    with pytest.raises(Unauthenticated):
        await verifier.verify((signed + b"." + signature).decode())


@pytest.mark.parametrize(
    "forge",
    [
        lambda provider: provider.token(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        lambda provider: provider.token(RSA_KEY, "ec"),
        lambda provider: provider.token(RSA_KEY, "unknown"),
        lambda provider: provider.token(RSA_KEY, "rsa", "RS512"),
        lambda provider: provider.token(aud="another"),
        lambda provider: provider.token(iss="https://another"),
        lambda provider: provider.token(kid=None),
        lambda provider: provider.token(exp=datetime.now(UTC) - timedelta(hours=1)),
    ],
)
async def test_a_forged_token_is_refused(
    provider: Provider, verifier: TokenVerifier, forge: Callable[[Provider], str]
) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(forge(provider))


@pytest.mark.parametrize(
    "changes", [{"annotateforge_role": "root"}, {"annotateforge_role": None, "role": "admin"}], ids=str
)
async def test_a_good_token_that_gives_no_role_is_refused_with_what_to_ask_for(
    provider: Provider, verifier: TokenVerifier, changes: dict[str, Any]
) -> None:
    with pytest.raises(PermissionDenied) as caught:
        await verifier.verify(provider.token(**changes))
    assert caught.value.reason == "NO_ROLE"
    assert "'annotateforge_role'" in caught.value.message
    assert "viewer, editor or admin" in caught.value.message


async def test_a_token_from_the_future_tells_of_the_clocks(
    provider: Provider, verifier: TokenVerifier
) -> None:
    with pytest.raises(Unauthenticated, match="clocks differ by more than 10 s"):
        await verifier.verify(provider.token(iat=datetime.now(UTC) + timedelta(minutes=2)))


async def test_a_provider_of_a_single_key_need_not_name_it(
    provider: Provider, verifier: TokenVerifier
) -> None:
    del provider.keys[1]
    assert await verifier.verify(provider.token(kid=None)) == Principal("ada", Role.EDITOR)


async def test_people_are_named_by_the_claim_that_is_set(provider: Provider) -> None:
    verifier = TokenVerifier(SECRET, provider=ProviderKeys(provider.issuer), subject_claim="email")
    token = provider.token(email="ada@lab.example", email_verified=True)
    assert (await verifier.verify(token)).subject == "ada@lab.example"
    with pytest.raises(Unauthenticated, match="'email'"):
        await verifier.verify(provider.token())


@pytest.mark.parametrize("said", [{}, {"email_verified": False}, {"email_verified": "false"}])
async def test_an_address_that_nobody_has_verified_is_no_name(
    provider: Provider, said: dict[str, Any]
) -> None:
    verifier = TokenVerifier(SECRET, provider=ProviderKeys(provider.issuer), subject_claim="email")
    with pytest.raises(PermissionDenied, match="does not say that ada@lab.example is verified") as caught:
        await verifier.verify(provider.token(email="ada@lab.example", **said))
    assert caught.value.reason == "EMAIL_NOT_VERIFIED"
    # By another claim people are named as before.
    by_subject = TokenVerifier(SECRET, provider=ProviderKeys(provider.issuer))
    assert (await by_subject.verify(provider.token(email="ada@lab.example", **said))).subject == "ada"


async def test_unknown_keys_cannot_flood_the_provider(provider: Provider, verifier: TokenVerifier) -> None:
    for number in range(20):
        with pytest.raises(Unauthenticated):
            await verifier.verify(provider.token(kid=f"unknown-{number}"))
    assert provider.requests.count("/realm/keys") == 1


async def test_a_provider_that_is_away_is_told_apart_from_a_bad_token(
    provider: Provider, verifier: TokenVerifier
) -> None:
    provider.away = True
    with pytest.raises(Unavailable) as caught:
        await verifier.verify(provider.token())
    assert caught.value.reason == "IDENTITY_PROVIDER_UNAVAILABLE"


async def test_all_who_ask_while_a_provider_does_not_answer_wait_for_one_try(provider: Provider) -> None:
    keys = ProviderKeys(provider.issuer)
    provider.away = True
    provider.may_answer.clear()
    asking = [asyncio.create_task(keys.configuration()) for _ in range(20)]
    assert await asyncio.to_thread(provider.asked.wait, 10)
    provider.may_answer.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unavailable}
    assert len(provider.requests) == 1
    provider.away = False
    assert (await keys.configuration()).keys_url == f"{provider.issuer}/keys"


async def test_an_older_configuration_is_not_renewed_at_each_sign_in_while_the_provider_is_away(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ProviderKeys(provider.issuer)
    first = await keys.configuration()
    provider.away = True
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + oidc.KEYS_LIFETIME + 1)
    assert [await keys.configuration() for _ in range(3)] == [first] * 3
    assert len(provider.requests) == 2
    monkeypatch.setattr(time, "monotonic", lambda: now + oidc.KEYS_LIFETIME + oidc.REFETCH_PAUSE + 2)
    await keys.configuration()
    assert len(provider.requests) == 3


async def test_without_a_provider_its_tokens_are_refused(provider: Provider) -> None:
    with pytest.raises(Unauthenticated):
        await TokenVerifier(SECRET).verify(provider.token())
