"""Tables of labels: Open Images, AutoML, and plain CSV with whatever columns tools write."""

import time
from pathlib import Path

import pytest

from annotateforge.dataset.annotations import AnnotationType
from tests.unit.dataset.archives import Files, png, read_archive, zipped

OPEN_IMAGES = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf"


@pytest.mark.parametrize(
    "table",
    [
        "filename,xmin,ymin,xmax,ymax,class\nx/a b.c.png,10,5,20,15,cell",
        "\ufefffilename;width;height;class;xmin;ymin;xmax;ymax\r\nA B.C.PNG;100;50;cell;10;5;20;15\r\n",
        '"image","x1","y1","x2","y2","label"\n"C:\\me\\a b.c.png","10,0",5.0,20,15,"cell"',
        "image_path\tlabel\tx\ty\tw\th\na b.c\tcell\t10\t5\t10\t10",
        "Image Name,Label,bbox\na b.c.png,cell,\"[10, 5, 10, 10]\"\na b.c.png,,",
        "image,label,cx,cy,w,h\na b.c.png,cell,15,10,10,10",
        "image,label,xmin,ymin,xmax,ymax\na b.c.png,cell,0.1,0.1,0.2,0.3",
        "file,cell_type,xmin,xmax,ymin,ymax\na b.c.png,cell,10,20,5,15",
        "/home/me/a b.c.png,10,5,20,15,cell\n/home/me/a b.c.png,,,,,",
        "a b.c.png,cell,10,5,20,15",
        "image,label,geometry\na b.c.png,cell,\"POLYGON ((10 5, 20 5, 20 15, 10 15, 10 5))\"",
        "image,label,xmin,ymin,xmax,ymax,geometry\n"
        "a b.c.png,cell,10,5,20,15,\"POLYGON ((10 5, 20 5, 20 15, 10 15, 10 5))\"",
        f"{OPEN_IMAGES}\na b.c,,cell,,\"0,1\",\"0,2\",\"0,1\",\"0,3\",,,",
        "TRAIN,gs://bucket/x/a%20b.c.png,cell,0.1,0.1,0.2,0.1,0.2,0.3,0.1,0.3",
        "gs://bucket/x/a b.c.png,cell,0.1,0.1,,,0.2,0.3,,",
    ],
)  # fmt: skip
def test_one_box_in_many_tables_is_the_same_box(table: str, tmp_path: Path) -> None:
    files: Files = {"deep/set/a b.c.png": png(100, 50), "deep/labels.csv": table}
    read = read_archive(zipped(files), tmp_path)
    assert read.format in ("csv", "openimages", "automl")
    (found,) = read.annotations["deep/set/a b.c.png"]
    assert found.class_label == "cell"
    xs, ys = found.coordinates[::2], found.coordinates[1::2]
    assert (min(xs), min(ys), max(xs), max(ys)) == pytest.approx((10, 5, 20, 15))
    assert (found.type is AnnotationType.POLYGON) is (table.startswith("image,label,geometry"))
    assert set(read.reasons) <= {"BOX_COLUMN_INTERPRETED"}


def test_utf_16_of_spreadsheets_is_read(tmp_path: Path) -> None:
    table = "filename\tclass\txmin\tymin\txmax\tymax\n\u56fe.png\t\u732b\t1\t2\t3\t4\n".encode("utf-16")
    read = read_archive(zipped({"\u56fe.png": png(), "a.csv": table}), tmp_path)
    assert dict(read.labels) == {"\u732b": 1}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("image_name,label_name\na,dog\nb.png,cat\n", {"a.png": "dog", "b.png": "cat"}),
        ("filename, dog, cat\na.png, 1, 0\nb.png, 0, 1\n", {"a.png": "dog", "b.png": "cat"}),
        ("ImageID,Source,LabelName,Confidence\na,x,/m/1,1\nb,x,/m/1,0\n", {"a.png": "dog", "b.png": ""}),
        ("TRAIN,gs://x/a.png,dog\n,gs://x/b.png,cat\n", {"a.png": "dog", "b.png": "cat"}),
    ],
)
def test_tables_without_boxes_give_image_classes(
    table: str, expected: dict[str, str], tmp_path: Path
) -> None:
    names = "LabelName,DisplayName\n/m/1,dog\n"
    files: Files = {"a.png": png(), "b.png": png(), "labels.csv": table, "class-descriptions.csv": names}
    read = read_archive(zipped(files), tmp_path)
    assert (read.images, read.problems) == (expected, [])


def test_an_image_of_two_classes_is_reported(tmp_path: Path) -> None:
    read = read_archive(zipped({"a.png": png(), "x.csv": "filename,class\na.png,dog\na.png,cat\n"}), tmp_path)
    assert read.images == {"a.png": "dog"}
    assert [(each.reason, each.line) for each in read.problems] == [("IMAGE_CLASS_AMBIGUOUS", 3)]


