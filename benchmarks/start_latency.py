"""How soon a training begins: from CreateJob to its first batch, against `yolo train` from its start to its
first batch.

- job: with real services and an idle worker, whose next child waits. The data set is frozen, downloaded and
  unpacked before the first batch.
- cold: the same with a worker that starts no child in advance.
- yolo train: the program that ultralytics installs, on the same data, which lie unpacked on the disk already,
  with the same arguments. Its first batch is when it begins to train; a callback that its own interpreter
  adds prints the time.

The ways take turns, after a round that does not count. Every run finds the data without a label cache. What
is printed are medians.

    python -m benchmarks.start_latency [--rounds N]
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from annotateforge.api.trainer.v1 import trainer_service_pb2 as trainer_api
from annotateforge.runtime.telemetry import configure_logging
from annotateforge.trainer.worker.environment import child_environment
from benchmarks._blood_cells import machine
from benchmarks.job_overhead import DEADLINE, Bench, Scale, bench

GOAL = 0.5
WAYS = ("job", "cold", "yolo train")
SCALE = Scale(images=80, epochs=2, image_size=160)
IDLE_SECONDS = 20.0
"""Time for the next child to import all, on a machine that is busy."""

# What the program `yolo` runs, with a callback that tells of the first batch.
YOLO = """
import sys, time
from ultralytics.utils import callbacks
def tell(trainer):
    if not told:
        told.append(True)
        print(f"FIRST BATCH {time.time()}", flush=True)
told = []
callbacks.default_callbacks["on_train_batch_start"].append(tell)
from ultralytics.cfg import entrypoint
sys.argv = ["yolo", *sys.argv[1:]]
entrypoint()
"""


async def run_job(ready: Bench) -> float:
    """Seconds from CreateJob to the beginning of the first epoch's first batch, as the child tells it."""
    shutil.rmtree(ready.folder / "worker" / "datasets")
    (ready.folder / "worker" / "datasets").mkdir()
    await asyncio.sleep(IDLE_SECONDS)
    before = time.time()
    job = await ready.create_job()
    first = 0.0
    async with asyncio.timeout(DEADLINE):
        async for message in ready.trainer.WatchJob(trainer_api.WatchJobRequest(job_id=job.id)):
            if message.event.WhichOneof("payload") == "epoch_start" and not first:
                first = time.time()
    return first - before


async def run_yolo(ready: Bench, number: int) -> float:
    """Seconds from the start of the process to its first batch."""
    folder = ready.folder / f"yolo-{number}"
    folder.mkdir()
    ready.unpack(folder / "data")
    environment = child_environment(os.environ, folder, ready.folder / "worker" / "cache", None)
    # The next child of the worker imports all meanwhile, and must not disturb.
    await asyncio.sleep(IDLE_SECONDS)
    given = SCALE.arguments(folder / "data", folder) | {"model": "yolov8n.yaml"}
    words = [f"{name}={value}" for name, value in given.items()]
    before = time.time()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", YOLO, "detect", "train", *words),
        env=environment,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(DEADLINE):
        output, _ = await process.communicate()
    for line in output.decode(errors="replace").splitlines():
        if line.startswith("FIRST BATCH "):
            return float(line.split()[-1]) - before
    raise RuntimeError(f"yolo train failed:\n{output.decode(errors='replace')}")


async def measure(rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        for name, warm in (("warm", True), ("cold", False)):
            (folder / name).mkdir()
            async with bench(folder / name, SCALE, warm_child=warm) as ready:
                await ready.prepare()
                for number in range(rounds + 1):
                    way = "job" if warm else "cold"
                    runs = [(way, await run_job(ready))]
                    if warm:
                        runs.append(("yolo train", await run_yolo(ready, number)))
                    if number:
                        for way, seconds in runs:
                            times[way].append(seconds)
                        print(json.dumps({way: round(seconds, 2) for way, seconds in runs}), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    configure_logging("benchmark", "console", "error")
    times = asyncio.run(measure(given.rounds))
    median = {way: statistics.median(runs) for way, runs in times.items()}
    print()
    for way in WAYS:
        print(f"{way:12} {median[way]:6.2f} s   ({min(times[way]):.2f} to {max(times[way]):.2f})")
    ratio, best = median["job"] / median["yolo train"], min(times["job"]) / min(times["yolo train"])
    print(f"job / yolo train: {ratio:.2f} by the medians, {best:.2f} by the best runs (goal: at most {GOAL})")
    print(machine())


if __name__ == "__main__":
    main()
