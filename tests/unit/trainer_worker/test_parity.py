"""A job's model is exactly the model of a bare ultralytics run: each epoch's metrics, every weight."""

import asyncio
import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainer_worker.children import CORES, order, run_child
from tests.unit.trainer_worker.tiny_datasets import write_dataset

# What anybody would write, in an interpreter that cannot see this project; then it compares its model with
# the one that it is told of. Ultralytics takes all cores but one for its threads, and results depend on their
# number.
BARE = """
import json, sys
sys.modules["annotateforge"] = None
import torch
from ultralytics import YOLO
from ultralytics.nn.tasks import load_checkpoint
model, cores, arguments = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
yolo = YOLO(model)
for event in ("on_train_start", "on_val_start"):
    yolo.add_callback(event, lambda _: torch.set_num_threads(cores))
yolo.train(**arguments)
files = sys.stdin.readline().strip(), yolo.trainer.best
one, two = (load_checkpoint(file)[0].float().state_dict() for file in files)
assert one.keys() == two.keys()
different = [name for name in one if not torch.equal(one[name], two[name])]
print(json.dumps({"tensors": len(one), "different": different}))
"""
CASES = {
    "detect": ("yolo26n", "yolo26n.yaml"),
    "segment": ("yolo11n", "yolo11n-seg.yaml"),
    "classify": ("yolov8n", "yolov8n-cls.yaml"),
}
EPOCHS = 2


async def run_bare(configuration: str, folder: Path, arguments: dict[str, Any], other: Path) -> Any:
    """Train in a process of its own, and answer how its best.pt compares with `other`, once that is there."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", BARE, configuration, str(CORES), json.dumps(arguments)),
        cwd=folder,
        env={"YOLO_CONFIG_DIR": str(folder), "YOLO_OFFLINE": "true", "PATH": "/usr/bin:/bin"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(180):
            output, _ = await process.communicate(f"{other}\n".encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode()
    assert process.returncode == 0, text
    return json.loads(text.splitlines()[-1])


def results(run_dir: Path) -> list[dict[str, str]]:
    """The epochs of results.csv without their times."""
    with (run_dir / "results.csv").open() as file:
        return [{name: row[name] for name in row if name.strip() != "time"} for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.parametrize("task", CASES)
async def test_a_job_trains_exactly_what_bare_ultralytics_trains(
    task: str, tmp_path: Path, library_cache: Path
) -> None:
    architecture, configuration = CASES[task]
    data = write_dataset(tmp_path / "data", task)
    given = order(
        tmp_path,
        task,
        architecture=architecture,
        epochs=EPOCHS,
        seed=5,
        settings={"mosaic": 0.5, "fliplr": 0.25} if task != "classify" else {"erasing": 0.1},
    )
    bare = tmp_path / "bare"
    bare.mkdir()
    arguments: dict[str, Any] = {
        "data": str(data if task == "classify" else data / "data.yaml"),
        "project": str(bare),
        "name": "run",
        "epochs": EPOCHS,
        "batch": given.batch_size,
        "imgsz": given.image_size,
        "optimizer": given.optimizer,
        "lr0": given.learning_rate,
        "seed": given.seed,
        "device": "cpu",
        "pretrained": False,
        **given.settings,
    }
    ours, theirs = tmp_path / "scratch" / "run", bare / "run"
    told = await run_child(tmp_path, library_cache, given)
    told.trained()
    compared = await run_bare(configuration, bare, arguments, ours / "weights" / "best.pt")

    assert len(results(ours)) == EPOCHS
    assert results(ours) == results(theirs)
    assert compared["tensors"] > 50
    assert compared["different"] == []
