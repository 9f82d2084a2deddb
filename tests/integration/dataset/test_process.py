"""The service as a process of its own."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.dataset.app import App
from tests.integration.dataset.calls import editing


@pytest.mark.slow
async def test_it_says_where_it_is_reached_serves_and_stops_at_a_signal(
    database_url: str, store_url: str, secret: str, tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "annotateforge.dataset"),
        env={
            "PATH": os.environ["PATH"],
            "ANNOTATEFORGE_DATABASE_URL": database_url,
            "ANNOTATEFORGE_STORE_URL": store_url,
            "ANNOTATEFORGE_SECRET": secret,
            "ANNOTATEFORGE_READY_FD": str(writing),
            "ANNOTATEFORGE_DATASET_SPOOL_FOLDER": str(tmp_path),
        },
        pass_fds=(writing,),
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as ready:
            line = await asyncio.wait_for(asyncio.to_thread(ready.readline), 30)
        address = json.loads(line)["address"]
        async with editing(App(address), secret) as editor:
            await editor.CreateProject(api.CreateProjectRequest(name="cells"))
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
