"""What the SDK makes of answers, good and bad, over real HTTP."""

import io
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from annotateforge.client import Client, ClientError, ServerAway, ServerRefused
from annotateforge.client.errors import Detail
from tests.integration.client.http_answers import answering, send, send_json


def test_a_list_is_read_page_after_page_as_it_is_needed() -> None:
    asked: list[dict[str, list[str]]] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(request.path).query)
        asked.append(query)
        page = int(query.get("page_token", ["0"])[0])
        send_json(
            request,
            {
                "projects": [{"id": str(2 * page + at), "image_count": 5} for at in (0, 1)],
                "next_page_token": str(page + 1) if page < 2 else "",
            },
        )

    with answering(answer) as url, Client(url, "token") as client:
        projects = client.projects()
        assert next(projects).id == "0"
        assert len(asked) == 1
        assert [project.id for project in projects] == ["1", "2", "3", "4", "5"]
    assert [query.get("page_token") for query in asked] == [None, ["1"], ["2"]]
    assert all(query["page_size"] == ["200"] for query in asked)


def test_fields_and_enum_values_of_a_newer_server_are_passed_over() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        send_json(request, {"id": "7", "status": "paused", "invented": {"a": [1]}})

    with answering(answer) as url, Client(url, "token") as client:
        assert client.job("7").id == "7"


def test_a_refusal_is_raised_with_all_that_the_server_said() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        error = {
            "code": 400,
            "status": "INVALID_ARGUMENT",
            "reason": "INVALID_NAME",
            "message": "The name is empty.",
            "details": [{"field": "name", "description": "must not be empty"}],
        }
        send_json(request, {"error": error}, 400)

    with (
        answering(answer) as url,
        Client(url, "token") as client,
        pytest.raises(ServerRefused, match="The name is empty") as raised,
    ):
        client.create_project("")
    assert (raised.value.code, raised.value.reason) == (400, "INVALID_NAME")
    assert raised.value.details == (Detail("name", "must not be empty"),)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>Welcome to nginx</html>"), (200, b'{"id": 7}'), (404, b"nothing"), (502, b"[]")],
)
def test_another_kind_of_server_is_told_apart(status: int, body: bytes) -> None:
    with (
        answering(lambda request: send(request, status, body, "text/html")) as url,
        Client(url, "token") as client,
        pytest.raises(ClientError, match=url),
    ):
        client.project("7")


def test_a_server_that_does_not_answer_in_time_is_away() -> None:
    over = threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> None:
        over.wait(30)
        send_json(request, {})

    with answering(answer) as url, Client(url, "token", timeout=0.2) as client:
        try:
            with pytest.raises(ServerAway, match="did not answer in time"):
                client.project("7")
        finally:
            over.set()


def test_a_refusal_in_the_middle_of_an_upload_is_told_as_such() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        error = {
            "code": 404,
            "status": "NOT_FOUND",
            "reason": "PROJECT_NOT_FOUND",
            "message": "There is none.",
        }
        request.close_connection = True
        send_json(request, {"error": error}, 404)

    chunks = (bytes(500_000) for _ in range(200))
    with (
        answering(answer) as url,
        Client(url, "token") as client,
        pytest.raises(ServerRefused, match="There is none"),
    ):
        client.import_archive("7", chunks)


def test_a_download_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        request.send_response(200)
        request.send_header("content-length", "1000000")
        request.end_headers()
        request.wfile.write(bytes(1000))

    with answering(answer) as url, Client(url, "token") as client:
        with pytest.raises(ServerAway, match="broke"):
            client.download_artifact("7", "best.pt", tmp_path / "best.pt")
        with pytest.raises(ServerAway):
            client.download_archive("7", io.BytesIO())
    assert list(tmp_path.iterdir()) == []


def test_a_download_replaces_the_file_that_is_there(tmp_path: Path) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        send(request, 200, b"new", "application/octet-stream")

    path = tmp_path / "best.pt"
    path.write_bytes(b"old content")
    told: list[int] = []
    with answering(answer) as url, Client(url, "token") as client:
        assert client.download_artifact("7", "best.pt", path, received=told.append) == 3
    assert path.read_bytes() == b"new"
    assert sum(told) == 3


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        send(request, 200, b"new", "application/octet-stream")

    with (
        answering(answer) as url,
        Client(url, "token") as client,
        pytest.raises(ClientError, match="nowhere/best.pt cannot be written: No such file"),
    ):
        client.download_artifact("7", "best.pt", tmp_path / "nowhere" / "best.pt")


def test_a_proxy_is_not_asked_for_what_runs_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with answering(lambda request: send_json(request, {"id": "7"})) as url, Client(url, "token") as client:
        assert client.project("7").id == "7"
