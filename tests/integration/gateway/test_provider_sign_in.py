"""Signing in at the page of an OpenID Connect provider, which is a real one, and what can go wrong."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
import pytest_asyncio
from pydantic import SecretStr, ValidationError

from annotateforge.gateway import app
from annotateforge.gateway.settings import Settings
from annotateforge.runtime import oidc
from tests.small_provider import CLIENT_ID, CLIENT_SECRET, SmallProvider, small_provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSION = "/api/v1/session"
AUTHORIZE = f"{SESSION}/authorize"
CALLBACK = f"{SESSION}/callback"


@pytest.fixture(scope="module")
def shared_provider() -> Iterator[SmallProvider]:
    with small_provider() as started:
        yield started


@pytest.fixture
def provider(shared_provider: SmallProvider) -> SmallProvider:
    shared_provider.reset()
    return shared_provider


@pytest.fixture
def settings_of(settings: Settings, provider: SmallProvider) -> Callable[..., Settings]:
    def made(**changes: Any) -> Settings:
        return settings.model_copy(
            update={
                "oidc_issuer": provider.issuer,
                "oidc_client_id": CLIENT_ID,
                "oidc_client_secret": SecretStr(CLIENT_SECRET),
                **changes,
            }
        )

    return made


@pytest_asyncio.fixture(loop_scope="module")
async def signing(settings_of: Callable[..., Settings]) -> AsyncIterator[app.App]:
    """A gateway that knows the provider, and has nothing of it yet."""
    async with app.running(settings_of()) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def browser(signing: app.App) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=signing.url) as client:
        yield client


async def go(browser: httpx.AsyncClient, return_to: str = "/jobs") -> httpx.Response:
    """Press the button, sign in at the provider, and come back; what the gateway answers then."""
    there = await browser.get(AUTHORIZE, params={"return_to": return_to})
    assert there.status_code == 303, there.text
    back = await browser.get(there.headers["location"])
    assert back.status_code == 302, back.text
    return await browser.get(back.headers["location"])


async def reason(answer: httpx.Response, status: int) -> str:
    """The reason on a page that says what went wrong."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert "session_" not in answer.headers.get("set-cookie", "").replace("sign_in_", "")
    assert '<a href="/sign-in">' in answer.text
    return answer.text.split("Reason: <code>")[1].split("</code>")[0]


async def test_somebody_signs_in_at_the_providers_page_and_comes_back_to_where_they_were(
    browser: httpx.AsyncClient, signing: app.App, provider: SmallProvider, secret: str
) -> None:
    shown = (await browser.get(SESSION)).json()
    assert shown == {"provider": {"name": urlsplit(provider.issuer).netloc, "url": AUTHORIZE}}
    entered = await go(browser, "/jobs?status=training")
    assert entered.status_code == 303
    assert entered.headers["location"] == f"{signing.url}/jobs?status=training"
    session, forgotten = entered.headers.get_list("set-cookie")
    assert "; HttpOnly; SameSite=Strict" in session
    assert "Max-Age=0" in forgotten
    principal = (await browser.get(SESSION)).json()["principal"]
    assert principal == {"subject": "ada", "role": "editor"}
    # The services take it as any token of the installation, and for as long as the settings say.
    assert (await browser.get("/api/v1/projects")).status_code == 200
    claims = jwt.decode(session.split("=", 1)[1].split(";")[0], secret, ["HS256"], audience="annotateforge")
    assert claims["exp"] - claims["iat"] == 12 * 3600
    headers = {"origin": signing.url}
    assert (await browser.post("/api/v1/projects", json={"name": "p"}, headers=headers)).status_code == 201
    assert (await browser.delete(SESSION, headers=headers)).status_code == 204
    assert "principal" not in (await browser.get(SESSION)).json()
    assert len(browser.cookies) == 0


