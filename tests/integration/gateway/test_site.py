"""Pages, the OpenAPI document, health, metrics, and the gateway as a process."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from annotateforge.api.trainer.v1 import event_pb2, job_pb2
from annotateforge.gateway import app
from annotateforge.gateway.settings import Settings
from tests.integration.gateway.conftest import Services

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def without_app(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[app.App]:
    """A gateway whose web app has not been built."""
    monkeypatch.setattr(app, "BUILT", tmp_path)
    async with app.running(settings) as running:
        yield running


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_pages_need_no_token_and_load_nothing(without_app: app.App, path: str) -> None:
    async with httpx.AsyncClient(base_url=without_app.url) as client:
        answer = await client.get(path)
        head = await client.head(path)
    assert answer.status_code == head.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script|<img|<iframe|@import|url\(", answer.text)
    links = re.findall(r'(?:href|src)="([^"#][^"]*)"', answer.text)
    assert all(link.startswith(("/", "data:")) for link in links)
    async with httpx.AsyncClient(base_url=without_app.url) as client:
        for link in {link for link in links if link.startswith("/")} - {"/readyz"}:
            assert (await client.get(link)).status_code == 200


async def test_the_page_without_the_app_repeats_no_host_that_is_none(without_app: app.App) -> None:
    async with httpx.AsyncClient(base_url=without_app.url) as client:
        named = await client.get("/", headers={"host": "forge.example:8000"})
        strange = await client.get("/", headers={"host": 'x"><script>'})
    assert "make web" in named.text
    assert "http://forge.example:8000/api/v1/projects" in named.text
    assert "<script>" not in strange.text


async def test_other_methods_on_pages_are_refused_like_everywhere(gateway: app.App) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        answer = await client.post("/docs")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["error"]["reason"] == "METHOD_NOT_ALLOWED"


async def test_health_says_that_the_process_lives(gateway: app.App) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_readiness_names_what_is_missing(gateway: app.App, settings: Settings) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "checks": {"dataset": True, "trainer": True, "registry": False, "inference": True, "nats": True},
        "missing": ["registry"],
    }
    complete = settings.model_copy(update={"registry_address": settings.dataset_address})
    async with app.running(complete) as running, httpx.AsyncClient(base_url=running.url) as client:
        async with asyncio.timeout(10):
            while (answer := await client.get("/readyz")).status_code != 200:
                assert answer.json()["missing"] == ["nats"]
    assert answer.json()["missing"] == []


async def test_metrics_are_for_those_who_may_read(
    gateway: app.App, client: httpx.AsyncClient, token: Callable[[str], str]
) -> None:
    await client.get("/api/v1/projects")
    await client.get("/nowhere")
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    counted = r'annotateforge_http_requests_total\{method="GET",route="/api/v1/projects",status="200"\} [1-9]'
    assert re.search(counted, answer.text)
    assert 'route="nowhere",status="404"' in answer.text
    assert "annotateforge_watchers 0" in answer.text
    for headers, status in (({}, 401), ({"authorization": f"Bearer {token('worker')}"}, 403)):
        async with httpx.AsyncClient(base_url=gateway.url, headers=headers) as other:
            refused = await other.get("/metrics")
        assert refused.status_code == status
        assert refused.json()["error"]["code"] == status


async def test_answers_are_what_the_document_says(client: httpx.AsyncClient, services: Services) -> None:
    document = (await client.get("/api/v1/openapi.json")).json()
    project = (await client.post("/api/v1/projects", json={"name": "a"})).json()
    check(project, {"$ref": "#/components/schemas/Project"}, document)
    listed = (await client.get("/api/v1/projects")).json()
    check(listed, {"$ref": "#/components/schemas/ListProjectsResponse"}, document)
    job_id = services.trainer.new_job()
    job = (await client.get(f"/api/v1/training/jobs/{job_id}")).json()
    check(job, {"$ref": "#/components/schemas/Job"}, document)
    refused = (await client.get("/api/v1/projects/no-id")).json()
    check(refused, {"$ref": "#/components/schemas/ErrorResponse"}, document)


async def test_messages_of_the_websocket_are_what_the_document_says(
    gateway: app.App, client: httpx.AsyncClient, services: Services, token: Callable[[str], str]
) -> None:
    document = (await client.get("/api/v1/openapi.json")).json()
    job_id, happen = services.trainer.new_job(), services.trainer.happen
    happen(job_id, dataset_ready=event_pb2.DatasetReady(classes=["a"]))
    happen(job_id, epoch_start=event_pb2.EpochStart(epoch=1))
    happen(job_id, epoch_complete=job_pb2.Epoch(epoch=1, train_loss=0.5, metrics={"map50": 0.1}))
    happen(job_id, checkpoint_saved=event_pb2.CheckpointSaved(epoch=1))
    happen(job_id, warning=event_pb2.Warning(reason="TRAINED_FROM_SCRATCH"))
    happen(job_id, retry=event_pb2.Retry(reason="WORKER_LOST"))
    happen(job_id, training_complete=event_pb2.TrainingComplete(model_id="m"))
    happen(job_id, training_failed=job_pb2.Failure(reason="OUT_OF_MEMORY", log_tail=["x"]))
    services.trainer.end(job_id)
    kinds = document["components"]["schemas"]["WatchMessage"]["discriminator"]["mapping"]
    seen = set()
    url = f"ws://{gateway.address}/api/v1/training/ws/{job_id}?token={token('viewer')}"
    async with connect(url) as socket:
        async for text in socket:
            message = orjson.loads(text)
            seen.add(message["type"])
            check(message, {"$ref": kinds[message["type"]]}, document)
    # These two are told live and kept nowhere.
    assert seen == set(kinds) - {"progress", "log"}


def check(value: Any, schema: dict[str, Any], document: dict[str, Any], path: str = "") -> None:
    """Assert that a value has the types, the fields and no other fields than a schema of ours says."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        check(value, document["components"]["schemas"][name], document, f"{path}<{name}>")
        return
    if "const" in schema:
        assert value == schema["const"], path
        return
    kinds: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    if schema["type"] == "object":
        assert isinstance(value, dict), path
        properties, more = schema.get("properties", {}), schema.get("additionalProperties")
        assert set(schema.get("required", ())) <= set(value), path
        for name, inner in value.items():
            assert name in properties or more, f"{path}.{name}"
            check(inner, properties.get(name, more), document, f"{path}.{name}")
    elif schema["type"] == "array":
        assert isinstance(value, list), path
        for inner in value:
            check(inner, schema["items"], document, f"{path}[]")
    else:
        assert isinstance(value, kinds[schema["type"]]), path
        assert value in schema.get("enum", [value]), path


