"""After which epochs the state is kept."""

import pytest

from annotateforge.trainer.worker.child.state_pace import SHARE, StatePace


def kept_after(
    pace: StatePace, clock: list[float], epoch_seconds: float, epochs: int, cost: float
) -> list[int]:
    """The epochs after which the state was kept, each of which cost as much."""
    kept = []
    for epoch in range(1, epochs + 1):
        clock[0] += epoch_seconds
        if pace.is_due():
            pace.kept()
            pace.costs(cost)
            kept.append(epoch)
    return kept


def test_epochs_of_at_least_the_longest_time_are_all_kept_whatever_that_costs() -> None:
    clock = [0.0]
    pace = StatePace(60, lambda: clock[0])
    assert kept_after(pace, clock, 60, 5, cost=1000) == [1, 2, 3, 4, 5]


def test_short_epochs_are_kept_after_the_longest_time_where_that_costs_much() -> None:
    clock = [0.0]
    pace = StatePace(60, lambda: clock[0])
    assert kept_after(pace, clock, 20, 10, cost=1000) == [1, 4, 7, 10]


@pytest.mark.parametrize("cost", [0.05, 0.3, 1.2])
def test_states_of_short_epochs_take_no_more_than_their_share_of_the_time(cost: float) -> None:
    clock = [0.0]
    pace = StatePace(60, lambda: clock[0])
    epochs = 600
    kept = kept_after(pace, clock, 1, epochs, cost)
    assert (len(kept) - 1) * cost <= SHARE * epochs * 1.001
    # And no less often than that allows, apart from the epoch at hand.
    assert (len(kept) + 1) * (cost / SHARE + 1) >= epochs


def test_every_epoch_is_kept_where_that_is_asked_for() -> None:
    clock = [0.0]
    pace = StatePace(0, lambda: clock[0])
    assert kept_after(pace, clock, 0.01, 4, cost=10) == [1, 2, 3, 4]


def test_a_state_that_is_still_being_written_is_taken_to_cost_what_the_one_before_did() -> None:
    clock = [0.0]
    pace = StatePace(60, lambda: clock[0])
    pace.kept()
    pace.costs(0.6)
    clock[0] += 20
    assert pace.is_due()
    pace.kept()
    clock[0] += 19
    assert not pace.is_due()
    clock[0] += 1
    assert pace.is_due()
