"""An OpenID Connect provider on this machine that signs everybody in, and misbehaves when it is told to."""

import asyncio
import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from annotateforge.gateway.http_server import http_server

CLIENT_ID = "forge"
CLIENT_SECRET = "a secret: with/odd characters"
KEYS = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]


class SmallProvider:
    """What it says of people, and how."""

    def __init__(self) -> None:
        self.issuer = ""
        """Known once it listens."""
        self.requests: list[str] = []
        """Paths that were asked for."""
        self.reset()

    def reset(self) -> None:
        """Behave again, with new keys."""
        self.requests.clear()
        self.away: set[str] = set()
        """Last parts of paths that answer 503."""
        self.claims: dict[str, Any] = {"sub": "ada", "annotateforge_role": "editor"}
        """What ID tokens say of everybody."""
        self.changes: dict[str, Any] = {}
        """Claims that ID tokens have instead of the right ones."""
        self.userinfo: dict[str, Any] | None = None
        """What the userinfo endpoint says; None where there is none."""
        self.refusal: dict[str, str] | None = None
        """What comes back from the sign-in page instead of a code."""
        self.clock = 0.0
        """Seconds by which its clock is ahead."""
        self.methods: list[str] | None = None
        """How clients may authenticate themselves, as its configuration says."""
        self.public = False
        """Whether the client has no secret."""
        self.published = True
        """Whether the key that signs is among those that it publishes."""
        self.codes: dict[str, dict[str, str]] = {}
        self.rotate()

    def rotate(self) -> None:
        """Sign with a new key from now on."""
        KEYS.reverse()
        self.key = KEYS[0]
        self.key_id = secrets.token_hex(4)

    def id_token(self, client_id: str, nonce: str) -> str:
        """A token for a client."""
        now = time.time() + self.clock
        claims = {
            "iss": self.issuer,
            "aud": client_id,
            "iat": int(now),
            "exp": int(now) + 300,
            "nonce": nonce,
            **self.claims,
            **self.changes,
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.key_id})

    def app(self) -> Starlette:
        """Its endpoints."""
        served = [
            Route("/realm/.well-known/openid-configuration", self._serve(self._configuration)),
            Route("/realm/keys", self._serve(self._keys)),
            Route("/realm/authorize", self._serve(self._authorize)),
            Route("/realm/token", self._serve(self._token), methods=["POST"]),
            Route("/realm/userinfo", self._serve(self._userinfo)),
        ]
        return Starlette(routes=served)

    def _serve(self, answer: Any) -> Any:
        async def serve(request: Request) -> Response:
            part = request.url.path.rsplit("/", 1)[-1]
            self.requests.append(part)
            if part in self.away:
                return Response(status_code=503)
            answered: Response = answer(request, await request.body())
            return answered

        return serve

    def _configuration(self, _request: Request, _body: bytes) -> Response:
        found: dict[str, Any] = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_endpoint": f"{self.issuer}/authorize?theme=calm",
            "token_endpoint": f"{self.issuer}/token",
        }
        if self.userinfo is not None:
            found["userinfo_endpoint"] = f"{self.issuer}/userinfo"
        if self.methods is not None:
            found["token_endpoint_auth_methods_supported"] = self.methods
        return JSONResponse(found)

    def _keys(self, _request: Request, _body: bytes) -> Response:
        key = self.key if self.published else KEYS[1]
        shown = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        return JSONResponse({"keys": [{**shown, "kid": self.key_id, "use": "sig"}]})

    def _authorize(self, request: Request, _body: bytes) -> Response:
        asked = dict(request.query_params)
        assert asked["client_id"] == CLIENT_ID
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        assert asked["theme"] == "calm"
        if self.refusal is not None:
            back = {**self.refusal, "state": asked["state"]}
        else:
            code = secrets.token_urlsafe(8)
            self.codes[code] = asked
            back = {"code": code, "state": asked["state"], "iss": self.issuer}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 302)

    def _token(self, request: Request, body: bytes) -> Response:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if not self._knows(request.headers.get("authorization", ""), form):
            return JSONResponse({"error": "invalid_client"}, 401)
        asked = self.codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        if (
            asked is None
            or form["grant_type"] != "authorization_code"
            or form["redirect_uri"] != asked["redirect_uri"]
            or challenge.rstrip(b"=").decode() != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        id_token = self.id_token(CLIENT_ID, asked["nonce"])
        return JSONResponse({"id_token": id_token, "access_token": "for ada", "token_type": "Bearer"})

    def _knows(self, authorization: str, form: dict[str, str]) -> bool:
        if self.public:
            return not authorization and form.get("client_id") == CLIENT_ID and "client_secret" not in form
        if self.methods == ["client_secret_post"]:
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        scheme, _, word = authorization.partition(" ")
        name, _, secret = base64.b64decode(word).decode().partition(":")
        assert secret == quote(unquote(secret), safe="")
        return (scheme, unquote(name), unquote(secret)) == ("Basic", CLIENT_ID, CLIENT_SECRET)

    def _userinfo(self, request: Request, _body: bytes) -> Response:
        if request.headers.get("authorization") != "Bearer for ada":
            return Response(status_code=401)
        return JSONResponse(self.userinfo)


@contextmanager
def small_provider() -> Iterator[SmallProvider]:
    """One that listens on a free port, from a thread of its own, for the time of the context."""
    provider = SmallProvider()
    listening = threading.Event()
    ending: list[Any] = []

    async def serve() -> None:
        over = asyncio.Event()
        ending.append((asyncio.get_running_loop(), over))
        async with http_server(provider.app(), "127.0.0.1:0") as address:
            provider.issuer = f"http://{address}/realm"
            listening.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert listening.wait(10)
    yield provider
    loop, over = ending[0]
    loop.call_soon_threadsafe(over.set)
    thread.join(10)
    assert not thread.is_alive()
