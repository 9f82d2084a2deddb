"""Calls with JSON in and out."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from annotateforge.api.dataset.v1 import dataset_service_pb2
from annotateforge.gateway import app, http_protocol
from annotateforge.gateway.settings import Settings
from annotateforge.runtime.auth import issue_token
from annotateforge.runtime.rest.codec import decode
from tests.integration.gateway.conftest import Services

pytestmark = pytest.mark.asyncio(loop_scope="module")

MISSING = "01890a5d-ac96-774b-bcce-b302099a8057"


def reason(response: httpx.Response) -> str:
    error = response.json()["error"]
    assert error["code"] == response.status_code
    assert error["message"]
    return str(error["reason"])


async def test_a_project_lives_over_rest(client: httpx.AsyncClient) -> None:
    made = await client.post("/api/v1/projects", json={"name": "cells", "description": "größer"})
    assert made.status_code == 201
    project = made.json()
    assert made.headers["location"] == f"/api/v1/projects/{project['id']}"
    assert project == {
        "id": project["id"],
        "name": "cells",
        "description": "größer",
        "create_time": "2026-01-02T03:04:05.678000Z",
        "image_count": 2**53,
        "annotation_count": 0,
    }
    found = await client.get(made.headers["location"])
    assert found.status_code == 200
    assert found.headers["content-type"] == "application/json"
    assert found.json() == project
    listed = await client.get("/api/v1/projects", params={"name": "cells", "page_size": 5})
    assert listed.json() == {"projects": [project], "next_page_token": ""}
    deleted = await client.delete(made.headers["location"])
    assert (deleted.status_code, deleted.content) == (204, b"")
    gone = await client.get(made.headers["location"])
    assert gone.status_code == 404
    assert gone.json()["error"] == {
        "code": 404,
        "status": "NOT_FOUND",
        "reason": "PROJECT_NOT_FOUND",
        "message": f"There is no project {project['id']}.",
        "details": [],
        "metadata": {"project_id": project["id"]},
    }


async def test_answers_carry_what_keeps_browsers_from_guessing(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/projects")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


async def test_a_request_id_goes_through_and_comes_back(
    client: httpx.AsyncClient, services: Services
) -> None:
    answer = await client.get(f"/api/v1/projects/{MISSING}", headers={"x-request-id": "my-id.7"})
    assert answer.headers["x-request-id"] == "my-id.7"
    assert services.dataset.request_ids == ["my-id.7"]
    answer = await client.get(f"/api/v1/projects/{MISSING}", headers={"x-request-id": "not one\t!"})
    assert answer.headers["x-request-id"] == services.dataset.request_ids[1] != "not one\t!"


async def test_services_know_who_calls(client: httpx.AsyncClient, services: Services) -> None:
    await client.get(f"/api/v1/projects/{MISSING}")
    assert services.dataset.subjects == ["the editor"]


async def test_custom_verbs_and_bodies_that_are_left_out(
    client: httpx.AsyncClient, services: Services
) -> None:
    job_id = services.trainer.new_job()
    bodies: list[dict[str, Any]] = [{}, {"content": b""}, {"json": {}}]
    for body in bodies:
        cancelled = await client.post(f"/api/v1/training/jobs/{job_id}:cancel", **body)
        assert cancelled.status_code == 200
        assert cancelled.json()["id"] == job_id
    restarted = await client.post(f"/api/v1/training/jobs/{job_id}:restart", json={"name": "again"})
    assert restarted.status_code == 201
    assert restarted.headers["location"] == "/api/v1/training/jobs/new%20id"


async def test_the_last_message_of_a_stream_is_the_answer(client: httpx.AsyncClient) -> None:
    spec = {"project_ids": ["p"], "task_type": "detect", "classes": ["a", "b"], "split": {"seed": 7}}
    made = await client.post("/api/v1/datasets", json=spec)
    assert made.status_code == 201
    dataset = made.json()
    assert made.headers["location"] == f"/api/v1/datasets/{dataset['id']}"
    assert dataset["spec"]["split"]["seed"] == 7
    assert dataset["task_type"] == "detect"
    broken = await client.post("/api/v1/datasets", json={**spec, "classes": ["none"]})
    assert (broken.status_code, reason(broken)) == (500, "INTERNAL")


async def test_oneofs_and_nested_lists_go_both_ways(client: httpx.AsyncClient) -> None:
    annotations = [
        {"class_label": "a", "circle": {"x": 1.5, "y": 2.0, "radius": 3.0}},
        {"class_label": "b", "polygon": {"points": [{"x": 0, "y": 0}, {"x": 1, "y": 0}, {"x": 1, "y": 1}]}},
    ]
    answer = await client.put(f"/api/v1/images/{MISSING}/annotations", json={"annotations": annotations})
    assert answer.status_code == 200
    assert answer.json()["annotations"][0] == {"id": "", "source": "", **annotations[0]}
    both = {"class_label": "a", "box": {}, "circle": {}}
    refused = await client.put(f"/api/v1/images/{MISSING}/annotations", json={"annotations": [both]})
    assert (refused.status_code, reason(refused)) == (400, "ONEOF_CONFLICT")
    assert refused.json()["error"]["details"][0]["field"].startswith("annotations[0]")


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "expected", "field"),
    [
        ("POST", "/api/v1/projects", b'{"name": "a", "color": 1}', 400, "UNKNOWN_FIELD", "color"),
        ("POST", "/api/v1/projects", b'{"name": 7}', 400, "INVALID_VALUE", "name"),
        ("POST", "/api/v1/projects", b'{"name": NaN}', 400, "INVALID_JSON", None),
        ("POST", "/api/v1/projects", b'{"name": "a"', 400, "INVALID_JSON", None),
        ("POST", "/api/v1/projects", b"\xff", 400, "INVALID_JSON", None),
        ("POST", "/api/v1/projects", b"[]", 400, "INVALID_VALUE", None),
        ("POST", "/api/v1/projects", b'{"name": " "}', 400, "INVALID_NAME", "name"),
        ("POST", "/api/v1/projects", b"", 400, "INVALID_NAME", "name"),
        ("POST", "/api/v1/projects", b"[" * 60000, 400, "INVALID_JSON", None),
        ("POST", "/api/v1/projects", b" " * 70000, 413, "BODY_TOO_LARGE", None),
        ("POST", "/api/v1/projects?name=a", b"{}", 400, "UNKNOWN_PARAMETER", "name"),
        ("GET", "/api/v1/projects?color=1", b"", 400, "UNKNOWN_PARAMETER", "color"),
        ("GET", "/api/v1/projects?page_size=x", b"", 400, "INVALID_VALUE", "page_size"),
        ("GET", "/api/v1/projects?page_size=1&page_size=2", b"", 400, "INVALID_VALUE", "page_size"),
        ("GET", "/api/v1/projects?name=%ff", b"", 400, "INVALID_QUERY", None),
        ("GET", "/api/v1/projects?name", b"", 400, "INVALID_QUERY", None),
        ("GET", "/api/v1/projects?name=" + "a" * 20000, b"", 400, "INVALID_QUERY", None),
        ("GET", "/api/v1/projects", b"{}", 400, "UNEXPECTED_BODY", None),
        ("GET", "/api/v1/projects/no-id", b"", 400, "INVALID_ID", "project_id"),
        ("GET", "/api/v1/projects/%FF", b"", 400, "INVALID_PATH", None),
        ("GET", "/api/v1/projects/", b"", 404, "ROUTE_NOT_FOUND", None),
        ("GET", "/api/v1/nothing", b"", 404, "ROUTE_NOT_FOUND", None),
        ("GET", "/nothing", b"", 404, "ROUTE_NOT_FOUND", None),
        ("PUT", "/api/v1/projects", b"{}", 405, "METHOD_NOT_ALLOWED", None),
        ("GET", f"/api/v1/projects/{MISSING}/stats", b"", 500, "INTERNAL", None),
        ("GET", "/api/v1/training/models", b"", 503, "UNAVAILABLE", None),
        ("DELETE", f"/api/v1/images/{MISSING}", b"", 501, "UNIMPLEMENTED", None),
    ],
)
async def test_what_is_wrong_is_refused_by_name(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    content: bytes,
    status: int,
    expected: str,
    field: str | None,
) -> None:
    headers = {"content-type": "application/json"} if content else {}
    answer = await client.request(method, path, content=content, headers=headers)
    assert (answer.status_code, reason(answer)) == (status, expected)
    assert answer.headers["content-type"] == "application/json"
    fields = [detail["field"] for detail in answer.json()["error"]["details"]]
    assert fields == ([field] if field else [])
    assert "secret details" not in answer.text


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
async def test_only_json_is_read_as_json(client: httpx.AsyncClient, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = await client.post("/api/v1/projects", content=b'{"name": "a"}', headers=headers)
    assert (answer.status_code, reason(answer)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "kind", ["application/json; charset=UTF-8", "Application/JSON", "application/merge-patch+json"]
)
async def test_json_has_several_names(client: httpx.AsyncClient, kind: str) -> None:
    answer = await client.post("/api/v1/projects", content=b'{"name": "a"}', headers={"content-type": kind})
    assert answer.status_code == 201


async def test_a_streamed_body_of_unknown_length_is_bounded(client: httpx.AsyncClient) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1024

    answer = await client.post(
        "/api/v1/projects", content=body(), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, reason(answer)) == (413, "BODY_TOO_LARGE")
    # The rest of the body is not taken for another request.
    assert (await client.get("/api/v1/projects")).status_code == 200


async def test_a_large_body_makes_nobody_else_wait(
    settings: Settings, services: Services, token: Callable[[str], str]
) -> None:
    polygon = {"points": [{"x": number * 1.5, "y": 2.25} for number in range(300)]}
    body = orjson.dumps({"annotations": [{"class_label": "a", "polygon": polygon}] * 400})
    started = time.perf_counter()
    decode(dataset_service_pb2.SetAnnotationsRequest, body)
    decoding = time.perf_counter() - started

    async def longest_wait() -> float:
        longest = 0.0
        while True:
            before = time.perf_counter()
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                return longest
            longest = max(longest, time.perf_counter() - before)

    waits: list[float] = []
    headers = {"authorization": f"Bearer {token('editor')}", "content-type": "application/json"}
    async with (
        app.running(settings.model_copy(update={"max_json_bytes": 2**24})) as running,
        httpx.AsyncClient(base_url=running.url, headers=headers, timeout=60) as client,
    ):
        # In the loop, reading and writing would make everybody wait for twice as long as reading takes, each
        # time. Of several times one is not disturbed by what else this machine does.
        while len(waits) < 10 and min(waits, default=decoding) >= decoding:
            waiting = asyncio.create_task(longest_wait())
            answer = await client.put(f"/api/v1/images/{MISSING}/annotations", content=body)
            waiting.cancel()
            waits.append(await waiting)
            assert answer.status_code == 200
    assert min(waits) < decoding


async def test_a_head_without_an_end_is_refused(gateway: app.App) -> None:
    host, _, port = gateway.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\ncookie: ")
    with contextlib.suppress(ConnectionError):
        for _ in range(200):
            writer.write(b"x" * 1024)
            await writer.drain()
    with contextlib.suppress(ConnectionError):
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 400 ")
    writer.close()
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        # What fits is read.
        assert (await client.get("/", headers={"cookie": "x" * 60_000})).status_code == 200


async def test_a_head_that_does_not_come_is_not_waited_for(
    gateway: app.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.2)
    host, _, port = gateway.address.rpartition(":")
    complete = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    for begun in (b"", b"GET / HT", complete + b"GET / HTTP/1.1\r\nhost"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(begun)
        answered = await asyncio.wait_for(reader.read(), 5)
        assert answered.count(b"HTTP/1.1 200") == begun.count(b"healthz")
        writer.close()


async def test_methods_that_a_path_has_are_named(client: httpx.AsyncClient) -> None:
    refused = await client.put("/api/v1/projects", json={})
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    options = await client.options("/api/v1/projects")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    head = await client.head("/api/v1/projects")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0


async def test_services_that_are_away_are_worth_another_try(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/training/models")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "127.0.0.1" not in answer.text


@pytest.mark.parametrize(
    ("authorization", "status", "expected"),
    [
        (None, 401, "TOKEN_MISSING"),
        ("Basic abc", 401, "TOKEN_MISSING"),
        ("Bearer nonsense", 401, "TOKEN_INVALID"),
        ("Bearer " + "x" * 9000, 401, "TOKEN_INVALID"),
        ("expired", 401, "TOKEN_EXPIRED"),
        ("viewer", 403, "ROLE_NOT_ALLOWED"),
        ("worker", 403, "ROLE_NOT_ALLOWED"),
        ("admin", 201, None),
    ],
)
async def test_callers_prove_who_they_are(
    gateway: app.App,
    token: Callable[[str], str],
    secret: str,
    authorization: str | None,
    status: int,
    expected: str | None,
) -> None:
    if authorization == "expired":
        expired = issue_token(secret, "admin", "late", timedelta(minutes=-5))
        authorization = f"Bearer {expired}"
    elif authorization in ("viewer", "worker", "admin"):
        authorization = f"Bearer {token(authorization)}"
    headers = {"authorization": authorization} if authorization else {}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers) as client:
        answer = await client.post("/api/v1/projects", json={"name": "cells"})
    assert answer.status_code == status
    if expected is not None:
        assert reason(answer) == expected
        assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_a_call_ends_when_its_client_goes_away(client: httpx.AsyncClient, services: Services) -> None:
    calling = asyncio.create_task(client.get("/api/v1/projects/held"))
    await asyncio.wait_for(services.dataset.held.wait(), 5)
    calling.cancel()
    await asyncio.wait_for(services.dataset.let_go.wait(), 5)


async def test_a_call_that_takes_too_long_is_given_up(
    settings: Settings, token: Callable[[str], str]
) -> None:
    async with (
        app.running(settings.model_copy(update={"read_timeout": 0.2})) as running,
        httpx.AsyncClient(
            base_url=running.url, headers={"authorization": f"Bearer {token('viewer')}"}
        ) as client,
    ):
        answer = await client.get("/api/v1/projects/held")
    assert (answer.status_code, reason(answer)) == (504, "DEADLINE_EXCEEDED")


async def test_other_origins_may_call_only_where_the_settings_name_them(
    settings: Settings, client: httpx.AsyncClient, token: Callable[[str], str]
) -> None:
    preflight = {"origin": "https://app.example.com", "access-control-request-method": "PATCH"}
    assert (
        "access-control-allow-origin"
        not in (await client.options("/api/v1/projects", headers=preflight)).headers
    )
    named = settings.model_copy(update={"cors_origins": ("https://app.example.com",)})
    async with app.running(named) as running, httpx.AsyncClient(base_url=running.url) as other:
        allowed = await other.options("/api/v1/projects", headers=preflight)
        assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
        refused = await other.options(
            "/api/v1/projects", headers={**preflight, "origin": "https://evil.example"}
        )
        assert "access-control-allow-origin" not in refused.headers
        answer = await other.get(
            "/api/v1/projects",
            headers={"origin": "https://app.example.com", "authorization": f"Bearer {token('viewer')}"},
        )
        assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
        assert "ETag" in answer.headers["access-control-expose-headers"]


async def test_a_second_gateway_on_a_port_is_refused(gateway: app.App, settings: Settings) -> None:
    with pytest.raises(OSError, match="Cannot listen"):
        async with app.running(settings.model_copy(update={"listen": gateway.address})):
            pass
