"""Contents as bytes: whole, in ranges, under conditions."""

import asyncio
import itertools
import random
from collections.abc import Callable

import httpx
import pytest

from annotateforge.api.content.v1.content_pb2 import ContentInfo
from annotateforge.gateway import app
from tests.integration.gateway.conftest import Services

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTENT = random.Random(1).randbytes(300_000)
INFO = ContentInfo(content_type="image/png", filename="größe 1.png", etag="tag-1")
PATH = "/api/v1/images/picture/content"


@pytest.fixture(autouse=True)
def contents(services: Services) -> None:
    services.dataset.contents = {
        "picture": (INFO, CONTENT),
        "empty": (ContentInfo(etag="nothing"), b""),
        "odd": (ContentInfo(content_type="text/html\r\nx: y", filename='a"\r\nb', etag='q"'), b"abc"),
        "broken": (INFO, CONTENT),
        "large": (INFO, bytes(200_000_000)),
    }


async def test_a_whole_content_has_a_size_a_name_and_a_tag(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH)
    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["etag"] == '"tag-1"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["content-disposition"].endswith("filename*=UTF-8''gr%C3%B6%C3%9Fe%201.png")


async def test_head_tells_the_same_without_the_bytes(client: httpx.AsyncClient) -> None:
    whole, head = await client.get(PATH), await client.head(PATH, headers={"range": "bytes=0-1"})
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "content-disposition", "accept-ranges"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99999", 0, 100_000),
        ("bytes=100-", 100, 300_000),
        ("bytes=-1", 299_999, 300_000),
        ("bytes=-999999", 0, 300_000),
        ("bytes=299999-400000", 299_999, 300_000),
        ("bytes=7-9223372036854775807", 7, 300_000),
    ],
)
async def test_a_range_is_a_part(client: httpx.AsyncClient, wanted: str, start: int, stop: int) -> None:
    answer = await client.get(PATH, headers={"range": wanted})
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/300000"
    assert answer.headers["content-length"] == str(stop - start)


async def test_random_ranges_put_together_are_the_whole(client: httpx.AsyncClient) -> None:
    cuts = [0, *sorted(random.Random(2).sample(range(1, len(CONTENT)), 20)), len(CONTENT)]
    parts = [
        (await client.get(PATH, headers={"range": f"bytes={start}-{stop - 1}"})).content
        for start, stop in itertools.pairwise(cuts)
    ]
    assert b"".join(parts) == CONTENT


@pytest.mark.parametrize(
    "wanted", ["bytes=300000-", "bytes=300001-", "bytes=-0", "bytes=99999999999999999999999-"]
)
async def test_a_range_beyond_the_end_names_the_size(client: httpx.AsyncClient, wanted: str) -> None:
    answer = await client.get(PATH, headers={"range": wanted})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */300000"
    assert answer.json()["error"]["reason"] == "RANGE_NOT_SATISFIABLE"


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "lines=0-1", "bytes=5-2", "nonsense"])
async def test_what_is_no_single_range_gets_the_whole(client: httpx.AsyncClient, wanted: str) -> None:
    answer = await client.get(PATH, headers={"range": wanted})
    assert (answer.status_code, answer.content) == (200, CONTENT)


@pytest.mark.parametrize("wanted", [None, "bytes=5-10", "bytes=-5", "bytes=300000-"])
async def test_who_has_the_content_is_told_so(client: httpx.AsyncClient, wanted: str | None) -> None:
    headers = {"if-none-match": '"other", W/"tag-1"'} | ({"range": wanted} if wanted else {})
    answer = await client.get(PATH, headers=headers)
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == '"tag-1"'
    other = await client.get(PATH, headers={"if-none-match": '"tag-2"'})
    assert (other.status_code, other.content) == (200, CONTENT)


async def test_a_range_of_another_version_gets_the_whole(client: httpx.AsyncClient) -> None:
    same = await client.get(PATH, headers={"range": "bytes=1-2", "if-range": '"tag-1"'})
    assert (same.status_code, same.content) == (206, CONTENT[1:3])
    other = await client.get(PATH, headers={"range": "bytes=1-2", "if-range": '"tag-0"'})
    assert (other.status_code, other.content) == (200, CONTENT)
    beyond = await client.get(PATH, headers={"range": "bytes=900000-", "if-range": '"tag-0"'})
    assert (beyond.status_code, beyond.content) == (200, CONTENT)


async def test_an_empty_content_is_a_content(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/images/empty/content")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")
    assert answer.headers["content-type"] == "application/octet-stream"
    ranged = await client.get("/api/v1/images/empty/content", headers={"range": "bytes=0-"})
    assert (ranged.status_code, ranged.headers["content-range"]) == (416, "bytes */0")


async def test_names_and_types_break_out_of_no_header(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/images/odd/content")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "x" not in answer.headers
    assert "etag" not in answer.headers


async def test_offsets_are_given_by_the_range_header_alone(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH, params={"offset": 5})
    assert answer.status_code == 400
    assert answer.json()["error"]["reason"] == "UNKNOWN_PARAMETER"


async def test_what_is_not_there_is_an_error_in_json(client: httpx.AsyncClient) -> None:
    for ask in (client.get, client.head):
        answer = await ask("/api/v1/images/none/content")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")


async def test_a_download_that_breaks_off_is_no_complete_one(client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/api/v1/images/broken/content")


async def test_a_client_that_goes_away_ends_the_stream(client: httpx.AsyncClient, services: Services) -> None:
    async with client.stream("GET", "/api/v1/images/large/content") as answer:
        async for _ in answer.aiter_raw():
            break
    await asyncio.wait_for(services.dataset.let_go.wait(), 5)
    # The service was held back by the client, and so did not send everything meanwhile.
    assert services.dataset.chunks_sent < 1500


async def test_a_client_that_takes_nothing_is_given_up(
    gateway: app.App, services: Services, token: Callable[[str], str]
) -> None:
    host, _, port = gateway.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    head = f"GET /api/v1/images/large/content HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token('viewer')}"
    writer.write(head.encode() + b"\r\n\r\n")
    await asyncio.wait_for(services.dataset.let_go.wait(), 10)
    writer.close()
    assert reader is not None