async def test_a_second_sign_in_asks_the_provider_for_nothing_but_the_code(
    browser: httpx.AsyncClient, provider: SmallProvider
) -> None:
    await go(browser)
    provider.requests.clear()
    await go(browser)
    assert provider.requests == ["authorize", "token"]


async def test_what_is_remembered_travels_to_the_callback_alone_and_is_no_token(
    browser: httpx.AsyncClient,
) -> None:
    there = await browser.get(AUTHORIZE)
    (cookie,) = there.headers.get_list("set-cookie")
    assert f"; Path={CALLBACK}; Max-Age=600; HttpOnly; SameSite=Lax" in cookie
    value = cookie.split("=", 1)[1].split(";")[0]
    refused = await browser.get("/api/v1/projects", headers={"authorization": f"Bearer {value}"})
    assert refused.json()["error"]["reason"] == "TOKEN_INVALID"
    asked = {name: values[0] for name, values in parse_qs(urlsplit(there.headers["location"]).query).items()}
    assert asked["redirect_uri"].endswith(CALLBACK)
    # What only the gateway may know does not pass by the provider's page.
    assert jwt.decode(value, options={"verify_signature": False})["verifier"] not in there.headers["location"]


async def test_a_page_whose_path_is_too_long_for_a_cookie_is_left_for_the_first_one(
    browser: httpx.AsyncClient, signing: app.App
) -> None:
    for where in ("/jobs?" + 1500 * "x", "/jobs?name=" + 200 * "%C3%A4"):
        assert (await go(browser, where)).headers["location"] == f"{signing.url}{where}"
    for where in ("/jobs?" + 4000 * "x", "/" + 1500 * "\N{GRINNING FACE}"):
        there = await browser.get(AUTHORIZE, params={"return_to": where})
        assert len(there.headers["set-cookie"].split(";")[0]) <= 4096
        back = await browser.get(there.headers["location"])
        assert (await browser.get(back.headers["location"])).headers["location"] == f"{signing.url}/"


async def test_a_session_whose_role_has_gone_is_over(
    browser: httpx.AsyncClient, signing: app.App, provider: SmallProvider
) -> None:
    token = provider.id_token("annotateforge", "")
    assert (await browser.post(SESSION, json={"token": token}, headers={"origin": signing.url})).is_success
    provider.claims = {"sub": "ada"}
    token = provider.id_token("annotateforge", "")
    port = signing.url.rpartition(":")[2]
    browser.cookies.set(f"annotateforge_session_{port}", token, domain="127.0.0.1")
    answer = await browser.get(SESSION)
    assert answer.status_code == 200, answer.text
    assert "principal" not in answer.json()
    assert "Max-Age=0" in answer.headers["set-cookie"]
    refused = await browser.get(SESSION, headers={"authorization": f"Bearer {token}"})
    assert refused.json()["error"]["reason"] == "NO_ROLE"


@pytest.mark.parametrize("where", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/\nx"])
async def test_nobody_is_led_to_another_server(
    browser: httpx.AsyncClient, signing: app.App, where: str
) -> None:
    assert (await go(browser, where)).headers["location"] == f"{signing.url}/"


async def test_an_answer_that_this_browser_did_not_ask_for_is_refused(
    browser: httpx.AsyncClient, signing: app.App, provider: SmallProvider
) -> None:
    there = await browser.get(AUTHORIZE)
    back = (await browser.get(there.headers["location"])).headers["location"]
    async with httpx.AsyncClient() as other:
        assert await reason(await other.get(back), 400) == "SIGN_IN_EXPIRED"
    await browser.get(AUTHORIZE)
    assert await reason(await browser.get(back), 400) == "SIGN_IN_EXPIRED"
    # What does not come back from a sign-in that was begun costs the provider nothing.
    assert "token" not in provider.requests


async def test_a_code_counts_once(browser: httpx.AsyncClient, provider: SmallProvider) -> None:
    there = await browser.get(AUTHORIZE)
    kept = dict(browser.cookies)
    back = (await browser.get(there.headers["location"])).headers["location"]
    assert (await browser.get(back)).status_code == 303
    again = "; ".join(f"{name}={value}" for name, value in kept.items())
    async with httpx.AsyncClient(headers={"cookie": again}) as replaying:
        assert await reason(await replaying.get(back), 400) == "SIGN_IN_EXPIRED"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"nonce": "another"}, "made for another sign-in"),
        ({"nonce": None}, "nonce"),
        ({"aud": "another"}, "Audience"),
        ({"aud": [CLIENT_ID, "another"], "azp": "another"}, "made for another application"),
        ({"iss": "https://another.example"}, "issuer"),
        ({"sub": None}, "sub"),
    ],
    ids=str,
)
async def test_an_id_token_for_somebody_else_is_not_believed(
    browser: httpx.AsyncClient, provider: SmallProvider, changes: dict[str, Any], why: str
) -> None:
    provider.changes = changes
    answer = await go(browser)
    assert await reason(answer, 401) == "ID_TOKEN_INVALID"
    assert why.lower() in answer.text.lower()
    assert "principal" not in (await browser.get(SESSION)).json()


