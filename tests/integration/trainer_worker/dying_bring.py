"""Brings one data set and then, dying at a chosen step on the disk, another one that pushes it out.

    python -m tests.integration.trainer_worker.dying_bring < JSON

The steps are those that Python audits: opening, linking, renaming, removing files and so on, below the
folder of the cache. For every round a process is forked, which has nothing of gRPC running yet. What is told
for each is a line of JSON.
"""

import asyncio
import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from annotateforge.api.dataset.v1.dataset_pb2 import Dataset
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.telemetry import configure_logging
from annotateforge.trainer.worker.datasets import DatasetCache

STEPS = ("open", "os.link", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.utime", "os.chmod")


def die_at(step: int, root: Path) -> None:
    """Be killed before a step below a folder, counted from 1."""
    left = step

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in STEPS and str(arguments[0]).startswith(str(root)):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)


async def bring(root: Path, told: dict[str, Any], name: str) -> None:
    async with open_channel(told["address"], lambda: str(told["token"])) as channel:
        dataset = Dataset.FromString(bytes.fromhex(told[name]))
        async with asyncio.timeout(60):
            cache = DatasetCache(root, told["most_bytes"])
            await cache.bring(dataset, DatasetServiceStub(channel), lambda *_: None)


def forked(root: Path, told: dict[str, Any], name: str, step: int = 0) -> int:
    """Bring a data set in a process of its own; how that has ended."""
    child = os.fork()
    if not child:
        try:
            if step:
                die_at(step, root)
            asyncio.run(bring(root, told, name))
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    configure_logging("test", "json", "error")
    told = json.load(sys.stdin)
    step = told["first"]
    died = True
    while died:
        root = Path(told["folder"]) / f"{step}"
        codes = [forked(root, told, "one"), forked(root, told, "other", step)]
        died = codes[1] == -signal.SIGKILL
        wrong = [
            path.name
            for path in root.glob("blobs/*/*")
            if hashlib.sha256(path.read_bytes()).hexdigest() != path.name
        ]
        codes.append(forked(root, told, "other"))
        left = [path.name for path in root.glob("incoming/*")]
        print(json.dumps({"step": step, "codes": codes, "wrong": wrong, "left": left}), flush=True)
        step += told["stride"]


if __name__ == "__main__":
    main()
