"""What only real GPUs show; skipped where there are none."""

import os
from pathlib import Path

import pytest
import torch

from annotateforge.local.devices import found_gpus
from tests.unit.trainer_worker.children import order, run_child
from tests.unit.trainer_worker.test_child_training import check_classes, check_matrix, check_story
from tests.unit.trainer_worker.test_resuming import resumed
from tests.unit.trainer_worker.test_several_devices import fault
from tests.unit.trainer_worker.tiny_datasets import write_dataset

GPUS = found_gpus(os.environ)
one_gpu = pytest.mark.skipif(len(GPUS) < 1, reason="needs a CUDA device, and nvidia-smi finds none")
two_gpus = pytest.mark.skipif(
    len(GPUS) < 2, reason=f"needs two CUDA devices, and nvidia-smi finds {len(GPUS)}"
)


@pytest.mark.gpu
@pytest.mark.slow
@one_gpu
async def test_mixed_precision_is_used_and_its_state_is_kept(tmp_path: Path, library_cache: Path) -> None:
    write_dataset(tmp_path / "data", "detect")
    kept = tmp_path / "scratch" / "kept"
    told = await run_child(
        tmp_path, library_cache, order(tmp_path, "detect", device="0", checkpoint_dir=str(kept))
    )
    told.trained()
    check_story(told, 2)
    assert all(epoch.gpu_memory_bytes > 0 for epoch in told.epochs())
    state = torch.load(kept / "000002.pt", map_location="cpu", weights_only=True)
    # Of a scaler that is off there is no state.
    assert state["scaler"]
    assert state["cuda"]


@pytest.mark.gpu
@pytest.mark.slow
@one_gpu
async def test_memory_of_a_gpu_that_runs_out_has_its_name(tmp_path: Path, library_cache: Path) -> None:
    write_dataset(tmp_path / "data", "detect", train=16)
    # Hundreds of GB.
    given = order(
        tmp_path, "detect", device="0", architecture="yolov8x", image_size=4096, batch_size=16, epochs=1
    )
    told = await run_child(tmp_path, library_cache, given)
    assert told.failure is not None, told.output
    assert told.failure.reason == "OUT_OF_MEMORY", told.output


@pytest.mark.gpu
@pytest.mark.slow
@two_gpus
@pytest.mark.parametrize("task", ["classify", "detect", "segment"])
async def test_two_gpus_train_one_model_and_go_on(task: str, tmp_path: Path, library_cache: Path) -> None:
    write_dataset(tmp_path / "data", task, train=14, val=4)
    kept = str(tmp_path / "scratch" / "kept")
    given = order(tmp_path, task, device="0,1", epochs=4, loader_workers=2, checkpoint_dir=kept)
    told = await run_child(tmp_path, library_cache, given)
    result = told.trained()
    check_story(told, 4)
    check_classes(task, result.class_metrics)
    check_matrix(task, result.confusion_matrix)
    again = await run_child(tmp_path, library_cache, resumed(tmp_path, given, 2))
    again.trained()
    assert [epoch.epoch for epoch in again.epochs()] == [3, 4]
    assert "RESUME_NOT_CONTINUOUS" not in again.warnings()


@pytest.mark.gpu
@pytest.mark.slow
@two_gpus
async def test_memory_that_the_second_gpu_lacks_ends_both(tmp_path: Path, library_cache: Path) -> None:
    write_dataset(tmp_path / "data", "detect")
    lacking = fault(event="on_train_batch_end", rank=1, kind="cuda")
    told = await run_child(tmp_path, library_cache, order(tmp_path, "detect", device="0,1"), **lacking)
    assert told.failure is not None, told.output
    assert told.failure.reason == "OUT_OF_MEMORY", told.output
