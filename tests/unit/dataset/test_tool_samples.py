"""Real exports of annotation tools come in with the counts that were found by looking at them."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from annotateforge.dataset.annotations import Annotation, AnnotationType
from tests.unit.dataset.archives import Files, Read, files_below, read_archive, tarred, zipped

pytestmark = pytest.mark.data

SAMPLES: dict[str, tuple[str, int, dict[str, int], dict[str, int]]] = {
    # Folders of ../shared/data: format, images, shapes by type, problems by reason.
    "segment_fruitnuts_labelme": ("labelme", 18, {"polygon": 165}, {}),
    "formats/datumaro_toy/labelme_dataset": (
        "labelme_xml",
        1,
        {"polygon": 4, "box": 3},
        {"MASK_UNSUPPORTED": 1},
    ),
    "formats/catsdogs_multi/images formats/catsdogs_multi/via": (
        "via",
        6,
        {"polygon": 7, "circle": 1},
        {"CLASS_ATTRIBUTE_CHOSEN": 1, "SHAPE_UNSUPPORTED": 2},
    ),
    "formats/icevision_samples/via_bbox": (
        "via",
        2,
        {"polygon": 9, "box": 1},
        {"CLASS_ATTRIBUTE_CHOSEN": 1},
    ),
    "formats/label_studio/yolo_import/images formats/label_studio/yolo_import/derived": (
        "label_studio",
        7,
        {"box": 25},
        {},
    ),
    "formats/datumaro_toy/cvat_dataset": (
        "cvat",
        2,
        {"box": 1, "polygon": 1},
        {"SHAPE_UNSUPPORTED": 2, "LABEL_WITHOUT_CLASS": 1},
    ),
    "formats/catsdogs_multi/supervisely_vector": (
        "supervisely",
        6,
        {"box": 2, "polygon": 3},
        {"SHAPE_UNSUPPORTED": 3},
    ),
    "formats/catsdogs_multi/supervisely_keypoints": ("supervisely", 2, {}, {"SHAPE_UNSUPPORTED": 2}),
    "formats/catsdogs_multi/images formats/catsdogs_multi/labelbox_vector": (
        "labelbox",
        7,
        {"box": 3, "polygon": 3},
        # cat1.jpg is there twice, and its labels belong to the one beside the file.
        {"SHAPE_UNSUPPORTED": 2, "IMAGES_WITHOUT_LABELS": 1},
    ),
    "formats/catsdogs_multi/images formats/catsdogs_multi/vott": ("vott", 6, {"box": 3, "polygon": 3}, {}),
    # The source ships no images with these, so those of another sample stand in.
    "formats/label_studio/json_exports formats/catsdogs_multi/images": (
        "label_studio",
        6,
        {},
        {"IMAGE_MISSING": 3, "IMAGES_WITHOUT_LABELS": 1},
    ),
    "formats/label_studio/json_export_mixed formats/catsdogs_multi/images": (
        "label_studio",
        6,
        {},
        {"IMAGE_MISSING": 1, "IMAGES_WITHOUT_LABELS": 1},
    ),
}


@pytest.mark.parametrize("folders", SAMPLES)
def test_samples_come_in_without_being_told(folders: str, shared_data: Path, tmp_path: Path) -> None:
    name, images, shapes, problems = SAMPLES[folders]
    files = files_below(*(shared_data / folder for folder in folders.split(" ")), under="a/b c/")
    read = read_archive(tarred(files), tmp_path)
    assert (read.format, len(read.images)) == (name, images)
    assert Counter(each.type.value for each in all_of(read)) == shapes
    assert read.reasons == problems


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        ("labelme_circle", "labelme"),
        ("via_circles.json", "via"),
        ("label_studio_ellipse.json", "label_studio"),
        ("cvat_ellipse.xml", "cvat"),
    ],
)
def test_circles_of_coins_come_in_exactly(labels: str, name: str, shared_data: Path, tmp_path: Path) -> None:
    coins = shared_data / "circles_coins_a"
    below = coins / "derived" / labels
    files: Files = {
        **files_below(coins / "images"),
        **(files_below(below) if below.is_dir() else {f"labels/{labels}": below}),
    }
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, len(read.images), read.count, read.problems) == (name, 20, 101, [])
    with (coins / "derived" / "expected_boxes.csv").open(encoding="utf-8", newline="") as file:
        expected = list(csv.DictReader(file))
    found = {Path(path).name: iter(each) for path, each in read.annotations.items()}
    for row in expected:
        annotation = next(found[row["filename"]])
        assert (annotation.type, annotation.class_label) == (AnnotationType.CIRCLE, row["class"])
        x, y, radius = annotation.coordinates
        assert (x - radius, y - radius, x + radius, y + radius) == pytest.approx(
            tuple(float(row[side]) for side in ("xmin", "ymin", "xmax", "ymax")), abs=1e-9
        )


def test_the_boxes_of_voc100_are_the_same_in_labelme(shared_data: Path, tmp_path: Path) -> None:
    sample = shared_data / "formats" / "voc100_multi"
    read = read_archive(zipped(files_below(sample / "images", sample / "labelme_format")), tmp_path)
    # 13 of the 100 files were kept.
    assert (read.format, len(read.images), read.count) == ("labelme", 100, 28)
    assert_same_boxes(read, reference_boxes(sample, tmp_path))


def test_the_boxes_of_voc100_are_the_same_in_cvat(shared_data: Path, tmp_path: Path) -> None:
    sample = shared_data / "formats" / "voc100_multi"
    read = read_archive(zipped(files_below(sample / "images", sample / "cvat_format")), tmp_path)
    assert (read.format, len(read.images), read.count, len(read.classes)) == ("cvat", 100, 273, 20)
    assert not read.problems
    reference = reference_boxes(sample, tmp_path)
    assert read.labels == reference.labels
    assert_same_boxes(read, reference)


def test_buses_in_label_studio_are_those_in_yolo(shared_data: Path, tmp_path: Path) -> None:
    sample = shared_data / "formats" / "label_studio" / "yolo_import"
    read = read_archive(zipped(files_below(sample / "images", sample / "derived")), tmp_path)
    yolo = files_below(sample / "images", sample / "labels")
    reference = read_archive(zipped({**yolo, "classes.txt": sample / "classes.txt"}), tmp_path)
    assert (read.format, reference.format, read.count) == ("label_studio", "yolo", 25)
    assert_same_boxes(read, reference)


def reference_boxes(sample: Path, folder: Path) -> Read:
    return read_archive(zipped(files_below(sample / "images", sample / "pascalvoc_format")), folder)


def assert_same_boxes(read: Read, reference: Read) -> None:
    """Within 0.01 px, on the images that both label."""
    for path, found in read.annotations.items():
        one, other = in_order(found), in_order(reference.annotations[path])
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert left.class_label == right.class_label
            assert left.coordinates == pytest.approx(right.coordinates, abs=0.01)


def in_order(annotations: list[Annotation]) -> list[Annotation]:
    return sorted(
        annotations, key=lambda each: (each.class_label, [round(value) for value in each.coordinates])
    )


def all_of(read: Read) -> list[Annotation]:
    return [each for found in read.annotations.values() for each in found]
