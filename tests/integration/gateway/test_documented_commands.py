"""The commands of docs/rest-api.md do what it says."""

import asyncio
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from annotateforge.api.content.v1.content_pb2 import ContentInfo
from annotateforge.gateway import app
from annotateforge.gateway.settings import Settings
from annotateforge.gateway.websocket import CLOSE_CODES
from tests.integration.gateway.conftest import Services

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "rest-api.md"
COMMANDS = "\n".join(re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL))


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
async def test_the_commands_of_the_page_work(
    gateway: app.App, services: Services, token: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "cells.zip").write_bytes(b"some archive")
    for name in ("cell.png", "cell-2.png", "cell-3.png"):
        (tmp_path / name).write_bytes(b"some picture")
    content = bytes(range(256)) * 100
    services.dataset.contents["i1"] = (ContentInfo(etag="t", content_type="image/png"), content)
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-eu",
        "-c",
        COMMANDS.replace("curl ", "curl --silent --show-error --fail "),
        cwd=tmp_path,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "URL": gateway.url, "TOKEN": token("editor")}
        | {"PROJECT": "p1", "IMAGE": "i1", "JOB": "j1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    written, complaints = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, complaints.decode()
    assert b'"name":"cells"' in written
    assert b'"images_added":12' in written
    assert [header.filename for header, _, _ in services.dataset.uploaded] == [
        "cell.png",
        "cell-2.png",
        "cell-3.png",
    ]
    assert (tmp_path / "part").read_bytes() == content
    assert (tmp_path / "cells.zip").read_bytes() == b"an export as coco"


async def test_the_page_names_every_setting_and_close_code() -> None:
    text = DOCUMENT.read_text()
    for name in Settings.model_fields.keys() - {"log_format", "log_level", "ready_fd", "metrics_listen"}:
        assert f"ANNOTATEFORGE_{name.upper()}`" in text or f"…_{name.upper()}`" in text, name
    for code in CLOSE_CODES.values():
        assert f"| {code} |" in text
