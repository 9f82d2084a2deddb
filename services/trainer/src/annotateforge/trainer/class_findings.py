"""What a worker tells about single classes, checked before it is kept."""

from collections.abc import Mapping, Sequence

from annotateforge.api.trainer.v1.job_pb2 import ClassMetrics, ConfusionMatrix
from annotateforge.trainer.violations import Violations

MOST_EPOCH_CLASSES = 100
"""Most classes of an epoch: every epoch is kept and published whole."""
MOST_CLASSES = 1000
"""Most classes of a final evaluation."""
MOST_LABELS = 101
"""Most rows of a confusion matrix: a hundred classes and the background."""

_MOST_VALUES = 100
_LONGEST_LABEL = 1000


def check_class_metrics(
    violations: Violations, field: str, classes: Sequence[ClassMetrics], most: int
) -> None:
    """Check the metrics of at most `most` classes."""
    if len(classes) > most:
        violations.add(field, f"has {len(classes):,} entries; at most {most:,} are possible")
    for index, one in enumerate(classes[:most]):
        here = f"{field}[{index}]"
        for name in ("class_id", "images", "instances"):
            if getattr(one, name) < 0:
                violations.add(f"{here}.{name}", "must not be negative")
        violations.text(f"{here}.class_label", one.class_label, longest=_LONGEST_LABEL)
        check_values(violations, f"{here}.metrics", one.metrics)


def check_confusion_matrix(violations: Violations, field: str, matrix: ConfusionMatrix) -> None:
    """Check that a matrix has a row and a column for each of its labels, and counts in them."""
    size = len(matrix.labels)
    if size > MOST_LABELS:
        violations.add(f"{field}.labels", f"has {size:,} entries; at most {MOST_LABELS} are possible")
    if len(matrix.rows) != size or any(len(row.counts) != size for row in matrix.rows):
        violations.add(f"{field}.rows", "must have a row and a column for each label")
    elif any(count < 0 for row in matrix.rows for count in row.counts):
        violations.add(f"{field}.rows", "must not have negative counts")
    for index, label in enumerate(matrix.labels[:MOST_LABELS]):
        violations.text(f"{field}.labels[{index}]", label, longest=_LONGEST_LABEL)


def check_values(violations: Violations, field: str, values: Mapping[str, float]) -> None:
    """Check the names of values: at most 100, each of 1 to 100 characters."""
    if len(values) > _MOST_VALUES:
        violations.add(field, f"has {len(values):,} entries; at most {_MOST_VALUES} are possible")
    for name in values:
        violations.text(f"{field} (a name)", name, longest=100, required=True)
