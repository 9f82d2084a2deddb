"""Warnings about trainings that are not going well, on made-up epochs."""

from collections.abc import Callable, Sequence

import pytest

from annotateforge.api.trainer.v1.job_pb2 import ClassMetrics, Epoch
from annotateforge.trainer.worker.child.symptoms import (
    GAIN,
    NEARLY_PERFECT,
    PLATEAU_EPOCHS,
    SYMPTOMS,
    overfitting,
    plateau,
    starved_gpu,
    unfound_classes,
)


def losses(train: Sequence[float], val: Sequence[float]) -> list[Epoch]:
    return [
        Epoch(epoch=number, total_epochs=100, train_loss=one, val_loss=two)
        for number, (one, two) in enumerate(zip(train, val, strict=True), 1)
    ]


def scores(values: Sequence[float], name: str = "map50_95") -> list[Epoch]:
    return [Epoch(epoch=number, metrics={name: value}) for number, value in enumerate(values, 1)]


def found(*precisions: float, instances: int = 4) -> list[ClassMetrics]:
    return [
        ClassMetrics(
            class_id=number,
            class_label=f"class {number}",
            instances=instances,
            metrics={"precision": value, "recall": value, "map50": value},
        )
        for number, value in enumerate(precisions)
    ]


def of_classes(count: int, *precisions: float, total: int = 100, instances: int = 4) -> list[Epoch]:
    return [
        Epoch(epoch=number, total_epochs=total, class_metrics=found(*precisions, instances=instances))
        for number in range(1, count + 1)
    ]


def waiting(*percents: float, gpu: bool = True) -> list[Epoch]:
    return [
        Epoch(epoch=number, loader_wait_percent=percent, gpu_memory_bytes=1 if gpu else None)
        for number, percent in enumerate(percents, 1)
    ]


def falling(count: int) -> list[float]:
    return [10 - number / 10 for number in range(count)]


def test_rising_validation_and_falling_training_loss_is_overfitting() -> None:
    val = [5.0 - number / 5 for number in range(10)] + [3.2 + number / 5 for number in range(10)]
    warning = overfitting(losses(falling(20), val))
    assert warning is not None
    assert "epoch 12" in warning.message


@pytest.mark.parametrize(
    ("train", "val"),
    [
        pytest.param(falling(20), falling(20), id="both fall"),
        pytest.param([3.0] * 20, [3.0 + n / 5 for n in range(20)], id="training loss stands"),
        pytest.param(falling(20), [3.0] * 19 + [4.0], id="one bad epoch"),
        pytest.param(falling(9), [3.0 + n for n in range(9)], id="too few epochs"),
        pytest.param(falling(20), [3.0 + (n % 2) for n in range(20)], id="noise"),
    ],
)
def test_what_is_no_overfitting(train: list[float], val: list[float]) -> None:
    assert overfitting(losses(train, val)) is None


def test_epochs_without_a_loss_that_is_a_number_are_passed_over() -> None:
    epochs = losses(falling(20), [3.0 + n / 5 for n in range(20)])
    epochs[3].ClearField("val_loss")
    assert overfitting(epochs) is not None


@pytest.mark.parametrize("name", ["map50_95", "mask_map50_95", "top1_accuracy"])
def test_a_metric_that_stands_is_a_plateau(name: str) -> None:
    values = [0.02 * n for n in range(20)] + [0.38 + GAIN / 2] * PLATEAU_EPOCHS
    assert plateau(scores(values, name)) is not None
    assert plateau(scores(values[:-1], name)) is None


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([0.3] * PLATEAU_EPOCHS + [0.3] * (PLATEAU_EPOCHS - 1) + [0.31], id="still gains"),
        pytest.param([NEARLY_PERFECT] * 50, id="nothing left to gain"),
        pytest.param([0.3] * (2 * PLATEAU_EPOCHS - 1), id="too few epochs"),
    ],
)
def test_what_is_no_plateau(values: list[float]) -> None:
    assert plateau(scores(values)) is None


def test_classes_without_a_true_positive_are_named() -> None:
    warning = unfound_classes(of_classes(10, 0.5, 0.0, 0.0))
    assert warning is not None
    assert "class 1 (4), class 2 (4)" in warning.message
    assert "class 0" not in warning.message


def test_short_trainings_are_looked_at_after_their_first_half() -> None:
    assert unfound_classes(of_classes(4, 0.5, 0.0, total=10)) is None
    assert unfound_classes(of_classes(5, 0.5, 0.0, total=10)) is not None


@pytest.mark.parametrize(
    "epochs",
    [
        pytest.param(of_classes(10, 0.5, 0.1), id="all found"),
        pytest.param(of_classes(10, 0.0, 0.0), id="nothing found yet"),
        pytest.param(of_classes(9, 0.5, 0.0), id="too early"),
        pytest.param([*of_classes(9, 0.5, 0.1), *of_classes(10, 0.5, 0.0)[-1:]], id="found lately"),
        pytest.param(of_classes(10, 0.5, 0.0, instances=0), id="not in validation"),
        pytest.param(of_classes(0), id="no epoch"),
    ],
)
def test_what_is_no_unfound_class(epochs: list[Epoch]) -> None:
    assert unfound_classes(epochs) is None


def test_a_mask_is_enough_to_be_found_and_images_are_by_recall() -> None:
    epochs = of_classes(10, 0.5, 0.5)
    for epoch in epochs:
        epoch.class_metrics[1].metrics.clear()
        epoch.class_metrics[1].metrics.update({"box_map50": 0.0, "mask_map50": 0.2})
    assert unfound_classes(epochs) is None
    for epoch in epochs:
        epoch.class_metrics[1].metrics.clear()
        epoch.class_metrics[1].metrics.update({"precision": 0.0, "recall": 0.0})
    assert unfound_classes(epochs) is not None


def test_a_gpu_that_waits_for_images_is_told_of() -> None:
    warning = starved_gpu(waiting(90, 40, 50, 60))
    assert warning is not None
    assert "60 %" in warning.message


@pytest.mark.parametrize(
    "epochs",
    [
        pytest.param(waiting(90, 40, 50), id="the first one does not count"),
        pytest.param(waiting(90, 40, 20, 60), id="not always"),
        pytest.param(waiting(90, 90, 90, 90, gpu=False), id="a processor"),
    ],
)
def test_what_is_no_starved_gpu(epochs: list[Epoch]) -> None:
    assert starved_gpu(epochs) is None


@pytest.mark.parametrize("symptom", SYMPTOMS, ids=lambda symptom: symptom.__name__)
def test_nothing_is_said_of_no_epochs(symptom: Callable[[Sequence[Epoch]], object]) -> None:
    assert symptom([]) is None
