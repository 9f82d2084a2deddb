"""A training that is interrupted after an epoch and resumed is the undisturbed one, to the last digit."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from annotateforge.trainer.worker.environment import child_environment
from annotateforge.trainer.worker.order import TrainingOrder
from tests.unit.trainer_worker.children import CORES, Told, order, run_child
from tests.unit.trainer_worker.tiny_datasets import write_dataset

BEST = "weights/best.pt"


def tensors(weights: Path) -> dict[str, str]:
    """SHA-256 of every tensor of a model file."""
    model = torch.load(weights, map_location="cpu", weights_only=False)["model"]
    return {
        name: hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest()
        for name, value in model.state_dict().items()
    }


def measured(told: Told) -> dict[int, Any]:
    return {
        epoch.epoch: (
            dict(epoch.metrics),
            dict(epoch.train_losses),
            dict(epoch.val_losses),
            epoch.learning_rate,
            epoch.best,
        )
        for epoch in told.epochs()
    }


def resumed(folder: Path, given: TrainingOrder, after: int, **changes: Any) -> TrainingOrder:
    """The order that goes on after an epoch, in another run folder."""
    return TrainingOrder(
        **{
            **vars(given),
            "run_dir": str(folder / "scratch" / "again"),
            "checkpoint_dir": str(folder / "scratch" / "later"),
            "resume_from": str(folder / "scratch" / "kept" / f"{after:06d}.pt"),
        }
        | changes
    )


async def check_exactness(
    folder: Path, cache: Path, task: str, loader_workers: int, epochs: int, after: int
) -> None:
    """Train twice, the second time from the state after an epoch, and compare all that can be."""
    write_dataset(folder / "data", task, train=13, val=5)
    kept = str(folder / "scratch" / "kept")
    given = order(folder, task, epochs=epochs, loader_workers=loader_workers, checkpoint_dir=kept)
    whole = await run_child(folder, cache, given)
    result = whole.found()
    again = await run_child(folder, cache, resumed(folder, given, after))
    assert again.found() == result
    assert measured(again) == {epoch: told for epoch, told in measured(whole).items() if epoch > after}
    assert [epoch.epoch for epoch in again.epochs()] == list(range(after + 1, epochs + 1))
    scratch = folder / "scratch"
    assert tensors(scratch / "again" / BEST) == tensors(scratch / "run" / BEST)


# With 13 epochs mosaics are made in the first 3, since the last 10 go without: after 2 the training goes on
# in an epoch with mosaics, and closes them afterwards. tests/chaos has the other combinations.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "loader_workers", "epochs", "after"),
    [("classify", 0, 2, 1), ("detect", 2, 13, 2)],
)
async def test_a_resumed_training_is_the_undisturbed_one(
    task: str, loader_workers: int, epochs: int, after: int, tmp_path: Path, library_cache: Path
) -> None:
    await check_exactness(tmp_path, library_cache, task, loader_workers, epochs, after)


BARE = """
import json, sys
import torch
from ultralytics import YOLO
given, threads = json.loads(sys.argv[1]), int(sys.argv[2])
model = YOLO(given.pop("model"))
workers = given["workers"]
def loaders(trainer):
    trainer.args.workers = workers
def cores(_):
    torch.set_num_threads(threads)
model.add_callback("on_pretrain_routine_start", loaders)
model.add_callback("on_train_start", cores)
model.add_callback("on_val_start", cores)
model.train(**given)
"""


@pytest.mark.slow
async def test_keeping_states_leaves_the_training_the_bare_one(tmp_path: Path, library_cache: Path) -> None:
    write_dataset(tmp_path / "data", "detect", train=13, val=5)
    given = order(tmp_path, "detect", loader_workers=2, checkpoint_dir=str(tmp_path / "scratch" / "kept"))
    told = await run_child(tmp_path, library_cache, given)
    told.trained()
    arguments = {
        "model": "yolov8n.yaml",
        "pretrained": False,
        "data": str(tmp_path / "data" / "data.yaml"),
        "project": str(tmp_path),
        "name": "bare",
        "epochs": 2,
        "batch": 4,
        "imgsz": 64,
        "optimizer": "AdamW",
        "lr0": 0.002,
        "seed": 0,
        "deterministic": True,
        "device": "cpu",
        "workers": 2,
    }
    environment = child_environment(os.environ, tmp_path / "scratch", library_cache, CORES)
    command = [sys.executable, "-c", BARE, json.dumps(arguments), str(CORES)]
    await asyncio.to_thread(subprocess.run, command, env=environment, cwd=tmp_path, timeout=120, check=True)
    assert tensors(tmp_path / "bare" / BEST) == tensors(tmp_path / "scratch" / "run" / BEST)


@pytest.mark.slow
async def test_a_training_that_was_done_is_only_evaluated_and_that_of_another_one_refused(
    tmp_path: Path, library_cache: Path
) -> None:
    write_dataset(tmp_path / "data", "classify")
    given = order(tmp_path, "classify", epochs=1, checkpoint_dir=str(tmp_path / "scratch" / "kept"))
    first = await run_child(tmp_path, library_cache, given)
    so_far = first.trained().training_seconds
    again = await run_child(tmp_path, library_cache, resumed(tmp_path, given, 1, trained_seconds=so_far))
    assert again.found() == first.found()
    assert again.trained().training_seconds > so_far > 0
    assert again.kinds() == ["training_started"]

    other = await run_child(tmp_path, library_cache, resumed(tmp_path, given, 1, image_size=96, seed=3))
    assert other.failure is not None
    assert other.failure.reason == "CHECKPOINT_REFUSED", other.output
    assert "image_size, seed" in other.failure.message


@pytest.mark.slow
async def test_an_attempt_whose_time_former_ones_have_used_up_is_only_evaluated(
    tmp_path: Path, library_cache: Path
) -> None:
    write_dataset(tmp_path / "data", "classify")
    given = order(
        *(tmp_path, "classify"), trained_seconds=50.0, checkpoint_dir=str(tmp_path / "scratch" / "kept")
    )
    first, second = (await run_child(tmp_path, library_cache, given)).epochs()
    assert 50 < first.training_seconds < second.training_seconds
    late = resumed(tmp_path, given, 1, max_hours=1.0, trained_seconds=3600.0)
    told = await run_child(tmp_path, library_cache, late)
    assert told.trained().epochs_trained == 1
    assert told.trained().training_seconds > 3600
    assert told.epochs() == []
    assert told.warnings() == ["TIME_LIMIT_REACHED"]
    assert told.trained().metrics
