"""What keeping states costs a training: seconds of an epoch without any, with one after every epoch, and with
as many as a worker keeps by default, which depends on what they cost.

The training process is the worker's own, on a CPU, with yolov8n; a state is copied at the end of its epoch
and written while the next one is trained. The first epoch of each run, which warms up, does not count.
The ways take turns, and the order changes from round to round.

    python -m benchmarks.checkpoint_cost [--rounds N] [--images N] [--epochs N] [--image-size PIXELS]
"""

import argparse
import asyncio
import os
import platform
import statistics
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from annotateforge.api.trainer.v1.worker_service_pb2 import Report
from annotateforge.trainer.worker.child_process import ChildProcess
from annotateforge.trainer.worker.environment import child_environment
from annotateforge.trainer.worker.frames import Kind
from annotateforge.trainer.worker.machine import usable_cores
from annotateforge.trainer.worker.order import TrainingOrder

DEADLINE = 1800.0
WAYS = {"without states": None, "with a state each": 0.0, "with states as by default": 60.0}
"""Seconds of training after which a state is kept at the latest."""


def write_images(folder: Path, count: int, side: int) -> None:
    """Bright squares on noise, in the layout of an archive; a fifth is for validation."""
    generator = np.random.default_rng(0)
    for number in range(count):
        split = "val" if number % 5 == 0 else "train"
        pixels = generator.integers(0, 120, (side, side, 3), np.uint8)
        size = side // 4
        x, y = (int(value) for value in generator.integers(0, side - size, 2))
        pixels[y : y + size, x : x + size] = 230
        image = folder / "images" / split / f"{number}.png"
        label = folder / "labels" / split / f"{number}.txt"
        for path in (image, label):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(image)
        label.write_text(f"0 {(x + size / 2) / side} {(y + size / 2) / side} {size / side} {size / side}\n")
    (folder / "data.yaml").write_text("train: images/train\nval: images/val\nnames:\n  0: square\n")


async def train(folder: Path, given: TrainingOrder) -> list[float]:
    """Seconds of each epoch but the first."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    environment = child_environment(os.environ, scratch, folder / "cache", given.cores)
    child = await ChildProcess.start(scratch, environment)
    seconds: list[float] = []
    try:
        child.log_to(folder / "log")
        await child.give(given)
        async with asyncio.timeout(DEADLINE):
            async for kind, payload in child.frames():
                report = Report.FromString(payload) if kind is Kind.REPORT else Report()
                if report.HasField("epoch_complete"):
                    seconds.append(report.epoch_complete.epoch_seconds)
        if await child.ended() != 0:
            raise SystemExit("\n".join(child.log.lines()[-20:]))
    finally:
        await child.stop()
    return seconds[1:]


async def measure(arguments: argparse.Namespace, folder: Path) -> None:
    data = folder / "data"
    write_images(data, arguments.images, arguments.image_size)
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    size = 0
    for number in range(arguments.rounds):
        for way in list(WAYS)[:: 1 if number % 2 else -1]:
            longest = WAYS[way]
            given = TrainingOrder(
                task="detect",
                classes=("square",),
                dataset_dir=str(data),
                run_dir=str(folder / "scratch" / f"run-{number}-{len(way)}"),
                architecture="yolov8n",
                epochs=arguments.epochs,
                batch_size=8,
                image_size=arguments.image_size,
                optimizer="AdamW",
                learning_rate=0.002,
                patience=0,
                max_hours=None,
                settings={},
                seed=0,
                loader_workers=0,
                device="cpu",
                cores=usable_cores(),
                pretrained="never",
                base_weights=None,
                weights_dir=str(folder),
                allow_downloads=False,
                checkpoint_dir=None if longest is None else str(folder / "kept"),
                checkpoint_seconds=longest or 0.0,
            )
            found[way] += await train(folder, given)
            for state in (folder / "kept").glob("*.pt"):
                size = state.stat().st_size
                state.unlink()
    cores, side = os.cpu_count(), arguments.image_size
    print(f"{platform.machine()}, {cores} cores, {arguments.images} images of {side} px")
    print(f"states of {size / 2**20:.0f} MiB, runs of {arguments.epochs} epochs")
    bare = found["without states"]
    for way, seconds in found.items():
        mean, middle = statistics.mean(seconds), statistics.median(seconds)
        print(
            f"an epoch {way}: {mean:.3f} s (mean), {middle:.3f} s (median); "
            f"ratio {mean / statistics.mean(bare):.3f}, {middle / statistics.median(bare):.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--images", type=int, default=80)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--image-size", type=int, default=160)
    with tempfile.TemporaryDirectory(prefix="annotateforge-") as folder:
        asyncio.run(measure(parser.parse_args(), Path(folder)))


if __name__ == "__main__":
    main()
