"""Formats are found without being told, at any depth, and real samples give what their READMEs count."""

from collections import Counter
from pathlib import Path

import pytest

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.imports import FORMATS, check_format
from annotateforge.runtime.errors import DomainError, InvalidArgument
from tests.unit.dataset.archives import Files, Read, files_below, png, read_archive, tarred, zipped

YOLO: Files = {"images/a.png": png(), "labels/a.txt": "0 0.5 0.5 0.2 0.4", "data.yaml": "names: [cell]"}
FOLDERS: Files = {"good/1.png": png(), "bad/2.png": png()}


@pytest.mark.parametrize(
    ("files", "name"), [(YOLO, "yolo"), (FOLDERS, "folders"), ({"a.png": png(), "x/b.png": png()}, "images")]
)
@pytest.mark.parametrize("under", ["", "export/2024/my set/"])
def test_a_format_is_found_at_any_depth_among_what_file_managers_leave(
    files: Files, name: str, under: str, tmp_path: Path
) -> None:
    litter: Files = {
        "__MACOSX/._a.png": b"resource fork",
        f"__MACOSX/{under}images/._a.png": b"resource fork",
        f"{under}.DS_Store": b"x",
        f"{under}Thumbs.db": b"x",
        f"{under}.ipynb_checkpoints/a.png": png(),
        f"{under}._a.txt": b"\0\0",
    }
    read = read_archive(
        zipped({**{under + path: content for path, content in files.items()}, **litter}), tmp_path
    )
    assert read.format == name
    assert len(read.images) == sum(path.endswith(".png") for path in files)
    assert not read.problems


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["good/1.png", "bad/2.png"], ["good", "bad"]),
        (["set/good/1.png", "set/bad/2.png"], ["good", "bad"]),
        (["train/good/1.png", "val/good/2.png", "test/bad/3.png"], ["good", "good", "bad"]),
        (["a/b/train/good/1.png", "a/b/train/bad/2.png"], ["good", "bad"]),
        (["good/day 1/1.png", "good/day 2/2.png", "bad/3.png"], ["good", "good", "bad"]),
        (["images/good/1.png", "images/bad/2.png", "unlabelled_test/3.png"], ["good", "bad", ""]),
        (["good/1.png", "bad/2.png", "3.png"], ["good", "bad", ""]),
    ],
)
def test_the_class_is_the_folder_below_what_all_share(
    files: list[str], expected: list[str], tmp_path: Path
) -> None:
    read = read_archive(zipped({path: png() for path in files}), tmp_path)
    assert read.format == "folders"
    assert [read.images[path] for path in files] == expected
    assert read.reasons["IMAGE_WITHOUT_CLASS"] == expected.count("")


@pytest.mark.parametrize("files", [["good/1.png", "good/2.png"], ["images/1.png", "train/2.png"], ["1.png"]])
def test_a_single_folder_says_nothing_about_classes(files: list[str], tmp_path: Path) -> None:
    read = read_archive(zipped({path: png() for path in files}), tmp_path)
    assert read.format == "images"
    assert set(read.images.values()) == {""}


def test_a_format_can_be_asked_for(tmp_path: Path) -> None:
    assert read_archive(zipped(YOLO), tmp_path, wanted="images").format == "images"
    one = read_archive(zipped({"set/good/1.png": png(), "set/2.png": png()}), tmp_path, wanted="folders")
    assert one.images == {"set/good/1.png": "good", "set/2.png": ""}
    with pytest.raises(DomainError) as caught:
        read_archive(zipped(YOLO), tmp_path, wanted="voc")
    assert caught.value.reason == "LABELS_NOT_FOUND"
    assert "YOLO" in caught.value.message


def test_formats_have_names_that_requests_may_use() -> None:
    for name in ("", "auto", *(each.name for each in FORMATS)):
        check_format(name)
    with pytest.raises(InvalidArgument) as caught:
        check_format("excel")
    assert caught.value.violations[0].field == "header.format"