async def test_an_id_token_that_another_key_has_signed_is_not_believed(
    browser: httpx.AsyncClient, provider: SmallProvider
) -> None:
    provider.published = False
    assert await reason(await go(browser), 401) == "ID_TOKEN_INVALID"


@pytest.mark.parametrize("seconds", [-1200.0, 120.0])
async def test_clocks_that_differ_are_named_with_both_times(
    browser: httpx.AsyncClient, provider: SmallProvider, seconds: float
) -> None:
    provider.clock = seconds
    answer = await go(browser)
    assert await reason(answer, 401) == "CLOCKS_DIFFER"
    assert time.strftime("%H:%M", time.gmtime(time.time() + seconds)) in answer.text
    assert "by NTP" in answer.text


async def test_new_keys_of_the_provider_count_at_once(
    browser: httpx.AsyncClient, provider: SmallProvider
) -> None:
    await go(browser)
    provider.rotate()
    assert (await go(browser)).status_code == 303


async def test_a_provider_that_is_away_is_told_and_is_asked_again_by_the_next_try(
    browser: httpx.AsyncClient, provider: SmallProvider
) -> None:
    provider.away = {"openid-configuration"}
    answer = await browser.get(AUTHORIZE)
    assert await reason(answer, 503) == "IDENTITY_PROVIDER_UNAVAILABLE"
    assert answer.headers["retry-after"]
    for part in ("token", "keys"):
        provider.away = {part}
        assert await reason(await go(browser), 503) == "IDENTITY_PROVIDER_UNAVAILABLE", part
    provider.away = set()
    assert (await go(browser)).status_code == 303


async def test_a_provider_that_does_not_answer_in_time_holds_nobody(
    settings_of: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(oidc, "FETCH_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        issuer = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with (
            app.running(settings_of(oidc_issuer=issuer)) as running,
            httpx.AsyncClient(base_url=running.url, timeout=10) as browser,
        ):
            answer = await browser.get(AUTHORIZE)
            assert await reason(answer, 503) == "IDENTITY_PROVIDER_UNAVAILABLE"
            assert (await browser.get("/healthz")).status_code == 200


async def test_what_the_provider_itself_refuses_is_told_in_its_words(
    browser: httpx.AsyncClient, provider: SmallProvider
) -> None:
    provider.refusal = {"error": "access_denied", "error_description": "<b>Not you</b>"}
    answer = await go(browser)
    assert await reason(answer, 403) == "SIGN_IN_REFUSED"
    assert "access_denied: &lt;b&gt;Not you&lt;/b&gt;" in answer.text


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"oidc_client_secret": SecretStr("wrong")}, "ANNOTATEFORGE_OIDC_CLIENT_SECRET"),
        ({"oidc_issuer": "{issuer}/elsewhere"}, "ANNOTATEFORGE_OIDC_ISSUER"),
        ({"oidc_issuer": "{issuer}/"}, "ANNOTATEFORGE_OIDC_ISSUER"),
    ],
    ids=str,
)
async def test_wrong_settings_are_named(
    settings_of: Callable[..., Settings], provider: SmallProvider, changes: dict[str, Any], wanted: str
) -> None:
    if "oidc_issuer" in changes:
        changes = {"oidc_issuer": changes["oidc_issuer"].format(issuer=provider.issuer)}
    async with (
        app.running(settings_of(**changes)) as running,
        httpx.AsyncClient(base_url=running.url) as browser,
    ):
        there = await browser.get(AUTHORIZE)
        answer = there if there.status_code != 303 else await go(browser)
        assert await reason(answer, 400) == "IDENTITY_PROVIDER_MISCONFIGURED"
        assert wanted in answer.text