def test_the_same_rows_in_a_second_table_come_in_once(tmp_path: Path) -> None:
    table = "filename,xmin,ymin,xmax,ymax,class\na.png,1,2,3,4,cell\n"
    files: Files = {"a.png": png(), "all.csv": table, "train.csv": table}
    read = read_archive(zipped(files), tmp_path)
    assert (read.count, read.reasons) == (1, {"LABELS_REPEATED": 1})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.png,cell,ten,5,20,15,", "LABEL_MALFORMED"),
        ("a.png,cell,nan,5,20,15,", "LABEL_MALFORMED"),
        ("a.png,cell,10,5,20", "LABEL_MALFORMED"),
        ("a.png,,10,5,20,15,", "LABEL_MALFORMED"),
        ("a.png,cell,10,5,10,15,", "ANNOTATION_INVALID"),
        ("gone.png,cell,10,5,20,15,", "IMAGE_MISSING"),
        ("a.png,cell,,,,,POINT (3 4)", "SHAPE_UNSUPPORTED"),
        ("a.png,cell,,,,,POLYGON EMPTY", "LABEL_MALFORMED"),
    ],
)
def test_a_wrong_row_of_plain_csv_is_reported_with_its_line(row: str, reason: str, tmp_path: Path) -> None:
    table = (
        f"filename,class,xmin,ymin,xmax,ymax,geometry\na.png,cell,1,2,3,4,\n\n{row}\na.png,cell,1,2,3,5,\n"
    )
    read = read_archive(zipped({"a.png": png(100, 50), "a.csv": table}), tmp_path)
    assert (read.format, read.count) == ("csv", 2)
    assert [(each.reason, each.file, each.line) for each in read.problems] == [(reason, "a.csv", 4)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,,cell,1,10,20,5,15,0,0,0", "COORDINATES_NOT_NORMALIZED"),
        ("a,,cell,1,0.1,,0.1,0.2,0,0,0", "LABEL_MALFORMED"),
        ("a,,,1,0.1,0.2,0.1,0.2,0,0,0", "LABEL_MALFORMED"),
        ("a,,cell,1,0.1,0.2,0.1,0.2,0,0,1", "CROWD_LEFT_OUT"),
        ("gone,,cell,1,0.1,0.2,0.1,0.2,0,0,0", "IMAGE_MISSING"),
    ],
)
def test_a_wrong_row_of_open_images_is_reported_with_its_line(row: str, reason: str, tmp_path: Path) -> None:
    table = f"{OPEN_IMAGES}\na,,cell,0.5,0.1,0.2,0.1,0.2,0,0,0\n{row}\n"
    read = read_archive(zipped({"a.png": png(100, 50), "a.csv": table}), tmp_path)
    assert (read.format, read.annotations["a.png"][0].confidence, read.count) == ("openimages", 0.5, 1)
    assert [(each.reason, each.line) for each in read.problems] == [(reason, 3)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("TEST,gs://x/a.png,cell,10,10,20,10,20,30,10,30", "COORDINATES_NOT_NORMALIZED"),
        ("TEST,gs://x/a.png,cell,0.1,0.1,,,,,,", "LABEL_MALFORMED"),
        ("TEST,a.png,cell,0.1,0.1,0.2,0.1,0.2,0.3,0.1,0.3", "LABEL_MALFORMED"),
        ("TEST,gs://x/gone.png,cell,0.1,0.1,0.2,0.1,0.2,0.3,0.1,0.3", "IMAGE_MISSING"),
    ],
)
def test_a_wrong_row_of_automl_is_reported_with_its_line(row: str, reason: str, tmp_path: Path) -> None:
    right = "TRAIN,gs://x/a.png,cell,0.1,0.1,0.2,0.1,0.2,0.3,0.1,0.3\n"
    read = read_archive(zipped({"a.png": png(100, 50), "a.csv": f"{right}{right}{row}\n"}), tmp_path)
    assert (read.format, read.count) == ("automl", 2)
    assert [(each.reason, each.line) for each in read.problems] == [(reason, 3)]


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\xff",
        b"filename,xmin,ymin,xmax,ymax,class\na.png,1,2,3,4,\xff\xff\n",
        b"filename,xmin,ymin,xmax,ymax,class\na.png,1,2,3,4,cell\n" + b"x" * (9 << 20),
        b'filename,class\n"' + b"x\n" * 1_000_000,
        b"\0\0\0",
        b"filename," * 100_000,
        b"name,age\nann,3\n",
    ],
)
def test_a_hostile_or_other_table_is_no_crash(content: bytes, tmp_path: Path) -> None:
    began = time.perf_counter()
    read_archive(zipped({"a.png": png(), "a.csv": content}), tmp_path)
    assert time.perf_counter() - began < 20


def test_a_table_that_is_no_utf_8_is_recognised_and_said_to_be_none(tmp_path: Path) -> None:
    table = "filename,class,xmin,ymin,xmax,ymax\na.png,b\u00e4r,1,1,5,5\n".encode("latin-1")
    read = read_archive(zipped({"a.png": png(), "a.csv": table}), tmp_path)
    assert read.format == "csv"
    assert "LABEL_FILE_MALFORMED" in read.reasons
