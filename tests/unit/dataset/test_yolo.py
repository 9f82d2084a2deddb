"""YOLO labels in all their layouts."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.imports.label_format import Size
from annotateforge.dataset.imports.yolo import LineMalformed, in_pixels, parse_fields
from tests.unit.dataset.archives import Files, png, read_archive, zipped

LINE = "0 0.5 0.5 0.2 0.4\n"


def layout(images: str, labels: str, *names: str) -> Files:
    files = {f"{images}/{name}.png": png(100, 50) for name in names}
    return {**files, **{f"{labels}/{name}.txt": LINE for name in names}}


@pytest.mark.parametrize(
    "files",
    [
        layout("images", "labels", "a", "b"),
        layout("deep/down/set/images/train", "deep/down/set/labels/train", "a", "b"),
        layout("train/images", "train/labels", "a", "b"),
        layout("obj_train_data", "obj_train_data", "a", "b"),
        layout("Images", "Annotations", "a", "b"),
        layout("photos", "somewhere/else", "a", "b"),
        layout(".", ".", "a", "b"),
        {**layout("train/images", "train/labels", "1"), **layout("valid/images", "valid/labels", "1")},
        {**layout("images/train", "labels/train", "1"), **layout("images/val", "labels/val", "1")},
    ],
)
def test_labels_find_their_images_in_every_layout(files: Files, tmp_path: Path) -> None:
    read = read_archive(zipped({**files, "data.yaml": "names: [cell]"}), tmp_path)
    assert (read.format, len(read.images), read.count) == ("yolo", 2, 2)
    assert set(map(len, read.annotations.values())) == {1}
    assert not read.problems


def test_a_label_of_one_split_does_not_go_to_the_image_of_the_other(tmp_path: Path) -> None:
    files: Files = {
        "images/train/1.png": png(),
        "images/val/1.png": png(),
        "labels/train/1.txt": LINE,
        "data.yaml": "names: [cell]",
    }
    read = read_archive(zipped(files), tmp_path)
    assert set(read.annotations) == {"images/train/1.png"}
    assert read.reasons == {"IMAGES_WITHOUT_LABELS": 1}


def test_two_encodings_of_one_picture_share_a_label_file(tmp_path: Path) -> None:
    files: Files = {"a.png": png(), "a.PNG.png": png(), "b/a.png": png(), "a.bmp": png(), "a.txt": LINE}
    read = read_archive(zipped(files), tmp_path)
    assert set(read.annotations) == {"a.png", "a.bmp"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"data.yaml": "path: /home/me/x\ntrain: ../train/images\nnames: [cell, dust]"}, "dust"),
        ({"data.yaml": "names:\n  0: cell\n  1: dust\n"}, "dust"),
        ({"data.yml": "names: {'0': cell, '1': dust}"}, "dust"),
        ({"set/dataset.yaml": "nc: 2\nnames: [cell, 7]"}, "7"),
        ({"classes.txt": "cell\r\ndust\r\n\r\n"}, "dust"),
        ({"labels/classes.txt": "\ufeffcell\ndust"}, "dust"),
        ({"obj.names": "cell\ndust\n", "obj.data": "classes = 2"}, "dust"),
        ({"train/_darknet.labels": "cell\ndust\n"}, "dust"),
        ({"data.yaml": "names: [a, b]", "labels/classes.txt": "cell\ndust\n"}, "dust"),
        ({}, "1"),
    ],
)
def test_class_names_are_found_wherever_tools_write_them(files: Files, expected: str, tmp_path: Path) -> None:
    read = read_archive(
        zipped({**files, "images/a.png": png(), "labels/a.txt": "1 0.5 0.5 0.2 0.4"}), tmp_path
    )
    assert (read.format, dict(read.labels)) == ("yolo", {expected: 1})
    assert (read.reasons == {"CLASS_NAMES_MISSING": 1}) is (not files)


def test_classes_are_named_in_the_order_of_their_ids(tmp_path: Path) -> None:
    yaml = "names: {2: c, 0: a, 1: b}"
    read = read_archive(zipped({"data.yaml": yaml, "a.png": png(), "a.txt": LINE}), tmp_path)
    assert read.classes == ["a", "b", "c"]


def test_a_hostile_yaml_is_a_problem_and_no_more(tmp_path: Path) -> None:
    laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
    merges = "a: &k {x: y}\n" + "".join(
        f"k{n}: &k{n} {{<<: [{','.join([f'*k{n - 1}' if n else '*k'] * 10)}]}}\n" for n in range(8)
    )
    files: Files = {
        "bomb.yaml": laughs + "names: *j\n",
        "merges.yaml": merges + "names: *k7\n",
        "number.yaml": f"names: [{'1:' * 100_000}1]",
        "code.yaml": "names: !!python/object/apply:os.system ['true']",
        "deep.yaml": "names: " + "[" * 5000,
        "a.png": png(),
        "a.txt": LINE,
    }
    read = read_archive(zipped(files), tmp_path)
    assert read.count == 1
    assert read.reasons["LABEL_FILE_MALFORMED"] == 1


def test_class_names_are_taken_as_they_are_written(tmp_path: Path) -> None:
    lines = "\n".join(f"{number}{LINE[1:]}" for number in range(4))
    files: Files = {"data.yaml": "names: [no, 1.0, 1:30, 2024-01-02]", "a.png": png(), "a.txt": lines}
    read = read_archive(zipped(files), tmp_path)
    assert [found.class_label for found in read.annotations["a.png"]] == ["no", "1.0", "1:30", "2024-01-02"]


def test_boxes_and_polygons_may_stand_in_one_file(tmp_path: Path) -> None:
    text = "0 0.5 0.5 0.2 0.4\n0 0.1 0.1 0.9 0.1 0.9 0.9\n0 0.5 0.5 0.2 0.4 0.75\n"
    read = read_archive(zipped({"a.png": png(100, 50), "a.txt": text}), tmp_path)
    box, polygon, predicted = read.annotations["a.png"]
    assert box.type is AnnotationType.BOX
    assert box.coordinates == pytest.approx((40, 15, 60, 35))
    assert polygon.type is AnnotationType.POLYGON
    assert polygon.coordinates == pytest.approx((10, 5, 90, 5, 90, 45))
    assert (predicted.type, predicted.confidence) == (AnnotationType.BOX, 0.75)


def test_key_points_are_left_and_their_boxes_taken(tmp_path: Path) -> None:
    files: Files = {
        "data.yaml": "names: [person]\nkpt_shape: [2, 3]",
        "a.png": png(),
        "a.txt": "0 0.5 0.5 0.2 0.4 0.4 0.4 2 0.6 0.6 1\n",
    }
    (person,) = read_archive(zipped(files), tmp_path).annotations["a.png"]
    assert person.type is AnnotationType.BOX


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("cell 0.5 0.5 0.2 0.4", "LABEL_MALFORMED"),
        ("0 0.5 0.5 0.2", "LABEL_MALFORMED"),
        ("0 0.5 0.5 0.2 0.4 0.1 0.2 0.3", "LABEL_MALFORMED"),
        ("-1 0.5 0.5 0.2 0.4", "LABEL_MALFORMED"),
        ("0.5 0.5 0.5 0.2 0.4", "LABEL_MALFORMED"),
        ("0 nan 0.5 0.2 0.4", "LABEL_MALFORMED"),
        ("0 inf 0.5 0.2 0.4", "LABEL_MALFORMED"),
        ("0 120 80 30 40", "COORDINATES_NOT_NORMALIZED"),
        ("0 0.5 0.5 0.2 -0.4", "COORDINATES_NOT_NORMALIZED"),
        ("0 0.5 1.2 0.2 0.4", "COORDINATES_NOT_NORMALIZED"),
        ("7 0.5 0.5 0.2 0.4", "CLASS_OUT_OF_RANGE"),
        ("0 0.5 0.5 0 0.4", "ANNOTATION_INVALID"),
    ],
)
def test_a_wrong_line_is_reported_with_its_number_and_left_out(
    line: str, reason: str, tmp_path: Path
) -> None:
    files: Files = {"a.png": png(), "a.txt": f"{LINE}\n{line}\n{LINE}", "data.yaml": "names: [cell]"}
    read = read_archive(zipped(files), tmp_path)
    assert read.count == 2
    assert [(problem.reason, problem.file, problem.line) for problem in read.problems] == [
        (reason, "a.txt", 3)
    ]


def test_numbers_just_outside_are_taken_as_ultralytics_takes_them(tmp_path: Path) -> None:
    read = read_archive(
        zipped({"a.png": png(), "a.txt": "0.0 1.005 0.5 0.2 -0.005\n0 1.005 0.5 0.2 1"}), tmp_path
    )
    assert read.count == 1


def test_text_that_is_no_label_does_not_make_a_yolo_set(tmp_path: Path) -> None:
    read = read_archive(
        zipped({"a.png": png(), "a.txt": "A cat on a mat.", "README.txt": "0 1 2 3 4"}), tmp_path
    )
    assert (read.format, read.count) == ("images", 0)
    assert read.reasons == {"LABELS_NOT_RECOGNISED": 1}


def test_a_set_of_background_images_is_still_yolo(tmp_path: Path) -> None:
    read = read_archive(
        zipped({"images/a.png": png(), "labels/a.txt": "", "data.yaml": "names: [x]"}), tmp_path
    )
    assert (read.format, len(read.images), read.count, read.problems) == ("yolo", 1, 0, [])


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters=" \t\n\r"), min_size=1), min_size=1))
def test_any_line_is_a_label_or_malformed_and_nothing_else(fields: list[str]) -> None:
    try:
        class_id, numbers = parse_fields(fields)
    except LineMalformed:
        return
    assert class_id >= 0
    assert len(numbers) in (4, 5) or len(numbers) % 2 == 0
    assert all(-0.01 <= number <= 1.01 for number in numbers)


@given(
    st.tuples(*[st.floats(0, 1)] * 4),
    st.integers(1, 20_000),
    st.integers(1, 20_000),
)
def test_pixels_lead_back_to_the_shares_they_came_from(
    box: tuple[float, float, float, float], width: int, height: int
) -> None:
    _, numbers = parse_fields(["0", *map(repr, box)])
    left, top, right, bottom = in_pixels(numbers, Size(width, height), "cell").coordinates
    assert (left + right) / 2 / width == pytest.approx(box[0], abs=1e-9)
    assert (bottom - top) / height == pytest.approx(box[3], abs=1e-9)


def test_one_spoilt_file_does_not_hide_the_others(tmp_path: Path) -> None:
    files: Files = {f"{n}.png": png() for n in range(4)}
    labels: Files = {"0.txt": "a cat", **{f"{n}.txt": LINE for n in range(1, 4)}}
    read = read_archive(zipped({**files, **labels, "classes.txt": "cell"}), tmp_path)
    assert (read.format, read.count) == ("yolo", 3)
    assert [(each.reason, each.file, each.line) for each in read.problems] == [
        ("LABEL_MALFORMED", "0.txt", 1)
    ]


def test_lists_of_images_name_what_the_archive_lacks_by_the_paths_of_any_machine(tmp_path: Path) -> None:
    files: Files = {
        "set/obj.names": "cell\n",
        "set/obj.data": "classes = 1\ntrain = data/train.txt\nnames = data/obj.names",
        "set/train.txt": "C:\\me\\data\\obj\\a b.c.png\r\n/home/me/obj/gone.jpg\r\n./obj/\u56fe.png\n",
        "set/obj/a b.c.png": png(),
        "set/obj/a b.c.txt": LINE,
        "set/obj/\u56fe.png": png(),
        "set/obj/\u56fe.txt": LINE,
    }
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.count) == ("yolo", 2)
    assert [(each.reason, each.file, each.line) for each in read.problems] == [
        ("IMAGE_MISSING", "set/train.txt", 2)
    ]


def test_an_image_called_train_keeps_its_labels(tmp_path: Path) -> None:
    files: Files = {"train.png": png(), "train.txt": LINE, "classes.txt": "cell"}
    read = read_archive(zipped(files), tmp_path)
    assert (read.count, read.problems) == (1, [])


def test_a_label_may_be_named_after_the_whole_name_of_its_image(tmp_path: Path) -> None:
    files: Files = {"images/a.png": png(), "labels/a.png.txt": LINE, "classes.txt": "cell"}
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.count, read.problems) == ("yolo", 1, [])


def test_paths_of_windows_in_quotes_do_not_hide_the_class_names(tmp_path: Path) -> None:
    yaml = 'path: "C:\\Users\\me\\x"\ntrain: "C:\\Users\\me\\x\\train"\nnames: [cell]\n'
    read = read_archive(zipped({"data.yaml": yaml, "a.png": png(), "a.txt": LINE}), tmp_path)
    assert (dict(read.labels), read.problems) == ({"cell": 1}, [])


def test_class_names_in_another_encoding_are_reported(tmp_path: Path) -> None:
    files: Files = {"classes.txt": "ok\n\u4eba\u7c7b".encode("gb18030"), "a.png": png(), "a.txt": LINE}
    read = read_archive(zipped(files), tmp_path)
    assert [(each.reason, each.file, each.line) for each in read.problems] == [
        ("LABEL_FILE_MALFORMED", "classes.txt", 2)
    ]


def test_yolo_classify_is_read_by_its_folders_also_beside_a_data_yaml(tmp_path: Path) -> None:
    files: Files = {
        "set/data.yaml": "train: train\nval: val\nnames: [bad, good]",
        **{f"set/{side}/{name}/1.png": png() for side in ("train", "val") for name in ("good", "bad")},
    }
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.classes) == ("folders", ["bad", "good"])
    assert read.images["set/val/bad/1.png"] == "bad"
