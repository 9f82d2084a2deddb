"""Create ML's JSON: boxes by their centre, classes of whole images."""

import json
from pathlib import Path

import pytest

from annotateforge.dataset.annotations import AnnotationType
from tests.unit.dataset.archives import Files, png, read_archive, zipped


def entry(image: str, *boxes: tuple[str, float, float, float, float]) -> dict[str, object]:
    return {
        "image": image,
        "annotations": [
            {"label": label, "coordinates": {"x": x, "y": y, "width": width, "height": height}}
            for label, x, y, width, height in boxes
        ],
    }


def test_boxes_are_given_by_their_centres(tmp_path: Path) -> None:
    files: Files = {
        "train/a.png": png(40, 30),
        "train/b.png": png(40, 30),
        "train/_annotations.createml.json": json.dumps(
            [entry("a.png", ("cup", 10, 8, 6, 4), ("pen", 20.5, 20, 5, 10)), entry("b.png")]
        ),
    }
    read = read_archive(zipped(files), tmp_path)
    assert read.format == "createml"
    assert not read.problems
    cup, pen = read.annotations["train/a.png"]
    assert (cup.type, cup.class_label) == (AnnotationType.BOX, "cup")
    assert cup.coordinates == pytest.approx((7, 6, 13, 10))
    assert pen.coordinates == pytest.approx((18, 15, 23, 25))
    assert cup.source == "import:createml"


def test_the_older_names_of_members_are_read_too(tmp_path: Path) -> None:
    older = [{"imagefilename": "a.png", "annotation": entry("", ("cup", 10, 8, 6, 4))["annotations"]}]
    read = read_archive(zipped({"a.png": png(40, 30), "x.json": json.dumps(older)}), tmp_path)
    assert (read.format, read.count) == ("createml", 1)


def test_a_text_is_the_class_of_the_image(tmp_path: Path) -> None:
    files: Files = {
        **{f"{name}.png": png() for name in "abc"},
        "x.json": json.dumps(
            [
                {"image": "a.png", "annotations": "cat"},
                {"image": "b.png", "label": "dog"},
                {"image": "c.png", "annotations": ["dog", "cat"]},
            ]
        ),
    }
    read = read_archive(zipped(files), tmp_path)
    assert read.format == "createml"
    assert read.images == {"a.png": "cat", "b.png": "dog", "c.png": "dog"}
    assert read.reasons == {"IMAGE_CLASS_AMBIGUOUS": 1}


def test_what_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    broken = [
        entry("a.png", ("cup", 10, 8, 6, 4)),
        {"image": "a.png", "annotations": [{"label": "cup", "coordinates": {"x": 1, "y": "two"}}, 7]},
        {"annotations": []},
        {"image": "gone.png", "annotations": []},
        {"image": "a.png", "annotations": {"a": 1}},
    ]
    read = read_archive(zipped({"a.png": png(40, 30), "x.json": json.dumps(broken)}), tmp_path)
    assert read.count == 1
    assert {(problem.reason, problem.path) for problem in read.problems} == {
        ("LABEL_MALFORMED", "[1].annotations[0]"),
        ("LABEL_MALFORMED", "[1].annotations[1]"),
        ("LABEL_MALFORMED", "[2]"),
        ("IMAGE_MISSING", "[3]"),
        ("LABEL_MALFORMED", "[4].annotations"),
    }


def test_counting_what_is_labelled_keeps_no_more_than_there_are_images(tmp_path: Path) -> None:
    foreign = [entry(f"{number}.png") for number in range(5)]
    boxed = [{"filename": f"{name}.png"} for name in "ab"]
    files: Files = {
        **{f"{name}.png": png(40, 30) for name in "abc"},
        "x.json": json.dumps([*foreign, entry("a.png", ("cup", 10, 8, 6, 4))]),
        "via.json": json.dumps({each["filename"]: {**each, "size": 1, "regions": []} for each in boxed}),
    }
    # Create ML names more images, of which the archive has but one.
    assert read_archive(zipped(files), tmp_path).format == "via"


def test_a_file_that_names_only_other_images_is_read_and_says_which(tmp_path: Path) -> None:
    files: Files = {"a.png": png(), "x.json": json.dumps([entry("z.png", ("cup", 10, 8, 6, 4))])}
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.reasons["IMAGE_MISSING"]) == ("createml", 1)
