import math

import pytest

from annotateforge.trainer.worker.child.metrics import finite, task_metrics, total, val_losses

MEASURED = {
    "metrics/precision(B)": 0.1,
    "metrics/recall(B)": 0.2,
    "metrics/mAP50(B)": 0.3,
    "metrics/mAP50-95(B)": 0.4,
    "metrics/mAP50(M)": 0.5,
    "val/box_loss": 1.5,
    "val/cls_loss": 2.5,
}


def test_detection_metrics_have_short_names() -> None:
    assert task_metrics("detect", MEASURED) == {
        "precision": 0.1,
        "recall": 0.2,
        "map50": 0.3,
        "map50_95": 0.4,
    }


def test_segmentation_tells_boxes_from_masks() -> None:
    metrics = task_metrics("segment", MEASURED)
    assert (metrics["box_map50"], metrics["mask_map50"]) == (0.3, 0.5)


def test_classification_metrics_have_the_names_of_accuracy() -> None:
    measured = {"metrics/accuracy_top1": 0.5, "metrics/accuracy_top5": 1.0}
    assert task_metrics("classify", measured) == {"top1_accuracy": 0.5, "top5_accuracy": 1.0}


def test_validation_losses_lose_their_prefix() -> None:
    assert val_losses(MEASURED) == {"box_loss": 1.5, "cls_loss": 2.5}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_left_out_and_has_no_total(bad: float) -> None:
    assert finite({"a": 1.0, "b": bad}) == {"a": 1.0}
    assert total({"a": 1.0, "b": bad}) is None


def test_nothing_has_no_total() -> None:
    assert total({}) is None
    assert total({"a": 1.0, "b": 2.0}) == 3.0
