"""A feed without gap or repeat from two sources: what is stored, which is complete, and what is live, which
is not.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

E = TypeVar("E")


class Gap:
    """Stands in a live stream where messages may be missing: read the truth again."""

    def __repr__(self) -> str:
        return "GAP"


GAP: Final = Gap()
"""The one Gap that is handed out."""

FETCH_LIMIT = 500
"""Most events that are asked of `fetch` at a time."""


async def follow(
    after: int,
    fetch: Callable[[int, int], Awaitable[Sequence[E]]],
    live: AsyncIterator[E | Gap],
    sequence_of: Callable[[E], int],
    is_last: Callable[[E], bool] = lambda event: False,
) -> AsyncIterator[E]:
    """Replay the events after sequence number `after`, then go on live: after + 1, after + 2, … without gap
    or repeat.

    - `fetch(after, limit)` answers up to `limit` stored events with a greater sequence, in order and without
      a gap; none at the end.
    - `live` must have been subscribed before the call. It may lose, repeat and reorder events; where it knows
      that it lost some, it yields a `Gap`. A jump in the sequence or a Gap makes `follow` fetch.
    - Live-only events (`sequence_of` is 0) pass through once what is stored has been replayed.
    - Ends after the event for which `is_last` is true, and when `live` ends, after what is stored by then.
    """
    seen = after
    behind = True
    ended = False
    while True:
        while behind:
            events = await fetch(seen, FETCH_LIMIT)
            for event in events:
                number = sequence_of(event)
                if number <= seen:
                    continue
                seen = number
                yield event
                if is_last(event):
                    return
            behind = len(events) >= FETCH_LIMIT
        if ended:
            return
        try:
            item = await anext(live)
        except StopAsyncIteration:
            ended = behind = True
            continue
        if isinstance(item, Gap):
            behind = True
            continue
        number = sequence_of(item)
        if number == 0:
            yield item
        elif number == seen + 1:
            seen = number
            yield item
            if is_last(item):
                return
        elif number > seen:
            behind = True
