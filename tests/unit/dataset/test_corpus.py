"""Every folder of real samples comes in without being told, with the counts that are written down here."""

from pathlib import Path
from typing import NamedTuple

import pytest

from annotateforge.dataset.annotations import Annotation
from tests.unit.dataset.archives import files_below, read_archive, zipped
from tests.unit.dataset.test_tool_samples import SAMPLES as TOOL_SAMPLES

BOXES = 273
VOC100 = {
    "coco_format_v1": "coco",
    "coco_format_v2": "coco",
    "imagenet_format": "voc",
    "yolo_format": "yolo",
    "openimages_format": "openimages",
}
"""Folders of one ground truth, with their formats; that of VOC is what they are compared with."""
VOC100_ELSEWHERE = ("pascalvoc_format", "labelme_format", "cvat_format")


class Sample(NamedTuple):
    """A folder below shared/data, and what it gives."""

    folder: str
    format: str
    images: int
    annotations: int
    classified: int = 0
    """Images with a class of their own."""
    reasons: frozenset[str] = frozenset()
    """Reasons of all problems."""


def sample(
    folder: str, name: str, images: int, annotations: int, *reasons: str, classified: int = 0
) -> Sample:
    return Sample(folder, name, images, annotations, classified, frozenset(reasons))


TOY = "formats/datumaro_toy"
SAMPLES = [
    sample("detect_raccoon_voc", "voc", 200, 217, "LABELS_OF_OTHER_FORMAT"),
    sample("classify_trees_tiny", "folders", 21, 0, "IMAGE_WITHOUT_CLASS", classified=20),
    sample("formats/label_studio/yolo_import", "yolo", 7, 25, "LABELS_OF_OTHER_FORMAT"),
    sample("formats/icevision_samples/fridge_voc", "voc", 6, 12),
    # Masks, whose classes stand in no file that is read.
    sample("formats/label_studio/coco_import", "images", 0, 0, "LABELS_NOT_RECOGNISED"),
    sample(
        "formats/quirk_images",
        *("images", 9, 0, "LABELS_NOT_RECOGNISED", "IMAGE_UNREADABLE", "IMAGE_CONVERTED"),
    ),
    sample("formats/catsdogs_multi/labelbox_vector", "labelbox", 1, 1, "IMAGE_MISSING", "SHAPE_UNSUPPORTED"),
    sample("formats/catsdogs_multi/coco_instances", "coco", 4, 45, "CROWD_LEFT_OUT"),
    sample("formats/catsdogs_multi/coco_keypoints", "coco", 2, 18, "CROWD_LEFT_OUT"),
    sample(
        "formats/deepforest_trees",
        "csv",
        *(7, 167, "LABELS_OF_OTHER_FORMAT", "IMAGES_WITHOUT_LABELS", "SHAPE_UNSUPPORTED"),
    ),
    sample(
        f"{TOY}/coco_dataset/coco", "coco", 2, 2, "LABEL_FILE_IGNORED", "CROWD_LEFT_OUT", "LABEL_MALFORMED"
    ),
    sample(f"{TOY}/coco_dataset/coco_instances", "coco", 2, 2, "CROWD_LEFT_OUT"),
    sample(f"{TOY}/coco_dataset/coco_panoptic", "coco", 2, 0, "IMAGES_WITHOUT_LABELS", "LABEL_FILE_IGNORED"),
    sample(f"{TOY}/coco_dataset/mmdet_coco", "coco", 2, 2, "CROWD_LEFT_OUT"),
    sample(f"{TOY}/imagenet_dataset", "folders", 4, 0, "IMAGE_WITHOUT_CLASS", classified=3),
    sample(f"{TOY}/imagenet_subsets_dataset", "folders", 12, 0, "IMAGE_WITHOUT_CLASS", classified=9),
    sample(f"{TOY}/kaggle_dataset/image_csv", "csv", 5, 0, classified=5),
    sample(f"{TOY}/kaggle_dataset/image_csv_det", "csv", 3, 6, "LABELS_REPEATED", "BOX_COLUMN_INTERPRETED"),
    sample(f"{TOY}/kaggle_dataset/image_csv_multi_label", "csv", 6, 0, "IMAGE_CLASS_AMBIGUOUS", classified=6),
    sample(f"{TOY}/kaggle_dataset/image_mask", "images", 4, 0),
    sample(f"{TOY}/kaggle_dataset/image_mask_with_labelmap", "images", 6, 0, "LABELS_NOT_RECOGNISED"),
    sample(f"{TOY}/kaggle_dataset/image_txt", "images", 5, 0, "LABELS_NOT_RECOGNISED"),
    sample(f"{TOY}/kaggle_dataset/image_txt_det", "images", 3, 0, "LABELS_NOT_RECOGNISED"),
    sample(f"{TOY}/kaggle_dataset/relaxed_coco", "coco", 2, 2),
    sample(f"{TOY}/kaggle_dataset/relaxed_voc1", "voc", 2, 2, "IMAGES_WITHOUT_LABELS"),
    sample(f"{TOY}/kaggle_dataset/relaxed_voc2", "voc", 2, 2, "IMAGES_WITHOUT_LABELS"),
    sample(f"{TOY}/kaggle_dataset/relaxed_yolo", "yolo", 2, 4, "CLASS_NAMES_MISSING"),
    sample(f"{TOY}/kitti_dataset", "kitti", 2, 5),
    sample(
        f"{TOY}/open_images_dataset",
        "openimages",
        *(4, 1, "IMAGES_WITHOUT_LABELS", "LABELS_LEFT_OUT", "CROWD_LEFT_OUT", "MASK_UNSUPPORTED"),
    ),
    sample(f"{TOY}/roboflow_dataset/coco", "coco", 3, 3, "CROWD_LEFT_OUT"),
    sample(f"{TOY}/roboflow_dataset/multiclass", "csv", 3, 0, "IMAGE_CLASS_AMBIGUOUS", classified=3),
    sample(f"{TOY}/roboflow_dataset/voc", "voc", 3, 4),
    sample(f"{TOY}/roboflow_dataset/yolo", "yolo", 3, 4),
    sample(f"{TOY}/voc_dataset/voc_dataset1", "voc", 2, 2, "IMAGES_WITHOUT_LABELS"),
    sample(f"{TOY}/voc_dataset/voc_dataset3", "voc", 1, 1),
    sample(f"{TOY}/voc_dataset", "voc", 3, 3, "IMAGES_WITHOUT_LABELS", "LABEL_WITHOUT_IMAGE"),
    sample(f"{TOY}/widerface_dataset", "wider", 3, 6, "LABELS_MARKED_INVALID"),
    sample(f"{TOY}/datumaro_dataset", "images", 4, 0, "LABELS_NOT_RECOGNISED"),
    sample(f"{TOY}/image_zip_dataset", "images", 0, 0),
    sample(f"{TOY}/roboflow_dataset/createml", "createml", 3, 4),
    sample(f"{TOY}/roboflow_dataset/yolo_obb", "images", 3, 0, "LABELS_NOT_RECOGNISED"),
    sample(f"{TOY}/vott_csv_dataset/dataset", "vott", 4, 5),
    sample(
        f"{TOY}/vott_csv_dataset/dataset_with_meta_file",
        *("vott", 4, 2, "IMAGES_WITHOUT_LABELS", "LABEL_FILE_IGNORED"),
    ),
    sample(f"{TOY}/vott_json_dataset/dataset", "vott", 3, 5, "LABEL_WITHOUT_CLASS"),
    sample(
        f"{TOY}/vott_json_dataset/dataset_with_meta_file",
        *("vott", 3, 4, "LABEL_WITHOUT_CLASS", "LABEL_FILE_IGNORED"),
    ),
    sample(f"{TOY}/yolo_dataset/annotations", "yolo", 1, 2),
    sample(f"{TOY}/yolo_dataset/labels", "yolo", 2, 4),
    sample(f"{TOY}/yolo_dataset/strict", "yolo", 1, 2),
]


