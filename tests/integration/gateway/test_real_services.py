"""The gateway before the dataset service, the trainer and the registry as they are."""

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import httpx
import orjson
import pytest
import pytest_asyncio
from pydantic import SecretStr
from websockets.asyncio.client import connect

from annotateforge.dataset import app as dataset
from annotateforge.dataset.settings import Settings as DatasetSettings
from annotateforge.gateway import app
from annotateforge.gateway.settings import Settings
from annotateforge.registry import app as registry
from annotateforge.trainer import app as trainer
from tests.unit.dataset.archives import png

BOX = {"x_min": 1, "y_min": 1, "x_max": 4, "y_max": 4}


@pytest_asyncio.fixture
async def stack(database_url: str, nats_url: str, store_url: str, secret: str) -> AsyncIterator[app.App]:
    async with AsyncExitStack() as running:
        key = SecretStr(secret)
        datasets = await running.enter_async_context(
            dataset.running(DatasetSettings(database_url=database_url, store_url=store_url, secret=key))
        )
        models = await running.enter_async_context(
            registry.running(
                registry.Settings(
                    database_url=database_url, nats_url=nats_url, store_url=store_url, secret=key
                )
            )
        )
        jobs = await running.enter_async_context(
            trainer.running(
                trainer.Settings(
                    database_url=database_url,
                    nats_url=nats_url,
                    store_url=store_url,
                    secret=key,
                    dataset_address=datasets.address,
                    registry_address=models.address,
                )
            )
        )
        yield await running.enter_async_context(
            app.running(
                Settings(
                    listen="127.0.0.1:0",
                    secret=key,
                    nats_url=nats_url,
                    dataset_address=datasets.address,
                    trainer_address=jobs.address,
                    registry_address=models.address,
                )
            )
        )


async def test_from_images_to_a_watched_job(stack: app.App, token: Callable[[str], str]) -> None:
    headers = {"authorization": f"Bearer {token('editor')}"}
    async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=30) as client:
        assert (await client.get("/readyz")).json()["checks"] == {
            "dataset": True,
            "trainer": True,
            "registry": True,
            "nats": True,
        }
        project = (await client.post("/api/v1/projects", json={"name": "cells"})).json()
        pictures = [png() for _ in range(10)]
        files = [("file", (f"{number}.png", content)) for number, content in enumerate(pictures)]
        uploaded = await client.post(f"/api/v1/projects/{project['id']}/images", files=files)
        assert uploaded.status_code == 201, uploaded.text
        images = uploaded.json()["images"]
        assert len(images) == 10
        for image in images:
            drawn = await client.put(
                f"/api/v1/images/{image['id']}/annotations",
                json={"annotations": [{"class_label": "cell", "box": BOX}]},
            )
            assert drawn.status_code == 200, drawn.text

        content = await client.get(f"/api/v1/images/{images[0]['id']}/content")
        assert hashlib.sha256(content.content).hexdigest() == images[0]["sha256"]
        assert content.headers["content-type"] == "image/png"
        thumbnail = await client.get(f"/api/v1/images/{images[0]['id']}/thumbnail", params={"size": 16})
        assert thumbnail.headers["content-type"] == "image/jpeg"
        assert thumbnail.headers["accept-ranges"] == "none"
        known = {"if-none-match": thumbnail.headers["etag"], "range": "bytes=0-1"}
        again = await client.get(f"/api/v1/images/{images[0]['id']}/thumbnail?size=16", headers=known)
        assert again.status_code == 304
        head = await client.head(f"/api/v1/images/{images[0]['id']}/thumbnail?size=16")
        assert head.headers["content-length"] == str(len(thumbnail.content))

        export = f"/api/v1/projects/{project['id']}/export?format=coco"
        zipped = await client.get(export)
        assert zipped.headers["content-disposition"].endswith(f'filename="coco-{project["id"]}.zip"')
        with zipfile.ZipFile(io.BytesIO(zipped.content)) as exported:
            assert exported.testzip() is None
            assert len(exported.namelist()) == 12
        rest = await client.get(export, headers={"range": "bytes=100-", "if-range": zipped.headers["etag"]})
        assert (rest.status_code, rest.content) == (206, zipped.content[100:])

        spec = {"project_ids": [project["id"]], "task_type": "detect", "classes": ["cell"]}
        report = (await client.post("/api/v1/datasets:check", json=spec)).json()
        assert report["trainable"] is True
        frozen = await client.post("/api/v1/datasets", json=spec)
        assert frozen.status_code == 201, frozen.text
        path = f"{frozen.headers['location']}/archive"
        archive = await client.get(path)
        assert archive.headers["etag"].strip('"')
        assert zipfile.ZipFile(io.BytesIO(archive.content)).testzip() is None
        middle = len(archive.content) // 2
        first = await client.get(path, headers={"range": f"bytes=0-{middle - 1}"})
        second = await client.get(path, headers={"range": f"bytes={middle}-"})
        assert (first.status_code, first.content + second.content) == (206, archive.content)
        beyond = await client.get(path, headers={"range": f"bytes={len(archive.content)}-"})
        assert beyond.headers["content-range"] == f"bytes */{len(archive.content)}"
        held = await client.get(path, headers={"if-none-match": archive.headers["etag"]})
        assert held.status_code == 304

        config = {"project_ids": [project["id"]], "classes": ["cell"], "epochs": 1, "image_size": 32}
        made = await client.post(
            "/api/v1/training/jobs", json={"name": "first", "task_type": "detect", "config": config}
        )
        assert made.status_code == 201, made.text
        job_id = made.json()["id"]
        listed = await client.get(
            "/api/v1/training/jobs", params={"status": "pending", "task_type": "detect"}
        )
        assert [job["id"] for job in listed.json()["jobs"]] == [job_id]

        url = f"ws://{stack.address}/api/v1/training/ws/{job_id}"
        async with connect(url, additional_headers=headers) as socket:
            events = [orjson.loads(await socket.recv()) for _ in range(2)]
            assert [(event["sequence"], event["type"]) for event in events] == [
                (1, "status_change"),
                (2, "dataset_ready"),
            ]
            cancelled = await client.post(f"/api/v1/training/jobs/{job_id}:cancel")
            assert cancelled.json()["status"] == "cancelled"
            [last] = [orjson.loads(text) async for text in socket]
            assert (last["sequence"], last["status"]) == (3, "cancelled")
            assert socket.close_code == 1000
        assert (await client.delete(f"/api/v1/training/jobs/{job_id}")).status_code == 204
        assert (await client.get("/api/v1/training/models")).json() == {"models": [], "next_page_token": ""}


@pytest.mark.parametrize("code", ["INVALID_PROJECT", "PROJECT_EXISTS"])
async def test_reasons_of_the_services_come_through(
    stack: app.App, token: Callable[[str], str], code: str
) -> None:
    name = "" if code == "INVALID_PROJECT" else "cells"
    headers = {"authorization": f"Bearer {token('editor')}"}
    async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=30) as client:
        await client.post("/api/v1/projects", json={"name": "cells"})
        refused = await client.post("/api/v1/projects", json={"name": name})
    assert refused.json()["error"]["reason"] == code
    assert refused.status_code == (400 if code == "INVALID_PROJECT" else 409)
