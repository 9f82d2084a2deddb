"""KITTI's object labels."""

from pathlib import Path

import pytest

from annotateforge.dataset.annotations import AnnotationType
from tests.unit.dataset.archives import Files, png, read_archive, zipped

LINE = "Car 0.00 0 -1.57 10.5 20 30 40.25 1.5 1.6 3.9 2.1 1.4 8.4 0.01"


@pytest.mark.parametrize("under", ["", "export/a folder/\u56fe/"])
@pytest.mark.parametrize(
    "folders", [("training/image_2", "training/label_2"), ("x", "x"), ("images", "labels")]
)
def test_boxes_are_those_in_the_image(under: str, folders: tuple[str, str], tmp_path: Path) -> None:
    files: Files = {
        f"{under}{folders[0]}/000 1.b.png": png(100, 50),
        f"{under}{folders[1]}/000 1.b.txt": f"{LINE}\r\n{LINE} 0.5\n{LINE} -3.5\n",
    }
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.classes, read.problems) == ("kitti", ["Car"], [])
    (found,) = read.annotations.values()
    assert {(each.type, each.coordinates) for each in found} == {(AnnotationType.BOX, (10.5, 20, 30, 40.25))}
    assert [each.confidence for each in found] == [None, 0.5, None]


def test_labels_belong_to_the_left_camera(tmp_path: Path) -> None:
    files: Files = {f"training/image_{n}/1.png": png(100, 50) for n in (2, 3)}
    read = read_archive(zipped({**files, "training/label_2/1.txt": LINE}), tmp_path)
    assert set(read.annotations) == {"training/image_2/1.png"}
    assert read.reasons == {"IMAGES_WITHOUT_LABELS": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Car 0 0 0 1 2 3 4", "LABEL_MALFORMED"),
        (LINE.replace("10.5", "ten"), "LABEL_MALFORMED"),
        (LINE.replace("10.5", "nan"), "LABEL_MALFORMED"),
        (LINE.replace("10.5", "30"), "ANNOTATION_INVALID"),
        (LINE.replace("Car", "DontCare"), "CROWD_LEFT_OUT"),
    ],
)
def test_what_is_no_object_is_reported_with_its_line(line: str, reason: str, tmp_path: Path) -> None:
    files: Files = {"a.png": png(100, 50), "a.txt": f"{LINE}\n\n{line}\n{LINE}"}
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.count) == ("kitti", 2)
    assert [(each.reason, each.file, each.line) for each in read.problems] == [(reason, "a.txt", 3)]


def test_a_label_file_without_image_is_reported(tmp_path: Path) -> None:
    read = read_archive(zipped({"a.png": png(100, 50), "a.txt": LINE, "b.txt": LINE}), tmp_path)
    assert [(each.reason, each.file) for each in read.problems] == [("LABEL_WITHOUT_IMAGE", "b.txt")]
