"""Children that cannot do what they are told, and children that are killed."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from annotateforge.api.trainer.v1.worker_service_pb2 import Report
from annotateforge.trainer.worker.failures import of_ended_child
from annotateforge.trainer.worker.order import TrainingOrder
from tests.unit.trainer_worker.children import listen, order, run_child, started_child
from tests.unit.trainer_worker.tiny_datasets import write_dataset

LONG = 1000


@pytest.mark.slow
async def test_required_weights_that_are_not_there_are_a_failure(tmp_path: Path, library_cache: Path) -> None:
    write_dataset(tmp_path / "data", "detect")
    told = await run_child(tmp_path, library_cache, order(tmp_path, "detect", pretrained="required"))
    assert told.exit_code == 1
    assert told.failure is not None
    assert told.failure.reason == "WEIGHTS_UNAVAILABLE"
    assert "yolov8n.pt" in told.failure.message
    assert told.failure.hint


@pytest.mark.slow
async def test_a_data_set_without_images_is_a_failure_that_says_so(
    tmp_path: Path, library_cache: Path
) -> None:
    data = write_dataset(tmp_path / "data", "detect")
    for image in (data / "images" / "val").iterdir():
        image.write_bytes(b"no image")
    told = await run_child(tmp_path, library_cache, order(tmp_path, "detect"))
    assert told.failure is not None
    assert told.failure.reason == "DATASET_INVALID", told.output


@pytest.mark.slow
async def test_a_device_that_is_not_there_is_a_failure(tmp_path: Path, library_cache: Path) -> None:
    write_dataset(tmp_path / "data", "detect")
    told = await run_child(tmp_path, library_cache, order(tmp_path, "detect", device="99"))
    assert told.failure is not None
    assert told.failure.reason == "DEVICE_UNAVAILABLE", told.output


@pytest.mark.slow
async def test_a_single_image_in_the_last_batch_at_32_pixels_is_a_failure_that_says_so(
    tmp_path: Path, library_cache: Path
) -> None:
    write_dataset(tmp_path / "data", "detect", train=5)
    told = await run_child(tmp_path, library_cache, order(tmp_path, "detect", image_size=32))
    assert told.failure is not None
    assert told.failure.reason == "BATCH_TOO_SMALL", told.output


@pytest.mark.slow
async def test_a_full_disk_is_a_failure_that_says_so(tmp_path: Path, library_cache: Path) -> None:
    write_dataset(tmp_path / "data", "classify")
    # /dev/full answers every write with ENOSPC, as a full disk does.
    weights = tmp_path / "scratch" / "run" / "weights"
    weights.mkdir(parents=True)
    (weights / "last.pt").symlink_to("/dev/full")
    # The log is on that disk, too.
    (tmp_path / "child.log").symlink_to("/dev/full")
    told = await run_child(tmp_path, library_cache, order(tmp_path, "classify", epochs=1))
    assert told.failure is not None
    assert told.failure.reason == "DISK_FULL", told.output


@pytest.mark.slow
async def test_too_little_memory_is_a_failure_that_says_so(tmp_path: Path, library_cache: Path) -> None:
    write_dataset(tmp_path / "data", "detect")
    # A batch of images of this size would take 12 TB.
    told = await run_child(tmp_path, library_cache, order(tmp_path, "detect", image_size=524288, epochs=1))
    assert told.failure is not None
    assert told.failure.reason == "OUT_OF_MEMORY", told.output


@pytest.mark.slow
async def test_an_order_that_makes_no_sense_ends_the_child_at_once_and_says_so(
    tmp_path: Path, library_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = b'{"task": "detect", "a_setting_of_tomorrow": 1}\n'
    monkeypatch.setattr(TrainingOrder, "to_json", lambda _: line)
    async with asyncio.timeout(60):
        told = await run_child(tmp_path, library_cache, order(tmp_path, "detect"))
    assert told.exit_code == 1
    assert told.failure is not None
    assert told.failure.reason == "ORDER_INVALID"
    assert told.failure.hint


BROKEN_WEIGHTS = """
import sys
from ultralytics import YOLO
model = YOLO("yolov8n-cls.yaml")
next(model.model.parameters()).data[:] = float("nan")
model.save(sys.argv[1])
"""


def broken_weights(folder: Path) -> Path:
    path = folder / "nan.pt"
    subprocess.run(
        [sys.executable, "-c", BROKEN_WEIGHTS, str(path)],
        env=os.environ | {"YOLO_CONFIG_DIR": str(folder), "YOLO_OFFLINE": "true"},
        cwd=folder,
        timeout=120,
        check=True,
    )
    return path


@pytest.mark.slow
async def test_a_loss_that_is_never_a_number_is_a_failure_and_its_values_are_left_out(
    tmp_path: Path, library_cache: Path
) -> None:
    write_dataset(tmp_path / "data", "classify")
    weights = broken_weights(tmp_path)
    told = await run_child(
        tmp_path, library_cache, order(tmp_path, "classify", base_weights=str(weights), epochs=1)
    )
    assert told.failure is not None
    assert told.failure.reason == "LOSS_DIVERGED", told.output
    assert told.warnings() == ["NON_FINITE_METRIC"]
    (epoch,) = told.epochs()
    assert not epoch.HasField("train_loss")
    assert dict(epoch.train_losses) == {}


@pytest.mark.slow
async def test_a_child_is_stopped_in_the_middle_of_an_epoch_within_a_second(
    tmp_path: Path, library_cache: Path
) -> None:
    write_dataset(tmp_path / "data", "classify")
    async with started_child(tmp_path, library_cache) as child:
        training = asyncio.Event()

        def on_report(report: Report) -> None:
            if report.HasField("epoch_start"):
                training.set()

        await child.give(order(tmp_path, "classify", epochs=LONG, loader_workers=2))
        hearing = asyncio.create_task(listen(child, on_report))
        async with asyncio.timeout(60):
            await training.wait()
        before = time.monotonic()
        await child.stop()
        assert time.monotonic() - before < 1
        told = await hearing
    assert told.exit_code == -signal.SIGTERM
    assert not group_members(child.pid)


@pytest.mark.slow
async def test_a_killed_child_is_told_from_one_that_failed(tmp_path: Path, library_cache: Path) -> None:
    write_dataset(tmp_path / "data", "classify")
    async with started_child(tmp_path, library_cache) as child:

        def on_report(report: Report) -> None:
            if report.HasField("epoch_start"):
                os.kill(child.pid, signal.SIGKILL)

        await child.give(order(tmp_path, "classify", epochs=LONG))
        told = await listen(child, on_report)
    assert told.failure is None
    assert told.exit_code is not None
    failure = of_ended_child(told.exit_code)
    assert failure.reason == "OUT_OF_MEMORY"
    assert "SIGKILL" in failure.message


PARENT = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = [{root!r}]
from tests.unit.trainer_worker.children import started_child, order

async def main():
    folder = Path({folder!r})
    async with started_child(folder, folder) as child:
        await child.give(order(folder, "classify", epochs=1000))
        async for _ in child.frames():
            print(child.pid, flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_a_child_dies_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", "classify")
    root = str(Path(__file__).resolve().parents[3])
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT.format(root=root, folder=str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    async with asyncio.timeout(60):
        child = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(10):
        while group_members(child):
            await asyncio.sleep(0.01)


def group_members(group: int) -> list[int]:
    """Processes of a process group that are alive."""
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, pgrp = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(pgrp) == group and state not in "ZX":
                members.append(int(entry.name))
    return members