def test_of_two_formats_the_one_with_more_labels_is_read_and_the_other_told(tmp_path: Path) -> None:
    xml = (
        "<annotation><object><name>x</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax>"
        "</bndbox></object></annotation>"
    )
    files: Files = {**YOLO, "images/b.png": png(), "labels/b.txt": "", "old/a.xml": xml}
    read = read_archive(zipped(files), tmp_path)
    assert read.format == "yolo"
    assert read.reasons == {"LABELS_OF_OTHER_FORMAT": 1}


def boxes(read: Read) -> dict[str, Counter[tuple[object, ...]]]:
    return {
        Path(path).name: Counter(
            (each.class_label, *(round(value, 1) for value in each.coordinates)) for each in found
        )
        for path, found in read.annotations.items()
    }


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("coco_format_v1", "coco"),
        ("coco_format_v2", "coco"),
        ("pascalvoc_format", "voc"),
        ("imagenet_format", "voc"),
        ("yolo_format", "yolo"),
    ],
)
def test_one_ground_truth_in_five_formats_gives_the_same_boxes(
    folder: str, name: str, shared_data: Path, tmp_path: Path
) -> None:
    sample = shared_data / "formats" / "voc100_multi"
    read = read_archive(zipped(files_below(sample / "images", sample / folder)), tmp_path)
    assert (read.format, len(read.images), read.count, len(read.classes)) == (name, 100, 273, 20)
    assert not read.problems
    reference = read_archive(zipped(files_below(sample / "images", sample / "pascalvoc_format")), tmp_path)
    assert read.labels == reference.labels
    for path, expected in reference.annotations.items():
        for label in {each.class_label for each in expected}:
            one = sorted(each.coordinates for each in expected if each.class_label == label)
            other = sorted(each.coordinates for each in read.annotations[path] if each.class_label == label)
            for left, right in zip(one, other, strict=True):
                assert left == pytest.approx(right, abs=0.011)


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "name", "images", "count"),
    [
        ("detect_raccoon_voc", "voc", 200, 217),
        ("formats/label_studio/yolo_import", "yolo", 7, 25),
        ("formats/icevision_samples/fridge_voc", "voc", 6, 12),
        ("formats/catsdogs_multi/coco_instances", "coco", 4, 45),
        ("formats/datumaro_toy/yolo_dataset/labels", "yolo", 2, 4),
        ("formats/datumaro_toy/yolo_dataset/annotations", "yolo", 1, 2),
        ("formats/datumaro_toy/yolo_dataset/strict", "yolo", 1, 2),
        ("formats/datumaro_toy/roboflow_dataset/yolo", "yolo", 3, 4),
        ("formats/datumaro_toy/roboflow_dataset/coco", "coco", 3, 3),
        ("formats/datumaro_toy/roboflow_dataset/voc", "voc", 3, 4),
        ("formats/datumaro_toy/voc_dataset/voc_dataset1", "voc", 2, 2),
        ("formats/datumaro_toy/coco_dataset/coco_instances", "coco", 2, 2),
        ("formats/datumaro_toy/coco_dataset/mmdet_coco", "coco", 2, 2),
        ("formats/datumaro_toy/kaggle_dataset/relaxed_voc1", "voc", 2, 2),
        ("classify_trees_tiny", "folders", 21, 0),
    ],
)
def test_samples_of_many_tools_come_in_without_being_told(
    folder: str, name: str, images: int, count: int, shared_data: Path, tmp_path: Path
) -> None:
    read = read_archive(tarred(files_below(shared_data / folder)), tmp_path)
    assert (read.format, len(read.images), read.count) == (name, images, count)
    assert all(each.type in AnnotationType for found in read.annotations.values() for each in found)


@pytest.mark.data
def test_odd_images_are_taken_or_refused_cleanly(shared_data: Path, tmp_path: Path) -> None:
    read = read_archive(zipped(files_below(shared_data / "formats" / "quirk_images")), tmp_path)
    assert {Path(problem.file).name: problem.reason for problem in read.problems if problem.file} == {
        "badImage.jpg": "IMAGE_UNREADABLE",
        "sky-rabbit.gif": "IMAGE_CONVERTED",
        "test_1_bands_float32.tif": "IMAGE_CONVERTED",
        "test_3_bands_float32.tif": "IMAGE_UNREADABLE",
    }
    assert len(read.images) == 9
