"""One training in two processes, here on the CPU over gloo, as it is on two GPUs over NCCL."""

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from annotateforge.api.trainer.v1.job_pb2 import Failure
from annotateforge.trainer.worker import interruption
from annotateforge.trainer.worker.child.launch import End, verdict
from annotateforge.trainer.worker.child.place import LOST_ANOTHER
from annotateforge.trainer.worker.interruption import Interrupted
from tests.unit.trainer_worker.children import order, run_child
from tests.unit.trainer_worker.test_child_training import check_classes, check_matrix, check_story
from tests.unit.trainer_worker.test_resuming import BEST, measured, resumed, tensors
from tests.unit.trainer_worker.tiny_datasets import write_dataset

TWO = "cpu,cpu"
FAULTS = Path(__file__).resolve().parents[2] / "chaos" / "faults"


def fault(**values: Any) -> dict[str, str]:
    """What has the processes fail; see the module in FAULTS."""
    return {"PYTHONPATH": str(FAULTS), "TEST_FAULT": json.dumps({"epoch": 1} | values)}


async def check_two(
    folder: Path, cache: Path, task: str, loader_workers: int, epochs: int, after: int
) -> None:
    """Train in two processes, twice, the second time from the state after an epoch, and compare."""
    write_dataset(folder / "data", task, train=14, val=4)
    given = order(
        folder,
        task,
        device=TWO,
        epochs=epochs,
        loader_workers=loader_workers,
        settings={} if task == "classify" else {"close_mosaic": 1},
        checkpoint_dir=str(folder / "scratch" / "kept"),
    )
    noted = folder / "noted"
    watched = fault(event="on_train_batch_start", kind="note", file=str(noted)) if task != "classify" else {}
    whole = await run_child(folder, cache, given, **watched)
    result = whole.found()
    check_story(whole, epochs)
    assert whole.checkpoints[-1] == epochs
    check_classes(task, result.class_metrics)
    check_matrix(task, result.confusion_matrix)
    assert len(list((folder / "scratch" / "run").rglob("best.pt"))) == 1
    if watched:
        check_shares(noted, epochs)
    again = await run_child(folder, cache, resumed(folder, given, after))
    assert again.found() == result
    assert measured(again) == {epoch: told for epoch, told in measured(whole).items() if epoch > after}
    assert tensors(folder / "scratch" / "again" / BEST) == tensors(folder / "scratch" / "run" / BEST)


def check_shares(noted: Path, epochs: int) -> None:
    """In each epoch each of 14 images is trained on once, half of them by each process."""
    seen: dict[int, Counter[str]] = {epoch: Counter() for epoch in range(1, epochs + 1)}
    for rank in (0, 1):
        of_rank = Counter[int]()
        for line in Path(f"{noted}{rank}").read_text().splitlines():
            epoch, images = json.loads(line)
            seen[epoch].update(images)
            of_rank[epoch] += len(images)
            assert len(images) <= 2, "a batch of 4 is shared"
        assert of_rank == dict.fromkeys(range(1, epochs + 1), 7)
    assert all(images == Counter(f"{number}.png" for number in range(14)) for images in seen.values())


# tests/chaos has the other tasks and epochs.
@pytest.mark.slow
async def test_two_processes_share_the_images_tell_one_story_and_go_on_exactly(
    tmp_path: Path, library_cache: Path
) -> None:
    await check_two(tmp_path, library_cache, "detect", 2, 3, 1)


def test_the_first_end_that_has_a_cause_of_its_own_explains_the_others() -> None:
    lost = End(0, LOST_ANOTHER)
    memory = End(1, 1, Failure(reason="OUT_OF_MEMORY"))
    killed = End(1, -signal.SIGKILL)
    assert verdict([lost, memory]) is memory
    assert verdict([lost, killed]) is killed
    assert verdict([memory, End(0, -signal.SIGABRT)]) is memory
    assert verdict([End(2, 0), lost]) is lost
    assert verdict([End(0, 0)]) == End(0, 0)


@pytest.mark.parametrize(
    ("batch_size", "devices", "smaller"), [(16, 2, 8), (6, 2, 2), (4, 2, 2), (9, 3, 3), (2, 1, 1)]
)
def test_after_memory_ran_out_each_device_has_half_of_its_images(
    batch_size: int, devices: int, smaller: int
) -> None:
    came = interruption.of_failure(Failure(reason="OUT_OF_MEMORY"), batch_size, devices)
    assert isinstance(came, Interrupted)
    assert came.batch_size == smaller
    assert came.batch_size % devices == 0
    assert f"{smaller} images from now on, not {batch_size}" in came.failure.message
    assert came.failure.hint.startswith("Nothing needs to be done.")


@pytest.mark.parametrize(("batch_size", "devices"), [(1, 1), (2, 2), (3, 2), (4, 4)])
def test_one_image_on_each_device_cannot_be_halved(batch_size: int, devices: int) -> None:
    failure = Failure(reason="OUT_OF_MEMORY")
    assert interruption.of_failure(failure, batch_size, devices) is failure


def test_the_devices_of_an_order_share_its_processors(tmp_path: Path) -> None:
    given = order(tmp_path, "detect", device="0,1", cores=9)
    assert (given.devices, given.on_cpu, given.cores_each) == (("0", "1"), False, 4)
    assert order(tmp_path, "detect", device=TWO).on_cpu
    assert order(tmp_path, "detect", device="0,1,2", cores=2).cores_each == 1
