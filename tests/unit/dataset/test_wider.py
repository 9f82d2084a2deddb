"""Faces of WIDER."""

from pathlib import Path

import pytest

from annotateforge.dataset.annotations import AnnotationType
from tests.unit.dataset.archives import Files, png, read_archive, zipped

FLAGS = "0 0 0 0 0 0"
LIST = "wider_face_split/wider_face_train_bbx_gt.txt"
IMAGE = "WIDER_train/images/0--Parade/a b.png"


def test_faces_are_read_and_an_image_without_any_is_no_problem(tmp_path: Path) -> None:
    text = f"0--Parade/a b.png\n2\n1 2 30 20 {FLAGS} \n5 5 5 5 0 0 0 1 0 0\n"
    text += f"0--Parade/none.png\n0\n0 0 0 0 {FLAGS}\n"
    files: Files = {f"deep/down/{IMAGE}": png(100, 50), "deep/down/x/0--Parade/none.png": png()}
    read = read_archive(zipped({**files, f"deep/down/{LIST}": text}), tmp_path)
    assert (read.format, read.classes) == ("wider", ["face"])
    first, second = read.annotations[f"deep/down/{IMAGE}"]
    assert first.type is AnnotationType.BOX
    assert [first.coordinates, second.coordinates] == [(1, 2, 31, 22), (5, 5, 10, 10)]
    assert [(each.reason, each.line) for each in read.problems] == [("LABELS_MARKED_INVALID", 4)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"C:\\x\\a b.png\n2\n1 2 3 4 {FLAGS}\n", ("LABEL_MALFORMED", 1)),
        (f"a b.png\n1\n1 2 3 4 {FLAGS}\ngone.png\n1\n1 2 3 4 {FLAGS}\n", ("IMAGE_MISSING", 4)),
        (f"a b.png\n2\n1 2 3 4 {FLAGS}\n1 2 3 x\n", ("LABEL_MALFORMED", 4)),
        (f"a b.png\n2\n1 2 3 4 {FLAGS}\n1 2 0 4 {FLAGS}\n", ("ANNOTATION_INVALID", 4)),
        (f"a b.png\n2\n1 2 3 4 {FLAGS}\n1 2 inf 4 {FLAGS}\n", ("LABEL_MALFORMED", 4)),
    ],
)
def test_trouble_is_reported_with_its_line_and_the_rest_is_read(
    text: str, problem: tuple[str, int], tmp_path: Path
) -> None:
    read = read_archive(zipped({IMAGE: png(100, 50), LIST: text}), tmp_path)
    assert (read.format, read.count) == ("wider", 1)
    assert [(each.reason, each.line) for each in read.problems] == [problem]


def test_a_line_without_end_is_reported_and_not_held(tmp_path: Path) -> None:
    text = f"a b.png\n1\n1 2 3 4 {FLAGS}\n" + "1" * (20 << 20)
    read = read_archive(zipped({IMAGE: png(100, 50), LIST: text}), tmp_path)
    assert read.count == 1
    assert [(each.reason, each.line) for each in read.problems] == [("LABEL_FILE_MALFORMED", 4)]
