"""ultralytics NDJSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from annotateforge.dataset.annotations import AnnotationType
from tests.unit.dataset.archives import Files, png, read_archive, zipped

HEADER = {"type": "dataset", "task": "detect", "name": "x", "class_names": {"0": "cell", "1": "dust"}}


def image(file: str = "a.png", **annotations: Any) -> dict[str, Any]:
    return {
        "type": "image",
        "file": file,
        "width": 100,
        "height": 50,
        "split": "val",
        "annotations": annotations,
    }


def lines(*records: Any) -> str:
    return "\n".join(each if isinstance(each, str) else json.dumps(each) for each in records)


def test_every_kind_of_label_comes_in(tmp_path: Path) -> None:
    record = image(
        boxes=[[0, 0.5, 0.5, 0.2, 0.4]],
        segments=[[1, 0.1, 0.1, 0.9, 0.1, 0.9, 0.9]],
        pose=[[0, 0.5, 0.5, 0.2, 0.4, 0.1, 0.1, 2]],
        obb=[[1, 0.1, 0.1, 0.2, 0.1, 0.2, 0.2, 0.1, 0.2]],
    )
    text = lines(HEADER, record)
    read = read_archive(zipped({"deep/x/a.png": png(100, 50), "deep/x.ndjson": text}), tmp_path)
    assert (read.format, read.classes, read.problems) == ("ndjson", ["cell", "dust"], [])
    box, polygon, person, turned = read.annotations["deep/x/a.png"]
    assert (box.type, box.class_label, box.source) == (AnnotationType.BOX, "cell", "import:ndjson")
    assert box.coordinates == person.coordinates == pytest.approx((40, 15, 60, 35))
    assert polygon.type is AnnotationType.POLYGON
    assert polygon.coordinates == pytest.approx((10, 5, 90, 5, 90, 45))
    assert turned.type is AnnotationType.RECTANGLE
    assert turned.coordinates == pytest.approx((10, 5, 20, 5, 20, 10, 10, 10))


def test_classifications_become_image_classes(tmp_path: Path) -> None:
    text = lines(
        {**HEADER, "task": "classify"},
        image("a.png", classification=[1]),
        image("b.png", classification=[0, 1]),
        image("c.png", classification=[7]),
    )
    files: Files = {f"{name}.png": png(100, 50) for name in "abc"}
    read = read_archive(zipped({**files, "x.ndjson": text}), tmp_path)
    assert read.images == {"a.png": "dust", "b.png": "", "c.png": ""}
    assert read.reasons == {"IMAGE_CLASS_AMBIGUOUS": 1, "CLASS_OUT_OF_RANGE": 1}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("{", "LABEL_MALFORMED"),
        ('{"a":' * 100_000, "LABEL_MALFORMED"),
        (image(boxes=[[0, 0.5, 0.5, 0.2]]), "LABEL_MALFORMED"),
        (image(boxes=[[9, 0.5, 0.5, 0.2, 0.4]]), "LABEL_MALFORMED"),
        (image(boxes=[["0", 0.5, 0.5, 0.2, 0.4]]), "LABEL_MALFORMED"),
        (image(boxes=[[0, 50, 50, 20, 40]]), "LABEL_MALFORMED"),
        (image(boxes=[[0, float("nan"), 0.5, 0.2, 0.4]]), "LABEL_MALFORMED"),
        (image(boxes=[[]]), "LABEL_MALFORMED"),
        (image(boxes=[None]), "LABEL_MALFORMED"),
        (image(segments=[[0, 0.5, 0.5, 0.2, 0.4, 0.1]]), "LABEL_MALFORMED"),
        (image(boxes=[[0, 0.5, 0.5, 0, 0.4]]), "ANNOTATION_INVALID"),
        (image(lines=[[0, 0.5, 0.5, 0.2, 0.4]]), "SHAPE_UNSUPPORTED"),
        ({**image(), "annotations": []}, "LABEL_MALFORMED"),
        ({**image(), "file": None}, "LABEL_MALFORMED"),
        ({**image(), "width": 50}, "IMAGE_SIZE_DIFFERS"),
        (image("gone.png"), "IMAGE_MISSING"),
    ],
)
def test_trouble_is_reported_with_its_line_and_the_rest_is_read(
    record: Any, reason: str, tmp_path: Path
) -> None:
    text = lines(HEADER, image(boxes=[[0, 0.5, 0.5, 0.2, 0.4]]).copy(), record)
    if reason == "IMAGE_SIZE_DIFFERS":
        text = lines(HEADER, {**record, "annotations": {}}, "", image(boxes=[[0, 0.5, 0.5, 0.2, 0.4]]))
    read = read_archive(zipped({"a.png": png(100, 50), "x.ndjson": text}), tmp_path)
    assert (read.format, read.count) == ("ndjson", 1)
    assert [(each.reason, each.file, each.line) for each in read.problems] == [
        (reason, "x.ndjson", 2 if reason == "IMAGE_SIZE_DIFFERS" else 3)
    ]