async def test_who_has_no_role_is_told_what_to_ask_for(
    browser: httpx.AsyncClient, provider: SmallProvider
) -> None:
    provider.claims = {"sub": "ada", "annotateforge_role": ["guests", "lab"]}
    answer = await go(browser)
    assert await reason(answer, 403) == "NO_ROLE"
    assert "says guests, lab" in answer.text
    assert "viewer, editor or admin" in answer.text
    provider.claims = {"sub": "robot", "annotateforge_role": "worker"}
    assert await reason(await go(browser), 403) == "ROLE_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("changes", "claims", "principal"),
    [
        ({"oidc_default_role": "viewer"}, {"sub": "ada"}, {"subject": "ada", "role": "viewer"}),
        (
            {
                "oidc_role_claim": "realm_access.roles",
                "oidc_roles": {"forge-admins": "admin", "forge": "editor"},
                "oidc_subject_claim": "email",
            },
            {
                "sub": "7f",
                "email": "ada@lab.example",
                "email_verified": True,
                "realm_access": {"roles": ["forge", "forge-admins"]},
            },
            {"subject": "ada@lab.example", "role": "admin"},
        ),
    ],
    ids=["default", "groups"],
)
async def test_roles_and_names_come_from_the_claims_that_the_settings_name(
    settings_of: Callable[..., Settings],
    provider: SmallProvider,
    changes: dict[str, Any],
    claims: dict[str, Any],
    principal: dict[str, str],
) -> None:
    provider.claims = claims
    async with (
        app.running(settings_of(**changes)) as running,
        httpx.AsyncClient(base_url=running.url) as browser,
    ):
        assert (await go(browser)).status_code == 303
        assert (await browser.get(SESSION)).json()["principal"] == principal


@pytest.mark.parametrize(
    ("said", "userinfo", "lets_in"),
    [
        ({"email": "ada@lab.example", "email_verified": True}, None, True),
        ({"email": "ada@lab.example", "email_verified": False}, None, False),
        ({"email": "ada@lab.example"}, None, False),
        ({"email": "ada@lab.example"}, {"email": "ada@lab.example", "email_verified": True}, True),
        ({}, {"email": "ada@lab.example", "email_verified": True}, True),
        ({}, {"email": "ada@lab.example"}, False),
        ({"email_verified": True}, {"email": "ada@lab.example"}, False),
        ({"email": "ada@lab.example"}, {"email": "eve@lab.example", "email_verified": True}, False),
        (
            {"email": "ada@lab.example", "email_verified": False},
            {"email": "ada@lab.example", "email_verified": True},
            False,
        ),
    ],
)
async def test_people_are_named_by_an_address_only_where_the_provider_has_verified_it(
    settings_of: Callable[..., Settings],
    provider: SmallProvider,
    said: dict[str, Any],
    userinfo: dict[str, Any] | None,
    lets_in: bool,
) -> None:
    provider.claims = {"sub": "7f", "annotateforge_role": "editor", **said}
    provider.userinfo = userinfo and {"sub": "7f", **userinfo}
    async with (
        app.running(settings_of(oidc_subject_claim="email")) as running,
        httpx.AsyncClient(base_url=running.url) as browser,
    ):
        answer = await go(browser)
        if not lets_in:
            assert await reason(answer, 403) == "EMAIL_NOT_VERIFIED"
            assert "ada@lab.example" in answer.text
            return
        principal = (await browser.get(SESSION)).json()["principal"]
        assert principal == {"subject": "ada@lab.example", "role": "editor"}