@pytest.mark.data
@pytest.mark.parametrize("expected", SAMPLES, ids=lambda each: each.folder)
def test_a_sample_gives_what_is_written_down(expected: Sample, shared_data: Path, tmp_path: Path) -> None:
    files = files_below(shared_data / expected.folder, under="an export/of yesterday/")
    read = read_archive(zipped(files), tmp_path)
    found = Sample(
        expected.folder,
        read.format,
        len(read.images),
        read.count,
        sum(map(bool, read.images.values())),
        frozenset(read.reasons),
    )
    assert found == expected
    assert all(problem.hint and problem.message for problem in read.problems if problem.message)


@pytest.mark.data
def test_no_folder_of_samples_is_left_out(shared_data: Path) -> None:
    tried = {
        shared_data / folder
        for folder in (
            *(each.folder for each in SAMPLES),
            *(folder for folders in TOOL_SAMPLES for folder in folders.split(" ")),
            *(f"formats/catsdogs_multi/{name}" for name in ("googlecloud", "yolo", "vott")),
            *(f"formats/voc100_multi/{name}" for name in (*VOC100, "images", *VOC100_ELSEWHERE)),
            "formats/label_studio/yolo_import",
        )
    }
    texts = {"README.md", "LICENSE.source"}
    for file in (shared_data / "formats").rglob("*"):
        if file.is_file() and file.name not in texts:
            assert tried.intersection(file.parents), f"{file} belongs to no sample"


@pytest.mark.data
@pytest.mark.parametrize(
    ("labels", "images", "name", "count"),
    [
        ("formats/catsdogs_multi/googlecloud", "formats/catsdogs_multi/images", "automl", 6),
        ("formats/catsdogs_multi/yolo", "formats/catsdogs_multi/images", "yolo", 6),
        ("formats/catsdogs_multi/vott", "formats/catsdogs_multi/images", "vott", 6),
    ],
)
def test_labels_apart_from_their_images_find_them(
    labels: str, images: str, name: str, count: int, shared_data: Path, tmp_path: Path
) -> None:
    read = read_archive(zipped(files_below(shared_data / labels, shared_data / images)), tmp_path)
    assert (read.format, len(read.images), read.count) == (name, 6, count)
    assert {label.lower(): count for label, count in read.labels.items()} == {"cat": 3, "dog": 3}


@pytest.mark.data
@pytest.mark.parametrize(("folder", "name"), VOC100.items())
def test_one_ground_truth_gives_equal_boxes_in_every_format(
    folder: str, name: str, shared_data: Path, tmp_path: Path
) -> None:
    root = shared_data / "formats" / "voc100_multi"
    read = read_archive(zipped(files_below(root / "images", root / folder)), tmp_path)
    reference = read_archive(zipped(files_below(root / "images", root / "pascalvoc_format")), tmp_path)
    assert (read.format, read.count, reference.count) == (name, BOXES, BOXES)
    assert read.problems == []
    assert read.annotations.keys() == reference.annotations.keys()
    for path, expected in reference.annotations.items():
        for one, other in zip(ordered(read.annotations[path]), ordered(expected), strict=True):
            assert one.class_label == other.class_label
            assert one.coordinates == pytest.approx(other.coordinates, abs=0.01)


def ordered(found: list[Annotation]) -> list[Annotation]:
    return sorted(found, key=lambda each: (each.class_label, [round(value) for value in each.coordinates]))
