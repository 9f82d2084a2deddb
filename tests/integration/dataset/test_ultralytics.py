"""ultralytics takes the archives as they are, and finds in them what was annotated."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.dataset.v1.image_pb2 import Image
from tests.integration.dataset.calls import Sent, new_project, upload
from tests.integration.dataset.specs import (
    CLASSIFY,
    SEGMENT,
    annotate,
    archive,
    box,
    polygon,
    prepare,
    spec_of,
)
from tests.unit.dataset.archives import encoded

IMAGES = 12
WIDTH, HEIGHT = 64, 48


@pytest.fixture(autouse=True)
def settings_of_ultralytics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ultralytics keeps its settings to itself and asks the network for nothing."""
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    monkeypatch.setenv("YOLO_VERBOSE", "false")


async def unpacked(client: DatasetServiceStub, dataset: dataset_pb2.Dataset, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(await archive(client, dataset.id))) as opened:
        opened.extractall(folder / "unpacked")
    return folder / "unpacked"


async def sent(client: DatasetServiceStub, project_id: str) -> Sequence[Image]:
    """Images, one of them in each encoding."""
    kinds = ["PNG", "JPEG", "BMP", "TIFF", "WEBP"]
    contents = [encoded(kinds[number % 5], WIDTH, HEIGHT) for number in range(IMAGES)]
    images = [Sent(str(number), content) for number, content in enumerate(contents)]
    return (await upload(client, project_id, images)).images


def loaded(folder: Path, task: str) -> dict[str, list[dict[str, Any]]]:
    """What ultralytics makes of both sides."""
    from ultralytics.cfg import get_cfg
    from ultralytics.data.build import build_yolo_dataset
    from ultralytics.data.utils import check_det_dataset

    data = check_det_dataset(str(folder / "data.yaml"), autodownload=False)
    assert data["names"] == {0: "red", 1: "blue"}
    sides = {}
    for side in ("train", "val"):
        cfg = get_cfg(overrides={"task": task, "imgsz": 64, "data": str(folder / "data.yaml")})
        dataset = build_yolo_dataset(cfg, data[side], batch=2, data=data, mode="val")
        sides[side] = dataset.labels
    return sides


async def test_detect_labels_are_read_to_the_last_one(editor: DatasetServiceStub, tmp_path: Path) -> None:
    project_id = await new_project(editor)
    drawn = {}
    for number, image in enumerate(await sent(editor, project_id)):
        boxes = [
            box("red", number, 1, number + 10, 11),
            box("blue", -5, 20, 15, 60),
            box("red", number, 1, number + 10, 11),
        ]
        await annotate(editor, image, boxes)
        drawn[image.sha256[:16]] = number
    dataset = await prepare(editor, spec_of(project_id))
    sides = loaded(await unpacked(editor, dataset, tmp_path), "detect")
    assert {side: len(labels) for side, labels in sides.items()} == {"train": 10, "val": 2}
    for label in [*sides["train"], *sides["val"]]:
        number = drawn[Path(label["im_file"]).stem]
        found = sorted(zip(label["cls"].ravel().tolist(), label["bboxes"].tolist(), strict=True))
        assert label["shape"] == (HEIGHT, WIDTH)
        expected = [
            (0.0, [(number + 5) / WIDTH, 6 / HEIGHT, 10 / WIDTH, 10 / HEIGHT]),
            (1.0, [7.5 / WIDTH, 34 / HEIGHT, 15 / WIDTH, 28 / HEIGHT]),
        ]
        assert [class_id for class_id, _ in found] == [class_id for class_id, _ in expected]
        assert np.allclose([edges for _, edges in found], [edges for _, edges in expected], atol=1e-6)


async def test_segments_are_read_with_all_their_corners(editor: DatasetServiceStub, tmp_path: Path) -> None:
    project_id = await new_project(editor)
    for image in await sent(editor, project_id):
        triangle = polygon("red", (1, 1), (20, 1), (10, 30))
        clipped = polygon("blue", (50, 10), (80, 10), (80, 30), (50, 30))
        await annotate(editor, image, [triangle, clipped, triangle, polygon("red", (1, 1), (5, 5), (9, 9))])
    dataset = await prepare(editor, spec_of(project_id, task=SEGMENT))
    skipped = {each.reason: each.count for each in dataset.skipped}
    assert skipped == {"DUPLICATE_ANNOTATION": IMAGES, "NO_AREA": IMAGES}
    sides = loaded(await unpacked(editor, dataset, tmp_path), "segment")
    assert sum(map(len, sides.values())) == IMAGES
    for label in [*sides["train"], *sides["val"]]:
        assert sorted(label["cls"].ravel().tolist()) == [0, 1]
        corners = {
            int(class_id): sorted((segment * [WIDTH, HEIGHT]).round(3).tolist())
            for class_id, segment in zip(label["cls"].ravel(), label["segments"], strict=True)
        }
        assert corners[0] == [[1, 1], [10, 30], [20, 1]]
        assert corners[1] == [[50, 10], [50, 30], [64, 10], [64, 30]]


async def test_classes_are_numbered_by_their_position(editor: DatasetServiceStub, tmp_path: Path) -> None:
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import ClassificationDataset
    from ultralytics.data.utils import check_cls_dataset

    classes = ["zebra", "ant", "only one"]
    project_id = await new_project(editor)
    for label in classes[:2]:
        contents = [encoded("PNG", WIDTH, HEIGHT) for _ in range(10)]
        await upload(editor, project_id, [Sent(f"{label}/{n}", c, label) for n, c in enumerate(contents)])
    await upload(editor, project_id, [Sent("one", encoded("WEBP", WIDTH, HEIGHT), "only one")])
    dataset = await prepare(editor, spec_of(project_id, task=CLASSIFY, classes=classes))
    folder = await unpacked(editor, dataset, tmp_path)
    data = check_cls_dataset(str(folder))
    names = yaml.safe_load((folder / "data.yaml").read_text())["names"]
    assert names == dict(enumerate(classes))
    assert data["names"] == {0: "000-zebra", 1: "001-ant", 2: "002-only_one"}
    counts = {}
    for side in ("train", "val"):
        cfg = get_cfg(overrides={"task": "classify", "imgsz": 32})
        samples = ClassificationDataset(root=data[side], args=cfg, names=data["names"]).samples
        counts[side] = [sum(sample[1] == class_id for sample in samples) for class_id in range(3)]
    assert counts["train"][:2] == [8, 8]
    assert [sum(pair) for pair in zip(*counts.values(), strict=True)] == [10, 10, 1]
