import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.trainer.estimates import counted_down, eta_seconds, progress_percent, smoothed


def test_progress_is_the_share_of_complete_epochs() -> None:
    assert progress_percent(0, 8) == 0
    assert progress_percent(2, 8) == 25
    assert progress_percent(8, 8) == 100


def test_the_first_slow_epoch_is_soon_forgotten() -> None:
    seconds = smoothed(None, 60.0)
    for _ in range(12):
        seconds = smoothed(seconds, 10.0)
    assert seconds == pytest.approx(10, abs=1)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_the_smoothed_duration_lies_between_the_shortest_and_the_longest(durations: list[float]) -> None:
    seconds = None
    for duration in durations:
        seconds = smoothed(seconds, duration)
    assert seconds is not None
    assert min(durations) - 1e-6 <= seconds <= max(durations) + 1e-6


def test_training_ends_with_the_epoch_in_which_its_time_is_over() -> None:
    assert eta_seconds(10, 5, 25) == 30
    assert eta_seconds(10, 5, 20) == 20
    assert eta_seconds(10, 5, 1000) == 50
    assert eta_seconds(10, 5, 0) == eta_seconds(10, 5, -7) == 0
    assert eta_seconds(0, 5, 3) == 0


def test_an_estimate_counts_down_and_never_below_zero() -> None:
    assert eta_seconds(2.5, 4) == 10
    assert counted_down(10, 3) == 7
    assert counted_down(10, 30) == 0
    assert counted_down(10, -5) == 10
