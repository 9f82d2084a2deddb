"""What a validation found about each class, read from ultralytics' validator.

Source: DetMetrics, SegmentMetrics and ConfusionMatrix of ultralytics.utils.metrics, 8.4. Its matrices are
indexed [predicted, true]; those of objects have the background as their last row and column.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from annotateforge.api.trainer.v1.job_pb2 import ClassMetrics, ConfusionMatrix, ConfusionRow

BACKGROUND = "background"
MOST_CLASSES = 100
"""Most classes whose metrics are told of each epoch, and whose confusion matrix is told."""
MOST_ROWS = 1000
"""Most classes whose metrics are told at the end."""

_NAMES = ("precision", "recall", "map50", "map50_95")

# A validator of ultralytics, which carries no types.
Validator = Any


def class_metrics(task: str, classes: Sequence[str], validator: Validator) -> list[ClassMetrics]:
    """The metrics of each class in the last validation, by class id; those without instances have none."""
    if task == "classify":
        return _of_images(classes, validator.confusion_matrix.matrix)
    metrics = validator.metrics
    parts = {"": metrics.box} if task == "detect" else {"box_": metrics.box, "mask_": metrics.seg}
    found: dict[int, dict[str, float]] = {}
    for prefix, part in parts.items():
        for position, class_id in enumerate(part.ap_class_index):
            values = dict(zip(_NAMES, part.class_result(position), strict=True))
            found.setdefault(int(class_id), {}).update(_finite(prefix, values))
    images, instances = metrics.nt_per_image, metrics.nt_per_class
    return [
        ClassMetrics(
            class_id=class_id,
            class_label=label,
            images=_count(images, class_id),
            instances=_count(instances, class_id),
            metrics=found.get(class_id, {}),
        )
        for class_id, label in enumerate(classes)
    ]


def confusion_matrix(task: str, classes: Sequence[str], validator: Validator) -> ConfusionMatrix | None:
    """What was taken for what in the last validation; None with more than MOST_CLASSES classes."""
    if len(classes) > MOST_CLASSES:
        return None
    labels = [*classes] if task == "classify" else [*classes, BACKGROUND]
    rows = [ConfusionRow(counts=[int(count) for count in row]) for row in validator.confusion_matrix.matrix]
    return ConfusionMatrix(labels=labels, rows=rows)


def _of_images(classes: Sequence[str], matrix: Any) -> list[ClassMetrics]:
    found = []
    for class_id, label in enumerate(classes):
        right = float(matrix[class_id, class_id])
        predicted, true = float(matrix[class_id].sum()), float(matrix[:, class_id].sum())
        precision = right / predicted if predicted else 0.0
        values = {"precision": precision, "recall": right / true} if true else {}
        found.append(
            ClassMetrics(
                class_id=class_id,
                class_label=label,
                images=int(true),
                instances=int(true),
                metrics=values,
            )
        )
    return found


def _finite(prefix: str, values: Mapping[str, Any]) -> dict[str, float]:
    return {f"{prefix}{name}": float(value) for name, value in values.items() if math.isfinite(value)}


def _count(counts: Any, class_id: int) -> int:
    """A class's entry; 0 where a validation without objects left no counts."""
    return 0 if counts is None or class_id >= len(counts) else int(counts[class_id])
