"""LabelMe's JSON files and the XML files of its older web tool."""

import json
from pathlib import Path
from typing import Any

import pytest

from annotateforge.dataset.annotations import AnnotationType
from tests.unit.dataset.archives import Files, png, read_archive, zipped

SQUARE = [[1, 1], [9, 1], [9, 8]]


def shape(points: Any = SQUARE, kind: str | None = "polygon", label: Any = "cell", **more: Any) -> Any:
    return {"label": label, "points": points, "shape_type": kind, "flags": {}, "group_id": None, **more}


def labelme(*shapes: Any, image: str = "a.png", size: tuple[Any, Any] = (100, 50), **more: Any) -> str:
    document = {
        "version": "5.5.0",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": image,
        "imageData": None,
        "imageHeight": size[1],
        "imageWidth": size[0],
        **more,
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def test_every_shape_with_an_area_comes_in(tmp_path: Path) -> None:
    document = labelme(
        shape(),
        shape([*SQUARE, SQUARE[0]], None),
        shape([[9, 8], [1, 2.5]], "rectangle"),
        shape([[10, 10], [13, 14]], "circle"),
        shape([[0, 0], [4, 3], [1, 7], [-3, 4]], "rotation"),
        shape([[5, 5], [9, 5], [9, 9], [5, 9]], "rectangle", label=7),
    )
    read = read_archive(zipped({"a.png": png(100, 50), "a.json": document}), tmp_path)
    assert (read.format, read.classes, read.problems) == ("labelme", ["cell", "7"], [])
    found = [(each.type, each.coordinates) for each in read.annotations["a.png"]]
    assert found == [
        (AnnotationType.POLYGON, (1, 1, 9, 1, 9, 8)),
        (AnnotationType.POLYGON, (1, 1, 9, 1, 9, 8)),
        (AnnotationType.BOX, (1, 2.5, 9, 8)),
        (AnnotationType.CIRCLE, (10, 10, 5)),
        (AnnotationType.RECTANGLE, (0, 0, 4, 3, 1, 7, -3, 4)),
        (AnnotationType.BOX, (5, 5, 9, 9)),
    ]
    assert read.annotations["a.png"][0].source == "import:labelme"


@pytest.mark.parametrize(
    ("image", "label", "reference"),
    [
        ("a.png", "a.json", "a.png"),
        ("deep/er/images/a.png", "deep/er/labels/a.json", "..\\images\\a.png"),
        ("images/a.png", "json/1.json", "C:\\Users\\李\\photos\\a.png"),
        ("images/a.png", "json/1.json", "/home/pi/a.PNG"),
        ("images/a.png", "json/a.json", "renamed since.jpg"),
        ("images/a.png", "json/a.json", ""),
        ("images/中文 名.v1.2.png", "json/中文 名.v1.2.json", ""),
        ("images/中文 名.v1.2.png", "json/1.json", "中文 名.v1.2.png"),
        ("images/e\u0301.png", "json/1.json", "e\u0301.png"),
        ("A.PNG", "a.json", "a.png"),
    ],
)
def test_images_are_found_by_what_the_file_says_or_by_its_name(
    image: str, label: str, reference: str, tmp_path: Path
) -> None:
    files: Files = {image: png(100, 50), label: labelme(shape(), image=reference)}
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.count, read.problems) == ("labelme", 1, [])


