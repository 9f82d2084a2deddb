"""Projects of Supervisely."""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from annotateforge.dataset.annotations import AnnotationType
from tests.unit.dataset.archives import Files, png, read_archive, zipped

META = json.dumps(
    {
        "classes": [
            {"title": "cell", "shape": "polygon", "color": "#319BD8"},
            {"title": "unused", "shape": "rectangle", "color": "#319BD8"},
        ],
        "tags": [],
    }
)
CORNERS = [[1, 1], [9, 1], [9, 8]]


def thing(
    kind: str | None = "polygon",
    exterior: Any = CORNERS,
    interior: Any = (),
    title: Any = "cell",
    **more: Any,
) -> Any:
    written = {"id": 1, "classTitle": title, "tags": [], "geometryType": kind, **more}
    if "bitmap" not in more:
        written["points"] = {"exterior": exterior, "interior": list(interior)}
    return {key: value for key, value in written.items() if value is not None}


def ann(*objects: Any, size: tuple[Any, Any] = (100, 50), tags: tuple[str, ...] = ()) -> str:
    document = {
        "description": "",
        "tags": [{"id": 1, "name": name, "value": None} for name in tags],
        "size": {"height": size[1], "width": size[0]},
        "objects": list(objects),
    }
    return json.dumps(document, indent=1)


def bitmap(content: bytes, origin: Any = (3, 4)) -> Any:
    data = base64.b64encode(zlib.compress(content)).decode()
    return {"data": data, "origin": list(origin) if isinstance(origin, tuple) else origin}


@pytest.mark.parametrize("under", ["", "export/my project/"])
def test_every_shape_with_an_area_comes_in(under: str, tmp_path: Path) -> None:
    files: Files = {
        f"{under}meta.json": META,
        f"{under}ds 1/img/中文 a.v1.png": png(100, 50),
        f"{under}ds 1/masks_machine/中文 a.v1.png": png(100, 50),
        f"{under}ds 1/ann/中文 a.v1.png.json": ann(
            thing(),
            thing("rectangle", [[9, 8], [1, 2.5]]),
            thing(interior=[[[2, 2], [3, 2], [3, 3]]]),
            thing("bitmap", bitmap=bitmap(png(20, 10))),
        ),
        f"{under}ds 2/img/中文 a.v1.png": png(100, 50),
        f"{under}ds 2/ann/中文 a.v1.png.json": ann(),
    }
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.classes, len(read.images)) == ("supervisely", ["cell", "unused"], 2)
    (found,) = read.annotations.values()
    assert list(read.annotations) == [f"{under}ds 1/img/中文 a.v1.png"]
    assert [(each.type, each.coordinates) for each in found] == [
        (AnnotationType.POLYGON, (1, 1, 9, 1, 9, 8)),
        (AnnotationType.BOX, (1, 2.5, 9, 8)),
        (AnnotationType.POLYGON, (1, 1, 9, 1, 9, 8)),
        (AnnotationType.BOX, (3, 4, 23, 14)),
    ]
    assert {problem.reason: problem.path for problem in read.problems} == {
        "SHAPE_UNSUPPORTED": "objects[2]",
        "MASK_UNSUPPORTED": "objects[3]",
    }


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (thing("rectangle", [[5, 5], [5, 9]]), "ANNOTATION_INVALID"),
        (thing("rectangle", [[5, 5], [float("nan"), 9]]), "ANNOTATION_INVALID"),
        (thing("rectangle", [[5, 5]]), "LABEL_MALFORMED"),
        (thing("polygon", [[5, 5], [6, 6]]), "LABEL_MALFORMED"),
        (thing("polygon", None), "LABEL_MALFORMED"),
        (thing(None, title="unheard of"), "LABEL_MALFORMED"),
        (thing("bitmap", bitmap=None), "LABEL_MALFORMED"),
        (thing("bitmap", bitmap={"data": "!!", "origin": [1, 2]}), "LABEL_MALFORMED"),
        (thing("bitmap", bitmap=bitmap(b"GIF89a" * 10)), "LABEL_MALFORMED"),
        (thing("bitmap", bitmap=bitmap(png(), "there")), "LABEL_MALFORMED"),
        (thing("bitmap", bitmap={"data": "eJw", "origin": [1, 2]}), "LABEL_MALFORMED"),
        ("text", "LABEL_MALFORMED"),
        (thing("point", [[1, 1]]), "SHAPE_UNSUPPORTED"),
        (thing("graph", nodes={}), "SHAPE_UNSUPPORTED"),
        (thing("hyperbola"), "SHAPE_UNSUPPORTED"),
    ],
)
def test_a_wrong_object_is_reported_with_its_place_and_left_out(
    wrong: Any, reason: str, tmp_path: Path
) -> None:
    files: Files = {"img/a.png": png(100, 50), "ann/a.png.json": ann(thing(), wrong, thing())}
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.count) == ("supervisely", 2)
    (problem,) = read.problems
    assert (problem.reason, problem.file) == (reason, "ann/a.png.json")
    assert problem.line > 10
    assert problem.path == "objects[1]" or reason == "ANNOTATION_INVALID"


