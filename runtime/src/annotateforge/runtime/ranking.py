"""Which of several trainings is the best: one rule for jobs and for models."""

from collections.abc import Iterable, Mapping

MAIN_METRICS = ("map50_95", "mask_map50_95", "top1_accuracy")
"""The metric by which trainings of a task are ranked: each task has one of them."""


def main_metric(metrics: Mapping[str, float]) -> float | None:
    """The metric by which a training is ranked; None when it was not measured."""
    return next((metrics[name] for name in MAIN_METRICS if name in metrics), None)


def best_of(trainings: Iterable[tuple[str, Mapping[str, float]]]) -> str:
    """Of ids with metrics, the id with the best main metric, of equal ones the first; empty when none has
    learnt anything: of trainings that all see nothing, the first would look like a choice.
    """
    ranked = [(main_metric(metrics) or 0.0, identifier) for identifier, metrics in trainings]
    value, best = max(ranked, key=lambda one: one[0], default=(0.0, ""))
    return best if value > 0 else ""
