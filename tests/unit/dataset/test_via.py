"""JSON, CSV and projects of the VGG Image Annotator."""

import csv
import io
import json
from collections.abc import Callable
from math import pi
from pathlib import Path
from typing import Any

import pytest

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.imports.csv_tables import CsvMalformed, named_rows
from tests.unit.dataset.archives import Files, png, read_archive, zipped

RECT = {"name": "rect", "x": 1, "y": 2.5, "width": 8, "height": 5.5}
POLYGON = {"name": "polygon", "all_points_x": [1, 9, 9], "all_points_y": [1, 1, 8]}
Images = dict[str, list[tuple[Any, Any]]]


def region(shape: Any = RECT, **attributes: Any) -> tuple[Any, Any]:
    return shape, attributes or {"type": "cell"}


def via(images: Images) -> dict[str, Any]:
    return {
        f"{name}123": {
            "filename": name,
            "size": 123,
            "regions": [{"shape_attributes": s, "region_attributes": a} for s, a in regions],
            "file_attributes": {},
        }
        for name, regions in images.items()
    }


def via_2(images: Images) -> str:
    return json.dumps(via(images), indent=1)


def via_1(images: Images) -> str:
    document = via(images)
    for image in document.values():
        image["regions"] = {str(index): each for index, each in enumerate(image["regions"])}
    return json.dumps(document)


def project(images: Images) -> str:
    return json.dumps(
        {
            "_via_settings": {"ui": {}, "project": {"name": "x"}},
            "_via_img_metadata": via(images),
            "_via_attributes": {"region": {}},
            "_via_image_id_list": ["a.png123"],
        }
    )


def table(images: Images, delimiter: str = ",", header: str = "filename") -> str:
    target = io.StringIO()
    writer = csv.writer(target, delimiter=delimiter)
    names = "file_size file_attributes region_count region_id region_shape_attributes region_attributes"
    writer.writerow([header, *names.split()])
    for name, regions in images.items():
        for index, (shape, attributes) in enumerate(regions):
            row = [name, 123, "{}", len(regions), index, json.dumps(shape), json.dumps(attributes)]
            writer.writerow(row)
        if not regions:
            writer.writerow([name, 123, "{}", 0, 0, "{}", "{}"])
    return target.getvalue()


WRITERS: list[tuple[str, Callable[[Images], str]]] = [
    ("via_region_data.json", via_2),
    ("via_1.json", via_1),
    ("project.json", project),
    ("via_export_csv.csv", table),
    ("semicolons.csv", lambda images: table(images, ";")),
    ("via_1.csv", lambda images: table(images, header="#filename")),
]


@pytest.mark.parametrize(("file", "write"), WRITERS)
@pytest.mark.parametrize("under", ["", "export/my set/"])
def test_every_version_gives_the_same_shapes(
    file: str, write: Callable[[Images], str], under: str, tmp_path: Path
) -> None:
    images: Images = {
        "C:\\photos\\中文 1.v2.png": [
            region(),
            region(POLYGON),
            region({"name": "circle", "cx": 10, "cy": 20, "r": 5}),
            region({"name": "ellipse", "cx": 10, "cy": 20, "rx": 5, "ry": 2, "theta": pi / 2}),
        ],
        "b.png": [],
    }
    files: Files = {
        f"{under}中文 1.v2.png": png(100, 50),
        f"{under}b.png": png(),
        under + file: write(images),
    }
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.classes, read.problems) == ("via", ["cell"], [])
    rect, polygon, circle, ellipse = read.annotations[f"{under}中文 1.v2.png"]
    assert (rect.type, rect.coordinates) == (AnnotationType.BOX, (1, 2.5, 9, 8))
    assert (polygon.type, polygon.coordinates) == (AnnotationType.POLYGON, (1, 1, 9, 1, 9, 8))
    assert (circle.type, circle.coordinates) == (AnnotationType.CIRCLE, (10, 20, 5))
    xs, ys = ellipse.coordinates[::2], ellipse.coordinates[1::2]
    assert (min(xs), min(ys), max(xs), max(ys)) == pytest.approx((8, 15, 12, 25))
    assert {each.class_label for each in read.annotations[f"{under}中文 1.v2.png"]} == {"cell"}