async def test_it_runs_as_a_process_that_stops_when_told(settings: Settings) -> None:
    environment = {
        "ANNOTATEFORGE_LISTEN": "127.0.0.1:0",
        "ANNOTATEFORGE_SECRET": settings.secret.get_secret_value(),
        "ANNOTATEFORGE_NATS_URL": settings.nats_url,
        "ANNOTATEFORGE_DATASET_ADDRESS": settings.dataset_address,
        "ANNOTATEFORGE_TRAINER_ADDRESS": settings.trainer_address,
        "ANNOTATEFORGE_REGISTRY_ADDRESS": settings.registry_address,
        "ANNOTATEFORGE_CORS_ORIGINS": '["https://app.example.com"]',
        "ANNOTATEFORGE_READY_FD": "1",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "annotateforge.gateway",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        ready = orjson.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        async with httpx.AsyncClient(base_url=f"http://{ready['address']}") as client:
            assert (await client.get("/healthz")).status_code == 200
            assert "/api/v1/predict" not in (await client.get("/api/v1/openapi.json")).json()["paths"]
        process.send_signal(signal.SIGTERM)
        _, written = await asyncio.wait_for(process.communicate(), 15)
        assert process.returncode == 0
        assert b"Traceback" not in written
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_settings_that_are_wrong_are_named() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "annotateforge.gateway", env={}, stderr=asyncio.subprocess.PIPE
    )
    _, written = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    for name in ("SECRET", "NATS_URL", "DATASET_ADDRESS", "TRAINER_ADDRESS", "REGISTRY_ADDRESS"):
        assert f"ANNOTATEFORGE_{name}" in written.decode()