def test_an_image_in_the_file_itself_or_before_the_shapes_makes_no_difference(tmp_path: Path) -> None:
    document = {
        "imagePath": "a.png",
        "imageData": "A" * 3_000_000,
        "shapes": [shape()],
        "imageHeight": 50,
        "imageWidth": 100,
    }
    files: Files = {"a.png": png(100, 50), "a.json": json.dumps(document), "b.json": labelme(image="b.png")}
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.count) == ("labelme", 1)
    assert [(problem.reason, problem.file) for problem in read.problems] == [("IMAGE_MISSING", "b.json")]
    embedded = read_archive(
        zipped({"b.png": png(), "a.json": labelme(shape(), imageData="AAAA", image="c.png")}), tmp_path
    )
    assert "imageData" in embedded.problems[1].hint


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (shape([[1, 1], [2, 2]]), "LABEL_MALFORMED"),
        (shape([[1, 1], [2]], "rectangle"), "LABEL_MALFORMED"),
        (shape([[1, 1], [2, "x"]], "rectangle"), "LABEL_MALFORMED"),
        (shape([[1, 1], [2, 10**400]], "rectangle"), "LABEL_MALFORMED"),
        (shape([[1, 1], [True, 3]], "rectangle"), "LABEL_MALFORMED"),
        (shape([[1, 1]] * 3, "circle"), "LABEL_MALFORMED"),
        (shape(None), "LABEL_MALFORMED"),
        ("text", "LABEL_MALFORMED"),
        (shape([[1, 1], [1, 9]], "rectangle"), "ANNOTATION_INVALID"),
        (shape([[5, 5], [5, 5]], "circle"), "ANNOTATION_INVALID"),
        (shape([[1, 1], [float("nan"), 9]], "rectangle"), "ANNOTATION_INVALID"),
        (shape([[1, 1], [1e300, 9]], "rectangle"), "ANNOTATION_INVALID"),
        (shape(label="x" * 300), "ANNOTATION_INVALID"),
        (shape([[1, 1]], "point"), "SHAPE_UNSUPPORTED"),
        (shape([[1, 1], [2, 2]], "linestrip"), "SHAPE_UNSUPPORTED"),
        (shape([[1, 1], [2, 2]], "hyperbola"), "SHAPE_UNSUPPORTED"),
    ],
)
def test_a_wrong_shape_is_reported_with_its_place_and_left_out(
    wrong: Any, reason: str, tmp_path: Path
) -> None:
    files: Files = {"a.png": png(100, 50), "a.json": labelme(shape(), wrong, shape())}
    read = read_archive(zipped(files), tmp_path)
    assert read.count == 2
    (problem,) = read.problems
    assert (problem.reason, problem.file) == (reason, "a.json")
    assert problem.path == "shapes[1]" or reason == "ANNOTATION_INVALID"
    text = labelme(shape(), wrong, shape()).splitlines()
    assert text[problem.line - 1].strip().startswith(("{", '"text'))
    assert problem.line > 10


def test_masks_give_their_boxes_and_shapes_without_a_class_come_in(tmp_path: Path) -> None:
    document = labelme(
        shape([[2, 3], [8, 9]], "mask", mask="iVBORw0K"),
        shape(label=""),
        shape(label=None),
        shape([[1, 1]], "point"),
        shape([[1, 1]], "point"),
    )
    read = read_archive(zipped({"a.png": png(100, 50), "a.json": document}), tmp_path)
    found = read.annotations["a.png"]
    assert [each.class_label for each in found] == ["cell", "", ""]
    assert [each.coordinates for each in found[:1]] == [(2, 3, 8, 9)]
    assert [problem.reason for problem in read.problems] == [
        "MASK_UNSUPPORTED",
        "LABEL_WITHOUT_CLASS",
        "SHAPE_UNSUPPORTED",
    ]
    assert read.problems[2].path == "shapes[3]"
    assert "Left out: 2 points" in read.problems[2].message


def test_trouble_with_whole_files_is_reported_and_the_rest_goes_in(tmp_path: Path) -> None:
    files: Files = {
        "a.png": png(100, 50),
        "a.json": labelme(shape()),
        "b.png": png(50, 100),
        "b.json": labelme(shape(), image="b.png"),
        "c.png": png(100, 50),
        "c.json": labelme(shape(), shape(), image="c.png")[:-60],
        "d.png": png(100, 50),
        "nobody.json": labelme(shape(), image="nobody.png"),
        "empty.json": "",
        "package.json": '{"name": "viewer"}',
    }
    read = read_archive(zipped(files), tmp_path)
    assert {path: len(found) for path, found in read.annotations.items()} == {
        "a.png": 1,
        "b.png": 1,
        "c.png": 2,
    }
    assert {(problem.file, problem.reason) for problem in read.problems} == {
        ("b.json", "IMAGE_SIZE_DIFFERS"),
        ("c.json", "LABEL_FILE_MALFORMED"),
        ("nobody.json", "IMAGE_MISSING"),
        ("empty.json", "LABEL_FILE_MALFORMED"),
        ("package.json", "LABEL_FILE_IGNORED"),
        ("", "IMAGES_WITHOUT_LABELS"),
    }


def test_the_flags_of_a_file_without_shapes_are_the_class_of_its_image(tmp_path: Path) -> None:
    files: Files = {
        "a.png": png(100, 50),
        "a.json": labelme(flags={"cat": True, "dog": False}),
        "b.png": png(100, 50),
        "b.json": labelme(image="b.png", flags={"cat": True, "dog": True}),
        "c.png": png(100, 50),
        "c.json": labelme(shape(), image="c.png", flags={"blurred": True}),
    }
    read = read_archive(zipped(files), tmp_path)
    assert read.images == {"a.png": "cat", "b.png": "cat", "c.png": ""}
    assert read.reasons == {"IMAGE_CLASS_AMBIGUOUS": 1}


