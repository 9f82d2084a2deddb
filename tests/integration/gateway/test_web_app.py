"""The built web app as the gateway serves it."""

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from annotateforge.gateway import app
from annotateforge.gateway.settings import Settings

SCRIPT = "console.log('a script of some length');\n" * 40
INDEX = (
    '<!doctype html><meta property="csp-nonce" nonce="__CSP_NONCE__">'
    '<script nonce="__CSP_NONCE__" src="/assets/main-abc123.js"></script>'
)
PAGE = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture
async def client(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway with a small app."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(INDEX)
    (tmp_path / "favicon.svg").write_text("<svg/>")
    script = tmp_path / "assets/main-abc123.js"
    script.write_text(SCRIPT)
    script.with_name("main-abc123.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    script.with_name("main-abc123.js.br").write_bytes(b"brotli would be here")
    monkeypatch.setattr(app, "BUILT", tmp_path)
    async with app.running(settings) as running, httpx.AsyncClient(base_url=running.url) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/", "/projects", "/training/jobs/1?tab=log", "/no/such/page"])
async def test_every_page_answers_the_app_under_a_strict_policy(client: httpx.AsyncClient, path: str) -> None:
    first, second = [await client.get(path, headers=PAGE) for _ in range(2)]
    assert first.status_code == 200
    policy = first.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    nonce = re.search(r"'nonce-([\w-]{20,})'", policy)
    assert nonce is not None
    assert first.text == INDEX.replace("__CSP_NONCE__", nonce[1])
    assert first.text != second.text, "a nonce is used once"
    assert first.headers["cache-control"] == "no-cache"


async def test_what_is_no_page_stays_an_error_for_programs(client: httpx.AsyncClient) -> None:
    for path, headers in (("/nowhere", {}), ("/api/v1/nowhere", PAGE), ("/assets/main-old.js", PAGE)):
        answer = await client.get(path, headers=headers)
        assert answer.status_code == 404, path
        assert answer.json()["error"]["reason"] == "ROUTE_NOT_FOUND"
    assert (await client.post("/projects", headers=PAGE)).status_code == 404


async def test_files_with_a_digest_in_their_name_are_kept_for_ever(client: httpx.AsyncClient) -> None:
    answer = await client.get("/assets/main-abc123.js")
    assert answer.text == SCRIPT
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "accept-encoding"
    icon = await client.get("/favicon.svg")
    assert (icon.headers["cache-control"], icon.headers["content-type"]) == ("no-cache", "image/svg+xml")


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, br", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("br;q=1.0.0, gzip", "gzip"),
        ("br;q=., gzip ; q=x", None),
        ("identity", None),
        ("", None),
    ],
)
async def test_the_smallest_form_that_is_taken_is_sent(
    client: httpx.AsyncClient, accepted: str, coding: str | None
) -> None:
    async with client.stream(
        "GET", "/assets/main-abc123.js", headers={"accept-encoding": accepted}
    ) as answer:
        assert answer.headers.get("content-encoding") == coding


async def test_a_file_that_is_still_the_same_is_not_sent_again(client: httpx.AsyncClient) -> None:
    tag = (await client.get("/favicon.svg")).headers["etag"]
    again = await client.get("/favicon.svg", headers={"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
