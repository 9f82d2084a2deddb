"""Bodies as bytes: raw and as forms, streamed on as they come."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from annotateforge.gateway import app
from tests.integration.gateway.conftest import Services

pytestmark = pytest.mark.asyncio(loop_scope="module")

PICTURE = random.Random(1).randbytes(3_000_000)
IMAGES = "/api/v1/projects/p1/images"
IMPORT = "/api/v1/projects/p1/import"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def test_a_raw_body_is_one_file(client: httpx.AsyncClient, services: Services) -> None:
    parameters = {"filename": "folder/a b.png", "image_class": "good"}
    answer = await client.post(IMAGES, params=parameters, content=PICTURE)
    assert answer.status_code == 201
    assert [image["sha256"] for image in answer.json()["images"]] == [digest(PICTURE)]
    [(header, size, _)] = services.dataset.uploaded
    assert (header.project_id, header.filename, header.image_class, size) == (
        "p1",
        "folder/a b.png",
        "good",
        len(PICTURE),
    )
    assert services.dataset.largest_chunk <= 1024 * 1024


async def test_a_body_of_unknown_length_arrives_whole(client: httpx.AsyncClient, services: Services) -> None:
    async def body() -> AsyncIterator[bytes]:
        for start in range(0, len(PICTURE), 100_000):
            yield PICTURE[start : start + 100_000]

    await client.post(IMAGES, params={"filename": "a.png"}, content=body())
    assert services.dataset.uploaded[0][1:] == (len(PICTURE), digest(PICTURE))


async def test_a_form_holds_many_files(client: httpx.AsyncClient, services: Services) -> None:
    files = [("file", (f"größe/{n}.png", PICTURE[: n * 1000], "image/png")) for n in range(40)]
    files.append(("file", ("large.png", PICTURE, "image/png")))
    answer = await client.post(IMAGES, files=files)
    assert answer.status_code == 201
    seen = [(header.filename, size, found) for header, size, found in services.dataset.uploaded]
    assert seen == [(name, len(data), digest(data)) for _, (name, data, _) in files]
    assert {header.project_id for header, _, _ in services.dataset.uploaded} == {"p1"}


async def test_fields_of_a_form_hold_for_the_files_after_them(
    client: httpx.AsyncClient, services: Services
) -> None:
    answer = await client.post(
        IMAGES, data={"image_class": "bad"}, files=[("f", ("1.png", b"1")), ("f", ("2.png", b"2"))]
    )
    assert answer.status_code == 201
    assert [header.image_class for header, _, _ in services.dataset.uploaded] == ["bad", "bad"]
    refused = await client.post(IMAGES, data={"project_id": "p2"}, files=[("f", ("1.png", b"1"))])
    assert refused.status_code == 400
    assert refused.json()["error"]["reason"] == "UNKNOWN_PARAMETER"
    assert refused.json()["error"]["details"][0]["field"] == "project_id"


async def test_what_the_service_refuses_is_answered(client: httpx.AsyncClient) -> None:
    answer = await client.post(IMAGES, content=b"no name")
    assert answer.status_code == 400
    assert answer.json()["error"]["reason"] == "INVALID_FILENAME"


async def test_an_import_is_raw_or_the_one_file_of_a_form(client: httpx.AsyncClient) -> None:
    raw = await client.post(IMPORT, params={"format": "voc"}, content=PICTURE)
    assert raw.status_code == 200
    assert (raw.json()["format"], raw.json()["images_added"]) == ("voc", len(PICTURE))
    form = await client.post(IMPORT, files={"file": ("a.zip", PICTURE)})
    assert form.json()["images_added"] == len(PICTURE)
    two = await client.post(IMPORT, files=[("f", ("a.zip", b"1")), ("f", ("b.zip", b"2"))])
    assert two.json()["error"]["reason"] == "INVALID_MULTIPART"
    empty = await client.post(IMPORT, content=b"")
    assert empty.json()["images_added"] == 0


async def test_a_refusal_before_the_end_is_answered_at_once(client: httpx.AsyncClient) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b"bad" + bytes(600_000)
        for _ in range(500):
            sent += 1
            yield bytes(100_000)

    answer = await client.post(IMPORT, content=body())
    assert answer.json()["error"]["reason"] == "ARCHIVE_INVALID"
    # The connection is still good for the next request.
    assert (await client.get("/api/v1/projects")).status_code == 200


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"nonsense"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb'),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\nabc\r\n--x',
        ),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: text/plain\r\n\r\nb\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
        ("multipart/form-data; boundary=" + "x" * 300, b"--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"a: b\r\n" * 1000),
    ],
)
async def test_malformed_forms_are_refused(client: httpx.AsyncClient, kind: str, content: bytes) -> None:
    answer = await client.post(IMAGES, content=content, headers={"content-type": kind})
    assert answer.status_code == 400
    assert answer.json()["error"]["reason"] == "INVALID_MULTIPART"


async def test_other_forms_with_parts_are_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post(IMAGES, content=b"", headers={"content-type": "multipart/mixed; boundary=x"})
    assert answer.status_code == 415


async def test_a_field_of_bytes_is_the_body_or_a_file(client: httpx.AsyncClient) -> None:
    raw = await client.post("/api/v1/predict", params={"task_type": "detect"}, content=b"12345")
    assert raw.status_code == 200
    assert (raw.json()["model_id"], raw.json()["width"]) == ("active", 5)
    form = await client.post("/api/v1/training/models/m1/predict", files={"file": ("a.png", b"1234567")})
    assert (form.json()["model_id"], form.json()["width"]) == ("m1", 7)
    large = await client.post("/api/v1/predict", content=bytes(17 * 1024 * 1024))
    assert large.status_code == 413
    for files in ({"a": (None, b"no file")}, {"a": ("1.png", b"1"), "b": ("2.png", b"2")}):
        refused = await client.post("/api/v1/predict", files=files)
        assert refused.json()["error"]["reason"] == "INVALID_MULTIPART"


async def test_a_client_that_goes_away_ends_the_upload(
    gateway: app.App, services: Services, token: Callable[[str], str]
) -> None:
    host, _, port = gateway.address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {IMPORT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token('editor')}\r\n"
        "content-length: 1000000\r\n\r\n"
    )
    writer.write(head.encode() + b"hold" + bytes(600_000))
    await asyncio.wait_for(services.dataset.held.wait(), 5)
    writer.close()
    await asyncio.wait_for(services.dataset.let_go.wait(), 5)


async def test_a_body_that_stalls_is_given_up(gateway: app.App, token: Callable[[str], str]) -> None:
    host, _, port = gateway.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {IMPORT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token('editor')}\r\n"
        "content-length: 1000000\r\n\r\nsome"
    )
    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"BODY_STALLED" in answer
    writer.close()