async def test_what_the_id_token_lacks_is_asked_for_and_never_taken_of_somebody_else(
    browser: httpx.AsyncClient, provider: SmallProvider
) -> None:
    provider.claims = {"sub": "ada"}
    provider.userinfo = {"sub": "ada", "annotateforge_role": "viewer"}
    await go(browser)
    assert (await browser.get(SESSION)).json()["principal"] == {"subject": "ada", "role": "viewer"}
    provider.userinfo = {"sub": "bob", "annotateforge_role": "admin"}
    assert await reason(await go(browser), 403) == "NO_ROLE"


@pytest.mark.parametrize("kind", ["post", "public"])
async def test_the_client_authenticates_itself_as_the_provider_wants(
    settings_of: Callable[..., Settings], provider: SmallProvider, kind: str
) -> None:
    provider.public = kind == "public"
    provider.methods = ["client_secret_post"] if kind == "post" else None
    changes: dict[str, Any] = {"oidc_client_secret": None} if kind == "public" else {}
    async with (
        app.running(settings_of(**changes)) as running,
        httpx.AsyncClient(base_url=running.url) as browser,
    ):
        assert (await go(browser)).status_code == 303


async def test_behind_a_proxy_the_public_address_counts(
    settings_of: Callable[..., Settings], provider: SmallProvider
) -> None:
    # The proxy in these tests is the client: it asks for the gateway what a browser asks the proxy for.
    public = "https://forge.example"
    async with (
        app.running(settings_of(public_url=public, oidc_name="Lab accounts")) as running,
        httpx.AsyncClient(base_url=running.url) as proxy,
    ):
        shown = (await proxy.get(SESSION)).json()["provider"]
        assert shown == {"name": "Lab accounts", "url": f"{public}{AUTHORIZE}"}
        headers = {"host": "forge.example"}
        there = await proxy.get(AUTHORIZE, params={"return_to": "/models"}, headers=headers)
        cookie = there.headers["set-cookie"]
        assert cookie.endswith("; Secure")
        back = (await proxy.get(there.headers["location"])).headers["location"]
        assert back.startswith(f"{public}{CALLBACK}?")
        entered = await proxy.get(
            back.removeprefix(public), headers={**headers, "cookie": cookie.split(";")[0]}
        )
        assert entered.headers["location"] == f"{public}/models"
        assert all(kept.endswith("; Secure") for kept in entered.headers.get_list("set-cookie"))


async def test_without_a_provider_nothing_is_offered(client: httpx.AsyncClient) -> None:
    assert "provider" not in (await client.get(SESSION)).json()
    for path in (AUTHORIZE, CALLBACK):
        assert (await client.get(path)).json()["error"]["reason"] == "ROUTE_NOT_FOUND"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"oidc_client_id": "forge"}, "oidc_client_id"),
        ({"oidc_client_secret": "word", "oidc_issuer": "https://id.example"}, "oidc_client_secret"),
        ({"oidc_roles": {"lab": "boss"}}, "oidc_roles"),
        ({"oidc_default_role": "boss"}, "oidc_default_role"),
        ({"oidc_scopes": "profile"}, "oidc_scopes"),
        ({"public_url": "https://forge.example/"}, "public_url"),
        ({"oidc_session_seconds": 5}, "oidc_session_seconds"),
    ],
    ids=str,
)
async def test_settings_that_cannot_be_are_refused_by_name(
    settings: Settings, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(**{**settings.model_dump(exclude_unset=True), **changes})
    assert {problem["loc"][0] for problem in caught.value.errors()} == {field}
