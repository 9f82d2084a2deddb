"""Signing in to the web app: a token for a cookie, which counts for pages of this server alone."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from annotateforge.gateway import app
from annotateforge.runtime.auth import issue_token
from tests.integration.gateway.conftest import Services

pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSION = "/api/v1/session"


@pytest.fixture
async def page(gateway: app.App) -> AsyncIterator[httpx.AsyncClient]:
    """A browser with a page of the gateway, not signed in."""
    async with httpx.AsyncClient(base_url=gateway.url, headers={"origin": gateway.url}) as client:
        yield client


async def sign_in(page: httpx.AsyncClient, token: str) -> httpx.Response:
    return await page.post(SESSION, json={"token": token})


async def test_a_token_becomes_a_cookie_that_scripts_cannot_read(
    page: httpx.AsyncClient, token: Callable[[str], str]
) -> None:
    assert (await page.get(SESSION)).json() == {}
    entered = await sign_in(page, f" {token('editor')}\n")
    assert entered.status_code == 200
    assert entered.json()["principal"]["role"] == "editor"
    (cookie,) = entered.headers.get_list("set-cookie")
    assert "; HttpOnly; SameSite=Strict" in cookie
    assert "; Path=/; Max-Age=" in cookie
    assert "Secure" not in cookie
    assert (await page.get(SESSION)).json() == entered.json()
    assert (await page.get("/api/v1/projects")).status_code == 200
    assert (await page.get("/metrics")).status_code == 200
    made = await page.post("/api/v1/projects", json={"name": "by cookie"})
    assert made.status_code == 201


async def test_over_https_the_cookie_never_travels_without(
    page: httpx.AsyncClient, token: Callable[[str], str]
) -> None:
    # A proxy has taken TLS off; the browser says that the page is the server's own.
    headers = {"origin": "https://forge.example", "sec-fetch-site": "same-origin"}
    entered = await page.post(SESSION, json={"token": token("viewer")}, headers=headers)
    assert entered.headers["set-cookie"].endswith("; Secure")


async def test_signing_out_takes_the_cookie_away(
    page: httpx.AsyncClient, token: Callable[[str], str]
) -> None:
    await sign_in(page, token("viewer"))
    left = await page.delete(SESSION)
    assert (left.status_code, left.content) == (204, b"")
    assert len(page.cookies) == 0
    assert (await page.get("/api/v1/projects")).json()["error"]["reason"] == "TOKEN_MISSING"


async def test_a_session_that_is_over_is_no_error_and_its_cookie_is_dropped(
    page: httpx.AsyncClient, gateway: app.App
) -> None:
    port = gateway.address.rpartition(":")[2]
    page.cookies.set(f"annotateforge_session_{port}", "a.b.c", domain="127.0.0.1")
    answer = await page.get(SESSION)
    assert (answer.status_code, answer.json()) == (200, {})
    assert "Max-Age=0" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"no json", 400, "INVALID_JSON"),
        (b"[]", 400, "INVALID_VALUE"),
        (b'{"token": "a b"}', 400, "INVALID_VALUE"),
        (b'{"token": "a.b.c; Domain=evil"}', 400, "INVALID_VALUE"),
        (b'{"token": "' + b"x" * 20_000 + b'"}', 400, "INVALID_VALUE"),
        (b'{"token": "a.b.c"}', 401, "TOKEN_INVALID"),
    ],
)
async def test_what_is_no_token_is_refused(
    page: httpx.AsyncClient, body: bytes, status: int, reason: str
) -> None:
    answer = await page.post(SESSION, content=body)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (status, reason)
    assert "set-cookie" not in answer.headers


async def test_a_token_that_no_browser_would_keep_is_refused_with_what_to_do(
    page: httpx.AsyncClient, gateway: app.App, secret: str
) -> None:
    def of_length(length: int) -> str:
        # A byte of the subject is one or two characters of the token.
        made = (
            issue_token(secret, "viewer", "s" * size, timedelta(minutes=5)) for size in range(2500, length)
        )
        return next(token for token in made if len(token) >= length)

    name = f"annotateforge_session_{gateway.address.rpartition(':')[2]}"
    room = 4096 - len(name)
    kept = of_length(room - 1)
    assert len(kept) <= room
    assert (await sign_in(page, kept)).status_code == 200
    assert len(page.cookies[name]) == len(kept)
    assert (await page.get("/api/v1/projects")).status_code == 200
    refused = await sign_in(page, of_length(room + 1))
    assert (refused.status_code, refused.json()["error"]["reason"]) == (400, "INVALID_VALUE")
    assert f"no more than {room:,}" in refused.json()["error"]["message"]
    assert "`annotateforge token create`" in refused.json()["error"]["message"]
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize(
    "others", ['a={"x":"y"}', "a", "n=x y", "ä=ö", "=", 'a="', "annotateforge_session=b", "$Version=1"]
)
async def test_odd_cookies_of_other_programs_on_the_host_do_not_hide_the_session(
    gateway: app.App, token: Callable[[str], str], others: str
) -> None:
    name = f"annotateforge_session_{gateway.address.rpartition(':')[2]}"
    for given in (f"{others}; {name}={token('viewer')}", f"{name}={token('viewer')}; {others}"):
        async with httpx.AsyncClient(base_url=gateway.url, headers={b"cookie": given.encode()}) as page:
            assert (await page.get(SESSION)).json()["principal"]["role"] == "viewer"


async def test_tokens_of_machines_do_not_sign_in(
    page: httpx.AsyncClient, token: Callable[[str], str]
) -> None:
    answer = await sign_in(page, token("worker"))
    assert (answer.status_code, answer.json()["error"]["reason"]) == (403, "ROLE_NOT_ALLOWED")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://127.0.0.1:1"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
    ],
    ids=str,
)
async def test_other_pages_change_nothing_with_the_cookie(
    page: httpx.AsyncClient, token: Callable[[str], str], headers: dict[str, str]
) -> None:
    await sign_in(page, token("editor"))
    for method, path in (("POST", "/api/v1/projects"), ("POST", SESSION), ("DELETE", SESSION)):
        answer = await page.request(method, path, json={"name": "forged"}, headers=headers)
        assert answer.status_code == 403, path
        assert answer.json()["error"]["reason"] == "ORIGIN_NOT_ALLOWED"
    # What carries its token itself has been meant.
    own = {**headers, "authorization": f"Bearer {token('editor')}"}
    made = await page.post("/api/v1/projects", json={"name": f"meant {headers}"}, headers=own)
    assert made.status_code == 201


async def test_other_methods_of_the_session_are_refused_by_name(page: httpx.AsyncClient) -> None:
    answer = await page.put(SESSION)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"DELETE", "GET", "HEAD", "POST"}


async def test_the_cookie_opens_the_websocket_to_pages_of_this_server_alone(
    page: httpx.AsyncClient, gateway: app.App, services: Services, token: Callable[[str], str]
) -> None:
    await sign_in(page, token("viewer"))
    cookie = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
    job_id = services.trainer.new_job()
    services.trainer.end(job_id)
    url = f"ws://{gateway.address}/api/v1/training/ws/{job_id}"
    async with connect(url, origin=Origin(gateway.url), additional_headers={"cookie": cookie}) as socket:
        assert [text async for text in socket]
        assert socket.close_code == 1000
    async with connect(
        url,
        origin=Origin("http://evil.example"),
        additional_headers={"cookie": cookie},
    ) as socket:
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 4403
