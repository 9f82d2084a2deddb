"""Labelbox: data rows line by line or as a list, and the older export."""

import json
from pathlib import Path
from typing import Any

import pytest

from annotateforge.dataset.annotations import AnnotationType
from tests.unit.dataset.archives import Files, png, read_archive, zipped

BOX = {
    "name": "cup",
    "annotation_kind": "ImageBoundingBox",
    "bounding_box": {"top": 2, "left": 1, "height": 4, "width": 6},
}
POLYGON = {
    "name": "leaf",
    "annotation_kind": "ImagePolygon",
    "polygon": [{"x": 1, "y": 2}, {"x": 9, "y": 2}, {"x": 9, "y": 8}, {"x": 1, "y": 2}],
}
POINT = {"name": "tip", "annotation_kind": "ImagePoint", "point": {"x": 1, "y": 2}}
MASK = {"name": "sky", "annotation_kind": "ImageSegmentationMask", "mask": {"url": "https://x"}}


def row(name: str, *labels: dict[str, Any], width: int = 40) -> dict[str, Any]:
    return {
        "data_row": {"id": "1", "external_id": name, "row_data": f"https://storage/x%2F{name}?Expires=1"},
        "media_attributes": {"width": width, "height": 30, "mime_type": "image/png"},
        "projects": {"p1": {"name": "x", "labels": list(labels)}},
    }


def label(*objects: dict[str, Any], choice: str = "", kind: str = "Default") -> dict[str, Any]:
    choices = [{"name": "q", "radio_answer": {"name": choice}}] if choice else []
    return {"label_kind": kind, "annotations": {"objects": list(objects), "classifications": choices}}


def lines(*rows: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(each)}\n" for each in rows)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("export.ndjson", lines),
        ("export.json", lines),
        ("export.json", lambda *rows: json.dumps(rows)),
    ],
)
def test_data_rows_are_read_however_they_are_packed(name: str, write: Any, tmp_path: Path) -> None:
    rows = row("a.png", label(BOX, POLYGON, choice="kitchen")), row("b.png", label())
    files: Files = {"a.png": png(40, 30), "b.png": png(40, 30), name: write(*rows)}
    read = read_archive(zipped(files), tmp_path)
    assert read.format == "labelbox"
    assert not read.problems
    cup, leaf = read.annotations["a.png"]
    assert (cup.type, cup.class_label, cup.coordinates) == (AnnotationType.BOX, "cup", (1, 2, 7, 6))
    assert (leaf.type, leaf.coordinates) == (AnnotationType.POLYGON, (1, 2, 9, 2, 9, 8))
    assert read.images == {"a.png": "kitchen", "b.png": ""}


def test_the_older_export_is_read(tmp_path: Path) -> None:
    objects = [
        {"title": "cup", "value": "cup", "bbox": {"top": 2, "left": 1, "height": 4, "width": 6}},
        {"title": "sky", "value": "sky", "instanceURI": "https://x"},
    ]
    rows = [
        {
            "ID": "1",
            "DataRow ID": "2",
            "Labeled Data": "https://x/y-a.png?z",
            "External ID": "a.png",
            "Label": {
                "objects": objects,
                "classifications": [{"title": "q", "answer": {"title": "kitchen"}}],
            },
        },
        {"ID": "2", "DataRow ID": "3", "Labeled Data": "https://x/b.png", "Label": {}, "Skipped": True},
    ]
    files: Files = {"a.png": png(), "b.png": png(), "x.json": json.dumps(rows)}
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.labels, read.images["a.png"]) == ("labelbox", {"cup": 1}, "kitchen")
    assert read.reasons == {"SHAPE_UNSUPPORTED": 1}


def test_of_several_labellers_the_benchmark_is_read(tmp_path: Path) -> None:
    rows = row("a.png", label(POLYGON), label(BOX, kind="Benchmark"))
    read = read_archive(zipped({"a.png": png(40, 30), "x.ndjson": lines(rows)}), tmp_path)
    assert (read.labels, read.reasons) == ({"cup": 1}, {"SEVERAL_ANNOTATORS": 1})


def test_what_cannot_come_in_is_told_by_line_and_place(tmp_path: Path) -> None:
    rows = [row("a.png", label(POINT, MASK, {"name": "x"}), width=80), row("gone.png", label(BOX))]
    files: Files = {"a.png": png(40, 30), "x.ndjson": f"{lines(*rows)}{{cut\n"}
    read = read_archive(zipped(files), tmp_path)
    assert [(problem.reason, problem.line) for problem in read.problems] == [
        ("IMAGE_SIZE_DIFFERS", 1),
        ("LABEL_MALFORMED", 1),
        ("SHAPE_UNSUPPORTED", 1),
        ("SHAPE_UNSUPPORTED", 1),
        ("IMAGE_MISSING", 2),
        ("LABEL_MALFORMED", 3),
    ]
    assert read.problems[1].path == "projects.p1.labels[0].annotations.objects[2]"
