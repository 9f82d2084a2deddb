"""The architectures that can be trained: every size of YOLOv8, YOLO11 and YOLO26, for each task."""

from collections.abc import Mapping
from dataclasses import dataclass

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType

DEFAULT_ARCHITECTURE = "yolov8n"

_CLASSIFY, _DETECT, _SEGMENT = (
    TaskType.TASK_TYPE_CLASSIFY,
    TaskType.TASK_TYPE_DETECT,
    TaskType.TASK_TYPE_SEGMENT,
)
TASK_SUFFIXES: Mapping[TaskType.ValueType, str] = {_DETECT: "", _SEGMENT: "-seg", _CLASSIFY: "-cls"}
"""What ultralytics adds to an architecture's name for a task."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """An architecture, by its name without a task's suffix."""

    name: str
    family: str
    size: str
    """nano, small, medium, large or extra large."""
    parameters: Mapping[TaskType.ValueType, int]
    """Weights by task, with as many classes as the published weights: 80, for classification 1,000."""
    layers: Mapping[TaskType.ValueType, int]
    """Layers by task, the head included."""
    notes: str


_SIZES = {"n": "nano", "s": "small", "m": "medium", "l": "large", "x": "extra large"}
_SIZE_NOTES = {
    "n": "The smallest and fastest: for first tries, for processors without a GPU, for real time.",
    "s": "Still fast, and clearly better on small objects.",
    "m": "A balance of quality and speed; wants a GPU.",
    "l": "High quality, slow without a good GPU.",
    "x": "The highest quality of its family, and the most memory and time.",
}
_FAMILY_NOTES = {
    "yolov8": "The proven family, with pretrained weights of many people.",
    "yolo11": "Fewer weights than YOLOv8 for the same quality.",
    "yolo26": "The newest family: no search for duplicates (NMS) is needed, so processors are fast too.",
}
_FAMILY_TITLES = {"yolov8": "YOLOv8", "yolo11": "YOLO11", "yolo26": "YOLO26"}
# Layers with and without a neck: detection and segmentation, classification.
_LAYERS = {"yolov8": (23, 10), "yolo11": (24, 11), "yolo26": (24, 11)}
# Detection, segmentation, classification. Counted in the models that ultralytics 8.4.190 builds.
_PARAMETERS = {
    "yolov8n": (3_157_200, 3_409_968, 2_719_288),
    "yolov8s": (11_166_560, 11_821_056, 6_361_736),
    "yolov8m": (25_902_640, 27_285_968, 17_053_336),
    "yolov8l": (43_691_520, 45_997_728, 37_480_744),
    "yolov8x": (68_229_648, 71_827_888, 57_422_840),
    "yolo11n": (2_624_080, 2_876_848, 2_812_104),
    "yolo11s": (9_458_752, 10_113_248, 6_724_008),
    "yolo11m": (20_114_688, 22_420_896, 11_634_216),
    "yolo11l": (25_372_160, 27_678_368, 14_115_624),
    "yolo11x": (56_966_176, 62_142_656, 29_637_064),
    "yolo26n": (2_572_280, 3_126_280, 2_812_104),
    "yolo26s": (10_009_784, 11_505_800, 6_724_008),
    "yolo26m": (21_896_248, 27_112_072, 11_634_216),
    "yolo26l": (26_299_704, 31_515_528, 14_115_624),
    "yolo26x": (58_993_368, 70_693_800, 29_637_064),
}


def _architecture(name: str) -> Architecture:
    family, size = name[:-1], name[-1]
    detect, segment, classify = _PARAMETERS[name]
    with_neck, without = _LAYERS[family]
    return Architecture(
        name=name,
        family=_FAMILY_TITLES[family],
        size=_SIZES[size],
        parameters={_DETECT: detect, _SEGMENT: segment, _CLASSIFY: classify},
        layers={_DETECT: with_neck, _SEGMENT: with_neck, _CLASSIFY: without},
        notes=f"{_SIZE_NOTES[size]} {_FAMILY_NOTES[family]}",
    )


ARCHITECTURES: Mapping[str, Architecture] = {name: _architecture(name) for name in _PARAMETERS}
"""All of them by name, families from the oldest, sizes from the smallest."""


def default_image_size(task: TaskType.ValueType) -> int:
    """Side in pixels to which images are scaled unless a config says otherwise."""
    return 224 if task == _CLASSIFY else 640


def layers_of(name: str, task: TaskType.ValueType) -> int | None:
    """Layers of an architecture; None when it is not known, or settled later by a base model."""
    architecture = ARCHITECTURES.get(name)
    return None if architecture is None else architecture.layers.get(task)
