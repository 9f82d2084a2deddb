"""Data sets on a worker's disk: what an unpacked archive is, with little to transfer and nothing spoilt."""

import asyncio
import errno
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sys
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from ultralytics.data.utils import check_image

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.annotation_pb2 import Annotation, Box
from annotateforge.api.dataset.v1.dataset_pb2 import Dataset, DatasetSpec
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.runtime.auth import Role
from annotateforge.runtime.channel import open_channel
from annotateforge.trainer.worker.datasets import DatasetCache
from tests.integration.dataset.calls import Sent, new_project, upload
from tests.integration.trainer_worker.folders import tree, unpacked
from tests.integration.trainer_worker.gate import gate_to
from tests.integration.trainer_worker.stack import TASKS, Stack, token
from tests.unit.trainer_worker.tiny_datasets import CLASSES

ROOMY = 10**12
STRIDE = 3
"""Steps between two at which a worker is killed."""


def noise(seed: int, side: int = 120) -> bytes:
    """A JPEG of about 10 KB."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "JPEG", quality=75)
    return target.getvalue()


def box(*edges: float) -> Annotation:
    x0, y0, x1, y1 = edges
    return Annotation(class_label="a", box=Box(x_min=x0, y_min=y0, x_max=x1, y_max=y1))


async def add(client: DatasetServiceStub, project_id: str, images: Iterable[tuple[str, bytes]]) -> list[str]:
    """Add images with a box each; their ids by name."""
    added = (await upload(client, project_id, [Sent(name, content) for name, content in images])).images
    for image in added:
        annotations = [box(10, 10, 60, 40), box(1, 2, 30, 40)]
        await client.SetAnnotations(api.SetAnnotationsRequest(image_id=image.id, annotations=annotations))
    return [image.id for image in sorted(added, key=lambda image: image.filename)]


async def freeze(client: DatasetServiceStub, project_id: str, **spec: Any) -> Dataset:
    wanted: dict[str, Any] = {"task_type": TASKS["detect"], "classes": ["a"], **spec}
    request = api.PrepareDatasetRequest(spec=DatasetSpec(project_ids=[project_id], **wanted))
    async for message in client.PrepareDataset(request):
        if message.HasField("dataset"):
            return message.dataset
    raise AssertionError("no data set came")


def silent(done: int, total: int) -> None:
    """Progress that nobody looks at."""


def blobs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("blobs/*/*")}


def transferred(progress: Sequence[tuple[int, int]]) -> int:
    return progress[-1][0] if progress else 0


@pytest.mark.slow
async def test_the_folder_is_what_the_archive_unpacks_to_for_every_task(
    stack: Stack, worker_dir: Path, tmp_path: Path
) -> None:
    project_id = await stack.project(images=15)
    cache = DatasetCache(worker_dir, ROOMY)
    images: set[bytes] = set()
    for task in TASKS:
        split = {"train_ratio": 0.6, "test_ratio": 0.2} if task == "segment" else {}
        dataset = await freeze(
            stack.dataset, project_id, task_type=TASKS[task], classes=[*CLASSES], split=split
        )
        folder = await cache.bring(dataset, stack.dataset, silent)
        expected = await unpacked(stack.dataset, dataset, tmp_path / task)
        assert tree(folder) == expected
        images |= {content for name, content in expected.items() if content and name.endswith(".png")}
    kept = [content for content in blobs(worker_dir).values() if content.startswith(b"\x89PNG")]
    # Each image once, whatever the number of data sets.
    assert sorted(kept) == sorted(images)


@pytest.mark.slow
async def test_one_changed_image_in_a_hundred_costs_less_than_two_percent_of_the_bytes(
    stack: Stack, worker_dir: Path, tmp_path: Path
) -> None:
    project_id = await new_project(stack.dataset)
    ids = await add(stack.dataset, project_id, ((f"{n:03}.jpg", noise(n)) for n in range(200)))
    worker = token(stack.secret, Role.WORKER)
    async with gate_to(stack.dataset_address) as gate, open_channel(gate.address, lambda: worker) as channel:
        service = DatasetServiceStub(channel)
        cache = DatasetCache(worker_dir, ROOMY)
        first = await freeze(stack.dataset, project_id)
        await cache.bring(first, service, silent)
        whole = gate.answered
        assert whole < 1.03 * first.archive_size_bytes
        for number in (17, 91):
            await stack.dataset.DeleteImage(api.DeleteImageRequest(image_id=ids[number]))
        await add(stack.dataset, project_id, ((f"new {n}.jpg", noise(1000 + n)) for n in range(2)))
        changed = await freeze(stack.dataset, project_id)
        folder = await cache.bring(changed, service, silent)
        assert gate.answered - whole < 0.02 * changed.archive_size_bytes
    assert tree(folder) == await unpacked(stack.dataset, changed, tmp_path / "unpacked")


@pytest.mark.slow
async def test_what_ultralytics_restores_or_anybody_writes_never_reaches_another_training(
    stack: Stack, worker_dir: Path
) -> None:
    project_id = await new_project(stack.dataset)
    # ultralytics saves JPEGs anew that do not end as they should.
    spoilt = noise(0) + b"\0\0"
    await add(
        stack.dataset, project_id, [("spoilt.jpg", spoilt), *((f"{n}.jpg", noise(n)) for n in (1, 2, 3))]
    )
    cache = DatasetCache(worker_dir, ROOMY)
    dataset = await freeze(stack.dataset, project_id)
    folder = await cache.bring(dataset, stack.dataset, silent)
    before, kept = tree(folder), blobs(worker_dir)
    paths = sorted(folder.glob("images/*/*.jpg"))
    restored = next(path for path in paths if path.read_bytes() == spoilt)
    assert "restored" in check_image(str(restored))[0]
    assert restored.read_bytes() != spoilt
    (folder / "labels" / "train.cache").write_bytes(b"of ultralytics")
    assert blobs(worker_dir) == kept

    progress: list[tuple[int, int]] = []
    await cache.bring(dataset, stack.dataset, lambda *at: progress.append(at))
    assert progress == []
    assert tree(folder) == before | {"labels/train.cache": b"of ultralytics"}

    # Nobody should write into an image, which is in other folders as well.
    victim = next(path for path in paths if path != restored)
    with victim.open("r+b") as file:
        file.seek(100)
        file.write(b"spoilt")
    label = next(folder.glob("labels/*/*.txt"))
    label.unlink()
    await cache.bring(dataset, stack.dataset, lambda *at: progress.append(at))
    assert transferred(progress) == victim.stat().st_size
    assert tree(folder) == before | {"labels/train.cache": b"of ultralytics"}
    assert blobs(worker_dir) == kept


@pytest.mark.slow
async def test_a_data_set_is_mended_under_a_training_and_what_is_complete_waits_for_no_download(
    stack: Stack, worker_dir: Path
) -> None:
    project_id = await new_project(stack.dataset)
    await add(stack.dataset, project_id, ((f"{n}.jpg", noise(n)) for n in range(3)))
    dataset = await freeze(stack.dataset, project_id)
    cache = DatasetCache(worker_dir, ROOMY)
    with cache.in_use(dataset.digest):
        folder = await cache.bring(dataset, stack.dataset, silent)
        before, mark = tree(folder), worker_dir / f"{dataset.digest}.complete"
        (folder / "labels" / "train.cache").write_bytes(b"of the training that runs")
        for lost in (None, mark):
            next(folder.glob("labels/*/*.txt")).unlink()
            if lost is not None:
                lost.unlink()
            with cache.in_use(dataset.digest):
                await cache.bring(dataset, stack.dataset, silent)
            assert tree(folder) == before | {"labels/train.cache": b"of the training that runs"}
            assert mark.exists()
        # A mending that fails leaves the mark, so that the next one mends as well.
        next(folder.glob("labels/*/*.txt")).unlink()
        cache._reset(folder)
        assert mark.exists()
        await cache.bring(dataset, stack.dataset, silent)
        async with asyncio.timeout(30), cache._bringing:
            # As while another slot downloads.
            await cache.bring(dataset, stack.dataset, silent)
    mark.unlink()
    await cache.bring(dataset, stack.dataset, silent)
    assert tree(folder) == before


@pytest.mark.slow
async def test_after_a_restart_of_the_machine_every_byte_is_looked_at(stack: Stack, worker_dir: Path) -> None:
    project_id = await new_project(stack.dataset)
    await add(stack.dataset, project_id, ((f"{n}.jpg", noise(n)) for n in range(6)))
    dataset = await freeze(stack.dataset, project_id)
    folder = await DatasetCache(worker_dir, ROOMY).bring(dataset, stack.dataset, silent)
    before, kept = tree(folder), blobs(worker_dir)
    # As a machine that crashed may leave files: in their size and time, without their bytes.
    label = next(folder.glob("labels/*/*.txt"))
    image = next(folder.glob("images/*/*.jpg"))
    for path in (label, image):
        found = path.stat()
        path.write_bytes(bytes(found.st_size))
        os.utime(path, ns=(found.st_mtime_ns, found.st_mtime_ns))
    (worker_dir / f"{dataset.digest}.complete").write_text("another start")
    (worker_dir / "incoming" / "half").write_bytes(b"half a blob")

    progress: list[tuple[int, int]] = []
    cache = DatasetCache(worker_dir, ROOMY)
    assert list((worker_dir / "incoming").iterdir()) == []
    await cache.bring(dataset, stack.dataset, lambda *at: progress.append(at))
    assert transferred(progress) == image.stat().st_size
    assert tree(folder) == before
    assert blobs(worker_dir) == kept


@pytest.mark.slow
async def test_a_file_system_without_hard_links_gets_copies(
    stack: Stack, worker_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    project_id = await new_project(stack.dataset)
    await add(stack.dataset, project_id, ((f"{n}.jpg", noise(n)) for n in range(4)))
    dataset = await freeze(stack.dataset, project_id)
    cache = DatasetCache(worker_dir, ROOMY)
    folder = await cache.bring(dataset, stack.dataset, silent)
    expected = await unpacked(stack.dataset, dataset, tmp_path / "unpacked")
    assert tree(folder) == expected
    assert {path.stat().st_nlink for path in folder.glob("images/*/*")} == {1}
    progress: list[tuple[int, int]] = []
    await cache.bring(dataset, stack.dataset, lambda *at: progress.append(at))
    assert progress == []


@pytest.mark.slow
async def test_a_cache_that_somebody_has_emptied_is_filled_again(
    stack: Stack, worker_dir: Path, tmp_path: Path
) -> None:
    project_id = await new_project(stack.dataset)
    await add(stack.dataset, project_id, ((f"{n}.jpg", noise(n)) for n in range(4)))
    dataset = await freeze(stack.dataset, project_id)
    cache = DatasetCache(worker_dir, ROOMY)
    await cache.bring(dataset, stack.dataset, silent)
    for entry in worker_dir.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    folder = await cache.bring(dataset, stack.dataset, silent)
    assert tree(folder) == await unpacked(stack.dataset, dataset, tmp_path / "unpacked")


@pytest.mark.slow
async def test_room_is_made_by_what_nobody_needs_and_then_by_what_was_not_used_lately(
    stack: Stack, worker_dir: Path
) -> None:
    shared = [(f"{n}.jpg", noise(n)) for n in range(6)]
    datasets, own = [], []
    for number in range(4):
        project_id = await new_project(stack.dataset, f"{number}")
        mine = [(f"own {n}.jpg", noise(100 * number + 50 + n)) for n in range(6)]
        await add(stack.dataset, project_id, [*shared, *mine])
        datasets.append(await freeze(stack.dataset, project_id))
        own.append({hashlib.sha256(content).hexdigest() for _, content in mine})
    common = {hashlib.sha256(content).hexdigest() for _, content in shared}
    one = datasets[0].archive_size_bytes
    # What is shared, and what two have alone: half of each is shared.
    cache = DatasetCache(worker_dir, int(1.8 * one))
    (worker_dir / "blobs" / "ab").mkdir(parents=True)
    loose = worker_dir / "blobs" / "ab" / ("ab" * 32)
    loose.write_bytes(bytes(one // 2))

    async def bring(number: int) -> int:
        progress: list[tuple[int, int]] = []
        folder = await cache.bring(datasets[number], stack.dataset, lambda *at: progress.append(at))
        # A second apart, whatever the clock of the file system counts.
        stamp = folder.stat().st_mtime + len(used)
        os.utime(folder, (stamp, stamp))
        used.append(number)
        return transferred(progress)

    def kept() -> set[int]:
        return {n for n, dataset in enumerate(datasets) if (worker_dir / dataset.digest).is_dir()}

    used: list[int] = []
    await bring(0)
    assert loose.exists()
    await bring(1)
    assert not loose.exists()
    assert kept() == {0, 1}
    assert await bring(0) == 0
    # 1 was used least lately, and what is shared is not brought again.
    assert await bring(2) < 0.6 * one
    assert kept() == {0, 2}
    assert blobs(worker_dir).keys() >= common | own[0] | own[2]
    assert blobs(worker_dir).keys().isdisjoint(own[1])
    # One that is larger than what is allowed has everything for itself.
    small = DatasetCache(worker_dir, one // 2)
    await small.bring(datasets[3], stack.dataset, silent)
    assert kept() == {3}
    assert blobs(worker_dir).keys() >= common | own[3]
    assert blobs(worker_dir).keys().isdisjoint(own[0] | own[2])


@pytest.mark.slow
async def test_labels_that_only_seem_to_be_known_are_brought(
    stack: Stack, worker_dir: Path, tmp_path: Path
) -> None:
    project_id = await new_project(stack.dataset)
    side = 1000
    (image_id, *_) = await add(stack.dataset, project_id, [("a.jpg", noise(1, side)), ("b.jpg", noise(2))])
    one, other = boxes_of_equal_checksums(side)
    cache = DatasetCache(worker_dir, ROOMY)
    texts: list[dict[str, bytes]] = []
    for edges in (one, other):
        request = api.SetAnnotationsRequest(image_id=image_id, annotations=[box(*edges)])
        await stack.dataset.SetAnnotations(request)
        dataset = await freeze(stack.dataset, project_id)
        folder = await cache.bring(dataset, stack.dataset, silent)
        expected = await unpacked(stack.dataset, dataset, tmp_path / dataset.digest)
        assert tree(folder) == expected
        texts.append({name: text for name, text in expected.items() if text and name.endswith(".txt")})
    assert texts[0] != texts[1]
    checksums = [{name: (len(text), zlib.crc32(text)) for name, text in each.items()} for each in texts]
    assert checksums[0] == checksums[1]


@pytest.mark.slow
async def test_a_worker_that_is_killed_at_any_step_leaves_nothing_half_that_is_used(
    stack: Stack, tmp_path: Path
) -> None:
    datasets = []
    for number in range(2):
        project_id = await new_project(stack.dataset, f"{number}")
        mine = ((f"own {n}.jpg", noise(100 * number + 50 + n)) for n in range(4))
        await add(stack.dataset, project_id, [*((f"{n}.jpg", noise(n)) for n in range(3)), *mine])
        datasets.append(await freeze(stack.dataset, project_id))
    expected = await unpacked(stack.dataset, datasets[1], tmp_path / "unpacked")
    told = {
        "address": stack.dataset_address,
        "token": token(stack.secret, Role.WORKER),
        "folder": str(tmp_path / "rounds"),
        "one": datasets[0].SerializeToString().hex(),
        "other": datasets[1].SerializeToString().hex(),
        # Room for one of them.
        "most_bytes": int(1.2 * datasets[0].archive_size_bytes),
        # Each run tries other steps.
        "first": random.randrange(1, STRIDE + 1),
        "stride": STRIDE,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.trainer_worker.dying_bring"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(300):
        output, _ = await process.communicate(json.dumps(told).encode())
    rounds = [json.loads(line) for line in output.splitlines()]
    # There are some sixty steps; far fewer would be a fetch that does nothing.
    assert len(rounds) > 45 // STRIDE
    for number, each in enumerate(rounds):
        died = -signal.SIGKILL if number < len(rounds) - 1 else 0
        assert each == {"step": each["step"], "codes": [0, died, 0], "wrong": [], "left": []}
        root = tmp_path / "rounds" / f"{each['step']}"
        assert tree(root / datasets[1].digest) == expected
        assert not (root / datasets[0].digest).exists()


def boxes_of_equal_checksums(side: int) -> tuple[Sequence[float], Sequence[float]]:
    """Two boxes whose label lines are of one length and have the same CRC-32."""
    dice = random.Random(5)
    seen: dict[int, tuple[int, int, int, int]] = {}
    while True:
        # Whole pixels of an image of 1,000, and centres that are whole too: seven decimals hold them exactly.
        x, y = (dice.randrange(200, side - 200) for _ in range(2))
        width, height = (2 * dice.randrange(1, 100) for _ in range(2))
        numbers = " ".join(f"{value / side:.7f}" for value in (x, y, width, height))
        edges = (x - width // 2, y - height // 2, x + width // 2, y + height // 2)
        other = seen.setdefault(zlib.crc32(f"0 {numbers}\n".encode()), edges)
        if other != edges:
            return other, edges
