"""What `annotateforge train` orders, over real HTTP."""

import sys
from http.server import BaseHTTPRequestHandler
from typing import Any

import orjson
import pytest

from annotateforge.client.command.program import main
from tests.integration.client.http_answers import answering, send_json

DATASET = "0197c0de-0000-7000-8000-000000000001"
BASE_MODEL = "0197c0de-0000-7000-8000-000000000002"


def ordered(monkeypatch: pytest.MonkeyPatch, *options: str) -> dict[str, Any]:
    """The job that the command asks for."""
    bodies: list[dict[str, Any]] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        if request.path.startswith("/api/v1/training/jobs/7/events"):
            warning = {"message": "No worker has the device '3'.", "hint": "Start one."}
            send_json(request, {"events": [{"sequence": 3, "warning": warning}], "next_page_token": ""})
            return
        if request.command == "GET":
            # The data set and the base model, which are looked at before anything is ordered.
            send_json(request, {"id": request.path.rpartition("/")[2]})
            return
        bodies.append(orjson.loads(request.rfile.read(int(request.headers["content-length"]))))
        send_json(request, {"id": "7"}, 201)

    with answering(answer) as url:
        words = ["train", "--dataset", DATASET, "--server", url, "--token", "token", *options]
        monkeypatch.setattr(sys, "argv", ["annotateforge", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
    (body,) = bodies
    return body


def test_the_smallest_model_is_trained_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ordered(monkeypatch)["config"]["model"] == "yolov8n"


def test_what_the_maker_of_a_job_should_know_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ordered(monkeypatch)
    told = capsys.readouterr()
    assert "Job 7 is made" in told.out
    assert "warning No worker has the device '3'. Start one." in told.err


def test_a_base_model_keeps_its_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ordered(monkeypatch, "--base-model", BASE_MODEL)["config"]
    assert (config["base_model_id"], config["model"]) == (BASE_MODEL, "")
    asked = ordered(monkeypatch, "--base-model", BASE_MODEL, "--model", "yolo11s")["config"]
    assert asked["model"] == "yolo11s"
