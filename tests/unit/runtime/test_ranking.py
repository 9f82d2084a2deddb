"""Which training is the best."""

import pytest

from annotateforge.runtime.metric_names import METRIC_NAMES
from annotateforge.runtime.ranking import MAIN_METRICS, best_of


@pytest.mark.parametrize("task", METRIC_NAMES)
def test_each_task_is_ranked_by_one_of_its_metrics(task: str) -> None:
    (main,) = set(MAIN_METRICS) & set(METRIC_NAMES[task].values())
    worse, better = (dict.fromkeys(METRIC_NAMES[task].values(), 0.9) | {main: value} for value in (0.4, 0.5))
    assert best_of([("worse", worse), ("better", better)]) == "better"


def test_of_equal_trainings_the_first_is_the_best() -> None:
    assert best_of([("a", {"map50_95": 0.5}), ("b", {"map50_95": 0.5})]) == "a"


@pytest.mark.parametrize("metrics", [{}, {"map50_95": 0.0}, {"precision": 0.9}])
def test_there_is_no_best_training_where_none_has_learnt_anything(metrics: dict[str, float]) -> None:
    assert best_of([("a", metrics), ("b", {})]) == ""
    assert best_of([]) == ""
