"""Names of what a training measures: ultralytics' and ours."""

from collections.abc import Mapping

_OF_DETECTION = {
    "metrics/precision(B)": "precision",
    "metrics/recall(B)": "recall",
    "metrics/mAP50(B)": "map50",
    "metrics/mAP50-95(B)": "map50_95",
}
METRIC_NAMES: Mapping[str, Mapping[str, str]] = {
    "detect": _OF_DETECTION,
    "segment": {name: f"box_{short}" for name, short in _OF_DETECTION.items()}
    | {name.replace("(B)", "(M)"): f"mask_{short}" for name, short in _OF_DETECTION.items()},
    "classify": {"metrics/accuracy_top1": "top1_accuracy", "metrics/accuracy_top5": "top5_accuracy"},
}
"""By task: ultralytics' name of a metric to the name in `Epoch.metrics`."""