@pytest.mark.parametrize(
    ("attributes", "expected", "told"),
    [
        ([{"type": "cat", "colour": "red"}, {"type": "dog", "colour": "red"}], ["cat", "dog"], 1),
        ([{"species": "cat"}, {"species": "dog"}], ["cat", "dog"], 0),
        ([{"species": "cat", "note": ""}, {"species": "dog"}], ["cat", "dog"], 0),
        ([{"Class": {"cat": True, "dog": False}}, {"Class": {"dog": True}}], ["cat", "dog"], 0),
        ([{"type": {"cat": True, "dog": True}}, {"type": "dog"}], ["", "dog"], 0),
        ([{"type": 3}, {}], ["3", ""], 0),
        (["cat", None], ["", ""], 0),
    ],
)
def test_the_class_is_the_likeliest_attribute(
    attributes: list[Any], expected: list[str], told: int, tmp_path: Path
) -> None:
    document = via_2({"a.png": [(RECT, each) for each in attributes]})
    read = read_archive(zipped({"a.png": png(100, 50), "v.json": document}), tmp_path)
    assert [each.class_label for each in read.annotations["a.png"]] == expected
    assert read.reasons["CLASS_ATTRIBUTE_CHOSEN"] == told
    assert read.reasons["LABEL_WITHOUT_CLASS"] == ("" in expected)


@pytest.mark.parametrize(("file", "write"), WRITERS)
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"name": "rect", "x": 1, "y": 2, "width": 0, "height": 5}, "ANNOTATION_INVALID"),
        ({"name": "rect", "x": 1, "y": 2, "width": float("nan"), "height": 5}, "ANNOTATION_INVALID"),
        ({"name": "rect", "x": 1, "y": 2, "width": 5}, "LABEL_MALFORMED"),
        ({"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]}, "LABEL_MALFORMED"),
        ({"name": "ellipse", "cx": 1, "cy": 1, "rx": 3, "ry": 0, "theta": 0}, "LABEL_MALFORMED"),
        ({"name": None}, "LABEL_MALFORMED"),
        ("rect", "LABEL_MALFORMED"),
        ({"name": "point", "cx": 1, "cy": 1}, "SHAPE_UNSUPPORTED"),
        ({"name": "spiral"}, "SHAPE_UNSUPPORTED"),
    ],
)
def test_a_wrong_region_is_reported_with_its_place_and_left_out(
    file: str, write: Callable[[Images], str], wrong: Any, reason: str, tmp_path: Path
) -> None:
    images: Images = {"a.png": [region(), region(wrong), region()]}
    read = read_archive(zipped({"a.png": png(100, 50), file: write(images)}), tmp_path)
    assert read.count == 2
    (problem,) = read.problems
    assert (problem.reason, problem.file) == (reason, file)
    if file.endswith(".csv"):
        assert problem.line == 3
    elif reason != "ANNOTATION_INVALID":
        assert "a.png123.regions" in problem.path


def test_trouble_with_images_and_files_is_reported(tmp_path: Path) -> None:
    files: Files = {
        "a.png": png(100, 50),
        "x/b.png": png(100, 50),
        "y/b.png": png(100, 50),
        "c.png": png(100, 50),
        "v.json": via_2({"a.png": [region()], "b.png": [region()], "gone.png": [region(), region()]}),
        "odd.json": '{"k1": {"filename": "", "size": 1, "regions": []}, "k2": 3}',
        "cut.csv": table({"a.png": [region(), region()]})[:-200] + '"',
        "latin.csv": table({"a.png": [region()]}).encode() + b"\xff\xff,1",
        "other.json": "[1, 2]",
    }
    read = read_archive(zipped(files), tmp_path)
    assert read.format == "via"
    assert {(problem.file, problem.reason) for problem in read.problems} == {
        ("v.json", "LABEL_AMBIGUOUS"),
        ("v.json", "IMAGE_MISSING"),
        ("odd.json", "LABEL_MALFORMED"),
        ("cut.csv", "LABEL_MALFORMED"),
        ("latin.csv", "LABEL_FILE_MALFORMED"),
        ("other.json", "LABEL_FILE_IGNORED"),
        ("", "IMAGES_WITHOUT_LABELS"),
    }


def test_rows_have_the_lines_on_which_they_begin() -> None:
    content = b'\xef\xbb\xbfA, b \r\n1,"x\r\ny"\r\n\r\n2,z'
    rows = list(named_rows(content[at : at + 3] for at in range(0, len(content), 3)))
    assert [(row.fields, row.line) for row in rows] == [
        ({"a": "1", "b": "x\r\ny"}, 2),
        ({"a": "2", "b": "z"}, 5),
    ]


@pytest.mark.parametrize(
    "content", [b"a,b\n" + b"x" * (9 << 20), b'a,b\n"' + b"x\n" * (5 << 20), b"a,b\n\xff\n", b"a" * (9 << 20)]
)
def test_hostile_tables_are_malformed(content: bytes) -> None:
    with pytest.raises(CsvMalformed):
        list(named_rows(content[at : at + (1 << 18)] for at in range(0, len(content), 1 << 18)))
