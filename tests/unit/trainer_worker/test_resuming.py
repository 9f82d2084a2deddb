"""A training that is interrupted after an epoch and resumed is the undisturbed one, to the last digit."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from annotateforge.trainer.worker.order import TrainingOrder
from tests.unit.trainer_worker.children import Told, order, run_child
from tests.unit.trainer_worker.tiny_datasets import write_dataset


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


# With 13 epochs mosaics are made in the first 3, since the last 10 go without: after 2 the training goes on
# in an epoch with mosaics, and closes them afterwards.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "loader_workers", "epochs", "after"),
    [
        ("classify", 0, 3, 1),
        ("classify", 2, 3, 2),
        ("detect", 0, 13, 2),
        ("detect", 2, 13, 2),
        ("segment", 0, 3, 2),
        ("segment", 2, 3, 1),
    ],
)
async def test_a_resumed_training_is_the_undisturbed_one(
    task: str, loader_workers: int, epochs: int, after: int, tmp_path: Path, library_cache: Path
) -> None:
    write_dataset(tmp_path / "data", task, train=13, val=5)
    given = order(
        tmp_path,
        task,
        epochs=epochs,
        loader_workers=loader_workers,
        checkpoint_dir=str(tmp_path / "scratch" / "kept"),
    )
    whole = await run_child(tmp_path, library_cache, given)
    result = whole.trained()
    again = await run_child(tmp_path, library_cache, resumed(tmp_path, given, after))
    assert again.trained() == result
    assert measured(again) == {epoch: told for epoch, told in measured(whole).items() if epoch > after}
    assert [epoch.epoch for epoch in again.epochs()] == list(range(after + 1, epochs + 1))
    scratch = tmp_path / "scratch"
    best = "weights/best.pt"
    assert tensors(scratch / "again" / best) == tensors(scratch / "run" / best)


@pytest.mark.slow
async def test_a_training_that_was_done_is_only_evaluated(tmp_path: Path, library_cache: Path) -> None:
    write_dataset(tmp_path / "data", "classify")
    given = order(tmp_path, "classify", epochs=1, checkpoint_dir=str(tmp_path / "scratch" / "kept"))
    result = (await run_child(tmp_path, library_cache, given)).trained()
    again = await run_child(tmp_path, library_cache, resumed(tmp_path, given, 1))
    assert again.trained() == result
    assert again.kinds() == ["training_started"]


@pytest.mark.slow
async def test_the_state_of_another_training_is_refused(tmp_path: Path, library_cache: Path) -> None:
    write_dataset(tmp_path / "data", "classify")
    given = order(tmp_path, "classify", epochs=1, checkpoint_dir=str(tmp_path / "scratch" / "kept"))
    (await run_child(tmp_path, library_cache, given)).trained()
    again = await run_child(tmp_path, library_cache, resumed(tmp_path, given, 1, image_size=96, seed=3))
    assert again.failure is not None
    assert again.failure.reason == "CHECKPOINT_REFUSED", again.output
    assert "image_size, seed" in again.failure.message
