"""COCO instances in one or several files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from annotateforge.dataset.annotations import AnnotationType
from tests.unit.dataset.archives import Files, png, read_archive, zipped

CATEGORIES = [{"id": 3, "name": "cell"}, {"id": 7, "name": "dust"}]


def coco(images: Mapping[Any, str], annotations: list[dict[str, Any]], **more: Any) -> str:
    """A COCO file; annotations get image 1 and category 3 where they say nothing else."""
    document = {
        "info": {"year": 2017},
        "images": [
            {"id": image_id, "file_name": name, "width": 100, "height": 50}
            for image_id, name in images.items()
        ],
        "annotations": [
            {"id": number, "image_id": 1, "category_id": 3, "iscrowd": 0, **annotation}
            for number, annotation in enumerate(annotations)
        ],
        "categories": CATEGORIES,
        **more,
    }
    return json.dumps(document)


def test_boxes_and_polygons_keep_their_pixels(tmp_path: Path) -> None:
    annotations: list[dict[str, Any]] = [
        {"bbox": [10.5, 20, 30, 5.25]},
        {"bbox": [0, 0, 9, 9], "segmentation": [[0, 0, 9, 1, 5, 9.5]], "category_id": 7},
        {"bbox": [1, 2, 3, 4], "segmentation": []},
    ]
    read = read_archive(
        zipped({"x/a.png": png(100, 50), "labels.json": coco({1: "a.png"}, annotations)}), tmp_path
    )
    assert (read.format, read.classes, read.problems) == ("coco", ["cell", "dust"], [])
    first, second, third = read.annotations["x/a.png"]
    assert (first.type, first.coordinates) == (AnnotationType.BOX, (10.5, 20, 40.5, 25.25))
    assert (second.type, second.coordinates) == (AnnotationType.POLYGON, (0, 0, 9, 1, 5, 9.5))
    assert (first.class_label, second.class_label, third.source) == ("cell", "dust", "import:coco")


def test_a_polygon_that_is_only_its_box_becomes_a_box(tmp_path: Path) -> None:
    annotations: list[dict[str, Any]] = [
        {"bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 4, 2, 4, 6, 1, 6]]},
        {"bbox": [1, 2, 3, 4], "segmentation": [[1, 6, 1, 2, 4, 2, 4, 6, 1, 6]]},
        {"bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 4, 2, 4, 6, 1, 5]]},
    ]
    read = read_archive(zipped({"a.png": png(100, 50), "c.json": coco({1: "a.png"}, annotations)}), tmp_path)
    kinds = [annotation.type for annotation in read.annotations["a.png"]]
    assert kinds == [AnnotationType.BOX, AnnotationType.BOX, AnnotationType.POLYGON]


def test_an_object_in_several_parts_stays_one(tmp_path: Path) -> None:
    parts = [[0, 0, 4, 0, 4, 4, 0, 4], [10, 0, 14, 0, 14, 4, 10, 4]]
    read = read_archive(
        zipped({"a.png": png(100, 50), "c.json": coco({1: "a.png"}, [{"segmentation": parts}])}), tmp_path
    )
    (whole,) = read.annotations["a.png"]
    corners = list(zip(whole.coordinates[::2], whole.coordinates[1::2], strict=True))
    assert set(corners) == {(x, y) for x in (0, 4, 10, 14) for y in (0, 4)}
    assert len(corners) == 10, "the bridge is walked there and back"


def test_spoilt_masks_and_crowds_are_said_to_be_left_out(tmp_path: Path) -> None:
    mask = {"size": [50, 100], "counts": "abc~"}
    annotations: list[dict[str, Any]] = [
        {"bbox": [1, 2, 3, 4], "segmentation": mask},
        {"bbox": [1, 2, 3, 4], "segmentation": mask, "iscrowd": 1},
    ]
    read = read_archive(zipped({"a.png": png(100, 50), "c.json": coco({1: "a.png"}, annotations)}), tmp_path)
    assert [annotation.type for annotation in read.annotations["a.png"]] == [AnnotationType.BOX]
    assert read.reasons == {"MASK_UNSUPPORTED": 1, "CROWD_LEFT_OUT": 1}


def test_masks_of_both_encodings_become_polygons_of_their_pixels(tmp_path: Path) -> None:
    # Columns 2 and 3, rows 1 to 3 of an image of 5 × 4 pixels.
    runs = [9, 3, 1, 3, 4]
    annotations: list[dict[str, Any]] = [
        {"segmentation": {"size": [4, 5], "counts": runs}},
        {"segmentation": {"size": [4, 5], "counts": "93100"}, "score": 1},
    ]
    read = read_archive(zipped({"a.png": png(5, 4), "c.json": coco({1: "a.png"}, annotations)}), tmp_path)
    assert set(read.reasons) == {"IMAGE_SIZE_DIFFERS"}
    for found in read.annotations["a.png"]:
        corners = set(zip(found.coordinates[::2], found.coordinates[1::2], strict=True))
        assert (found.type, corners) == (AnnotationType.POLYGON, {(2, 1), (4, 1), (4, 4), (2, 4)})
    assert [found.confidence for found in read.annotations["a.png"]] == [None, 1]


def test_parts_of_an_outline_without_three_corners_are_reported(tmp_path: Path) -> None:
    annotations: list[dict[str, Any]] = [
        {"bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 3, 4]]},
        {"segmentation": [[0, 0, 9, 1, 5, 9], [1, 1], "x"]},
    ]
    read = read_archive(zipped({"a.png": png(100, 50), "c.json": coco({1: "a.png"}, annotations)}), tmp_path)
    kinds = [found.type for found in read.annotations["a.png"]]
    assert kinds == [AnnotationType.BOX, AnnotationType.POLYGON]
    assert read.reasons == {"LABEL_MALFORMED": 2}


@pytest.mark.parametrize(
    "name", ["a.png", "A.PNG", "C:\\Users\\me\\a.png", "/home/me/data/a.png", "a", "a.jpg", "../images/a.png"]
)
def test_images_are_found_whatever_path_they_were_written_with(name: str, tmp_path: Path) -> None:
    files: Files = {"set/images/a.png": png(100, 50), "set/c.json": coco({1: name}, [{"bbox": [1, 2, 3, 4]}])}
    read = read_archive(zipped(files), tmp_path)
    assert set(read.annotations) == {"set/images/a.png"}


@pytest.mark.parametrize(
    ("train", "val", "file_name"),
    [
        ("images/train", "images/val", "1.png"),
        ("train2017", "val2017", "1.png"),
        ("train", "val", "{split}/1.png"),
    ],
)
def test_several_files_each_find_their_own_images(
    train: str, val: str, file_name: str, tmp_path: Path
) -> None:
    files: Files = {
        f"{train}/1.png": png(100, 50),
        f"{val}/1.png": png(100, 50),
        "annotations/instances_train.json": coco(
            {1: file_name.format(split="train")}, [{"bbox": [1, 2, 3, 4]}]
        ),
        "annotations/instances_train2017.json": coco({1: "none.png"}, []),
        "annotations/instances_val2017.json": coco({1: "none.png"}, []),
        "annotations/instances_val.json": coco(
            {1: file_name.format(split="val")}, [{"bbox": [5, 6, 7, 8]}] * 2
        ),
    }
    if train.endswith("2017"):
        files = {
            path.replace("train.json", "train2017.json").replace("val.json", "val2017.json"): content
            for path, content in files.items()
            if not path.endswith("2017.json")
        }
    read = read_archive(zipped(files), tmp_path)
    assert {path: len(found) for path, found in read.annotations.items()} == {
        f"{train}/1.png": 1,
        f"{val}/1.png": 2,
    }


def test_a_file_that_repeats_others_adds_nothing(tmp_path: Path) -> None:
    one = coco({1: "a.png"}, [{"bbox": [1, 2, 3, 4]}, {"bbox": [1, 2, 3, 4]}])
    both = coco({9: "a.png"}, [{"bbox": [1, 2, 3, 4], "image_id": 9}, {"bbox": [5, 5, 5, 5], "image_id": 9}])
    read = read_archive(
        zipped({"a.png": png(100, 50), "annotations/a.json": one, "annotations/b.json": both}), tmp_path
    )
    assert read.count == 3, "the doubled box of one file is meant so"
    assert read.reasons == {"LABELS_REPEATED": 1}


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ({"bbox": [1, 2, 3]}, "LABEL_MALFORMED"),
        ({"bbox": [1, 2, "3", 4]}, "LABEL_MALFORMED"),
        ({"bbox": [1, 2, 3, 10**400]}, "LABEL_MALFORMED"),
        ({}, "LABEL_MALFORMED"),
        ({"segmentation": [[1, 2, 3, 4]]}, "LABEL_MALFORMED"),
        ({"bbox": [1, 2, 3, 4], "category_id": 99}, "CLASS_UNKNOWN"),
        ({"bbox": [1, 2, 3, 4], "category_id": [3]}, "CLASS_UNKNOWN"),
        ({"bbox": [1, 2, 3, 4], "image_id": 99}, "LABEL_WITHOUT_IMAGE"),
        ({"bbox": [1, 2, 3, 4], "image_id": None}, "LABEL_WITHOUT_IMAGE"),
        ({"bbox": [1, 2, 0, 4]}, "ANNOTATION_INVALID"),
        ({"bbox": [1, 2, 3, float("nan")]}, "ANNOTATION_INVALID"),
    ],
)
def test_a_wrong_annotation_is_reported_and_left_out(
    annotation: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    document = coco({1: "a.png"}, [{"bbox": [1, 2, 3, 4]}, annotation, {"bbox": [1, 2, 3, 4]}])
    read = read_archive(zipped({"a.png": png(100, 50), "c.json": document}), tmp_path)
    assert read.count == 2
    assert read.reasons == {reason: 1}


def test_sizes_that_are_not_those_of_the_image_are_told(tmp_path: Path) -> None:
    read = read_archive(
        zipped({"a.png": png(50, 100), "c.json": coco({1: "a.png"}, [{"bbox": [1, 2, 3, 4]}])}), tmp_path
    )
    assert read.count == 1
    assert read.reasons == {"IMAGE_SIZE_DIFFERS": 1}


def test_images_that_are_missing_or_not_described_are_told(tmp_path: Path) -> None:
    files: Files = {"b.png": png(100, 50), "c.json": coco({1: "a.png"}, [{"bbox": [1, 2, 3, 4]}])}
    read = read_archive(zipped(files), tmp_path)
    assert (read.count, list(read.images)) == (0, ["b.png"])
    assert read.reasons == {"IMAGE_MISSING": 1, "IMAGES_WITHOUT_LABELS": 1}


@pytest.mark.parametrize(
    ("order", "kept"),
    [(("images", "categories", "annotations"), True), (("annotations", "categories", "images"), False)],
)
def test_a_file_that_breaks_off_is_reported_with_the_line(
    order: tuple[str, ...], kept: bool, tmp_path: Path
) -> None:
    document = json.loads(coco({1: "a.png"}, [{"bbox": [1, 2, 3, 4]}] * 20))
    text = json.dumps({key: document[key] for key in order}, indent=1)
    cut = text[: len(text) - len(text) // 10]
    read = read_archive(zipped({"a.png": png(100, 50), "c.json": cut}), tmp_path, wanted="coco")
    assert bool(read.count) is kept, "only what stands before the break can be kept"
    (problem,) = [problem for problem in read.problems if problem.reason == "LABEL_FILE_MALFORMED"]
    assert problem.line == cut.count("\n") + 1


@pytest.mark.parametrize(
    "order", [("images", "categories", "annotations"), ("annotations", "images", "categories")]
)
def test_the_order_of_the_arrays_does_not_matter(order: tuple[str, ...], tmp_path: Path) -> None:
    document = json.loads(coco({1: "a.png"}, [{"bbox": [1, 2, 3, 4]}] * 20))
    text = json.dumps({key: document[key] for key in order})
    read = read_archive(zipped({"a.png": png(100, 50), "c.json": text}), tmp_path)
    assert (read.count, read.problems) == (20, [])


def test_other_json_is_not_taken_for_coco(tmp_path: Path) -> None:
    files: Files = {
        "a.png": png(),
        "a.json": json.dumps({"shapes": [{"label": "x", "corners": [[0, 0], [1, 1]]}], "photo": "a.png"}),
        "list.json": json.dumps([{"photo": "a.png", "annotations": []}]),
        "broken.json": '{"images": [',
        "empty.json": "",
    }
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.count) == ("images", 0)
    assert read.reasons == {"LABELS_NOT_RECOGNISED": 1, "LABEL_FILE_MALFORMED": 2}
    broken = {problem.file for problem in read.problems if problem.reason == "LABEL_FILE_MALFORMED"}
    assert broken == {"broken.json", "empty.json"}