@pytest.mark.parametrize(
    "content",
    [
        '{"imagePath": "a.png", "shapes": ' + "[" * 100_000,
        '{"imagePath": "a.png", "shapes": [' + '{"points":' * 50_000,
        '{"imagePath": "a.png", "shapes": [{"points": [[1' + "0" * 10_000 + ", 1]]}]}",
        '{"imagePath": "a.png", "shapes": [[' + "1," * 5_000_000 + "1]], ",
        '{"imagePath": "a.png", "shapes": [["' + "x" * 9_000_000 + '"]]}',
        '{"imagePath": "a.png", "shapes": 3}',
        '{"imagePath": ["a.png"], "shapes": {"a": 1}, "imageWidth": [], "imageHeight": NaN}',
    ],
)
def test_hostile_files_are_reported(content: str, tmp_path: Path) -> None:
    files: Files = {"a.png": png(), "a.json": content, "b.png": png(), "b.json": labelme(image="b.png")}
    read = read_archive(zipped(files), tmp_path)
    assert read.format == "labelme"
    assert read.count == 0
    assert {"LABEL_FILE_MALFORMED", "LABEL_MALFORMED"}.intersection(read.reasons)


OBJECT = """<object><name>{name}</name><deleted>{deleted}</deleted>{more}</object>
"""
POLYGON = """<polygon><username>me</username><pt><x>1</x><y>1</y></pt><pt><x>9</x><y>1</y></pt>
<pt><x>9</x><y>8</y></pt>{more}</polygon>"""


def xml(*objects: str, filename: str = "a.png", size: tuple[int, int] = (100, 50)) -> str:
    return (
        f"<annotation>\n<filename>{filename}</filename><folder>set</folder>\n{''.join(objects)}"
        f"<imagesize><nrows>{size[1]}</nrows><ncols>{size[0]}</ncols></imagesize></annotation>"
    )


def item(name: str = "car", deleted: str = "0", more: str = POLYGON.format(more="")) -> str:
    return OBJECT.format(name=name, deleted=deleted, more=more)


def test_xml_gives_polygons_boxes_and_the_boxes_of_masks(tmp_path: Path) -> None:
    square = "<type>bounding_box</type>" + POLYGON.format(more="<pt><x>1</x><y>8</y></pt>")
    mask = "<segm><box><xmin>2</xmin><ymin>3</ymin><xmax>8</xmax><ymax>9</ymax></box></segm>"
    files: Files = {
        "Images/set/a.png": png(100, 50),
        "Masks/set/a_mask_1.png": png(100, 50),
        "Annotations/set/a.xml": xml(item(), item(more=square), item(more=mask), item(deleted="1")),
    }
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, list(read.images)) == ("labelme_xml", ["Images/set/a.png"])
    assert [(each.type, each.coordinates) for each in read.annotations["Images/set/a.png"]] == [
        (AnnotationType.POLYGON, (1, 1, 9, 1, 9, 8)),
        (AnnotationType.BOX, (1, 1, 9, 8)),
        (AnnotationType.BOX, (2, 3, 8, 9)),
    ]
    assert read.reasons == {"MASK_UNSUPPORTED": 1, "LABELS_LEFT_OUT": 1}
    assert all(problem.line > 2 for problem in read.problems)


def test_xml_in_trouble_is_reported_and_the_rest_goes_in(tmp_path: Path) -> None:
    two = "<polygon><pt><x>1</x><y>1</y></pt><pt><x>9</x></pt></polygon>"
    files: Files = {
        "a.png": png(100, 50),
        "a.xml": xml(item(), item(more=two), item(more=""), item(name="")),
        "b.png": png(50, 100),
        "b.xml": xml(item(), filename="C:\\set\\b.PNG"),
        "c.png": png(100, 50),
        "c.xml": xml(item(), item(), filename="c.png")[:-40],
        "d.xml": xml(item(), filename="d.png"),
        "e.xml": "<notes/>",
        "f.xml": '<!DOCTYPE a [<!ENTITY x "y">]><annotation><filename>&x;</filename></annotation>',
        "g.xml": "<a>" * 1000,
    }
    read = read_archive(zipped(files), tmp_path)
    assert read.format == "labelme_xml"
    assert {path: len(found) for path, found in read.annotations.items()} == {
        "a.png": 2,
        "b.png": 1,
        "c.png": 2,
    }
    assert [(problem.file, problem.reason, problem.line) for problem in read.problems] == [
        ("a.xml", "LABEL_MALFORMED", 5),
        ("a.xml", "LABEL_MALFORMED", 6),
        ("a.xml", "LABEL_WITHOUT_CLASS", 7),
        ("b.xml", "IMAGE_SIZE_DIFFERS", 0),
        ("c.xml", "LABEL_FILE_MALFORMED", 7),
        ("d.xml", "IMAGE_MISSING", 0),
        ("e.xml", "LABEL_FILE_IGNORED", 0),
        ("f.xml", "LABEL_FILE_MALFORMED", 0),
        ("g.xml", "LABEL_FILE_MALFORMED", 1),
    ]
