import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotateforge.runtime import feed
from annotateforge.runtime.feed import GAP, Gap, follow

Event = int
LIVE_ONLY = 0


class Truth:
    """Events 1 to `stored`, with a count of how often they were read."""

    def __init__(self, stored: int) -> None:
        self.stored = stored
        self.fetches = 0

    async def fetch(self, after: int, limit: int) -> Sequence[Event]:
        self.fetches += 1
        return list(range(after + 1, min(self.stored, after + limit) + 1))


async def live_of(items: Sequence[Event | Gap]) -> AsyncIterator[Event | Gap]:
    for item in items:
        yield item


async def collected(
    truth: Truth, items: Sequence[Event | Gap], after: int = 0, last: int | None = None
) -> list[Event]:
    following = follow(after, truth.fetch, live_of(items), lambda event: event, lambda event: event == last)
    return [event async for event in following]


async def test_what_is_stored_comes_first_and_live_events_follow_without_a_fetch() -> None:
    truth = Truth(3)
    assert await collected(truth, [3, 4, 5], after=1, last=5) == [2, 3, 4, 5]
    assert truth.fetches == 1


async def test_a_jump_in_the_sequence_is_filled_from_what_is_stored() -> None:
    truth = Truth(2)

    async def live() -> AsyncIterator[Event | Gap]:
        truth.stored = 9
        yield 8

    events = [
        event async for event in follow(0, truth.fetch, live(), lambda event: event, lambda event: event == 9)
    ]
    assert events == list(range(1, 10))


async def test_a_gap_marker_makes_it_read_again() -> None:
    truth = Truth(0)

    async def live() -> AsyncIterator[Event | Gap]:
        truth.stored = 4
        yield GAP

    assert [event async for event in follow(0, truth.fetch, live(), lambda event: event)] == [1, 2, 3, 4]


async def test_live_only_events_pass_once_it_has_caught_up() -> None:
    assert await collected(Truth(2), [LIVE_ONLY, 3, LIVE_ONLY]) == [1, 2, LIVE_ONLY, 3, LIVE_ONLY]


async def test_more_than_a_fetch_holds_is_fetched_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "FETCH_LIMIT", 10)
    truth = Truth(25)
    assert await collected(truth, []) == list(range(1, 26))


async def test_after_the_last_event_the_live_side_is_not_waited_for() -> None:
    async def silent() -> AsyncIterator[Event | Gap]:
        await asyncio.Event().wait()
        yield GAP

    async with asyncio.timeout(5):
        following = follow(0, Truth(3).fetch, silent(), lambda event: event, lambda event: event == 3)
        assert [event async for event in following] == [1, 2, 3]


async def test_an_error_of_the_source_reaches_the_reader() -> None:
    async def broken(after: int, limit: int) -> Sequence[Event]:
        raise LookupError("gone")

    with pytest.raises(LookupError):
        async for _ in follow(0, broken, live_of([]), lambda event: event):
            pass


@given(st.data(), st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=300, deadline=None)
def test_whatever_the_live_side_loses_repeats_or_reorders_the_output_has_no_gap_and_no_repeat(
    data: st.DataObject, total: int, after: int
) -> None:
    """The live side delivers each event any number of times at any later moment, and marks gaps at random."""
    truth = Truth(data.draw(st.integers(0, total)))

    async def live() -> AsyncIterator[Event | Gap]:
        while truth.stored < total:
            truth.stored += data.draw(st.integers(1, 5))
            truth.stored = min(truth.stored, total)
            for _ in range(data.draw(st.integers(0, 4))):
                # Nothing is told before it has been stored.
                yield data.draw(st.one_of(st.just(GAP), st.integers(0, truth.stored)))

    async def run() -> list[Event]:
        following = follow(after, truth.fetch, live(), lambda event: event, lambda event: event == total)
        return [event async for event in following if event != LIVE_ONLY]

    assert asyncio.run(run()) == list(range(after + 1, total + 1))