def test_older_files_take_the_kind_from_the_class_and_name_images_without_extension(tmp_path: Path) -> None:
    files: Files = {
        "meta.json": META,
        "img/a.png": png(100, 50),
        "ann/a.json": ann(thing(None), thing(None, [[1, 1], [9, 8]], title="unused")),
    }
    read = read_archive(zipped(files), tmp_path)
    assert [each.type for each in read.annotations["img/a.png"]] == [
        AnnotationType.POLYGON,
        AnnotationType.BOX,
    ]
    assert not read.problems


def test_the_first_tag_that_is_no_split_is_the_class_of_the_image(tmp_path: Path) -> None:
    files: Files = {
        "ds/img/a.png": png(100, 50),
        "ds/ann/a.png.json": ann(tags=("train", "cat")),
        "ds/img/b.png": png(100, 50),
        "ds/ann/b.png.json": ann(tags=("dog", "cat")),
        "ds/img/c.png": png(100, 50),
        "ds/ann/c.png.json": ann(thing(tags=[{"name": "blurred"}]), tags=("val",)),
    }
    read = read_archive(zipped(files), tmp_path)
    assert read.images == {"ds/img/a.png": "cat", "ds/img/b.png": "dog", "ds/img/c.png": ""}
    assert read.reasons == {"IMAGE_CLASS_AMBIGUOUS": 1}


def test_trouble_with_whole_files_is_reported_and_the_rest_goes_in(tmp_path: Path) -> None:
    files: Files = {
        "meta.json": META[:60],
        "img/a.png": png(100, 50),
        "ann/a.png.json": ann(thing()),
        "img/b.png": png(50, 100),
        "ann/b.png.json": ann(thing()),
        "img/c.png": png(100, 50),
        "ann/c.png.json": ann(thing(), thing())[:-3],
        "img/d.png": png(100, 50),
        "ann/gone.png.json": ann(thing()),
        "ann/empty.json": "",
        "obj_class_to_machine_color.json": '{"cell": [1, 2, 3]}',
    }
    read = read_archive(zipped(files), tmp_path)
    assert read.format == "supervisely"
    assert {path: len(found) for path, found in read.annotations.items()} == {
        "img/a.png": 1,
        "img/b.png": 1,
        "img/c.png": 2,
    }
    assert {(problem.file, problem.reason) for problem in read.problems} == {
        ("meta.json", "LABEL_FILE_MALFORMED"),
        ("ann/b.png.json", "IMAGE_SIZE_DIFFERS"),
        ("ann/c.png.json", "LABEL_FILE_MALFORMED"),
        ("ann/gone.png.json", "IMAGE_MISSING"),
        ("ann/empty.json", "LABEL_FILE_MALFORMED"),
        ("obj_class_to_machine_color.json", "LABEL_FILE_IGNORED"),
        ("", "IMAGES_WITHOUT_LABELS"),
    }
