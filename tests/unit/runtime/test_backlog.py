from annotateforge.runtime.backlog import Backlog
from annotateforge.runtime.feed import GAP


async def test_a_reader_gets_what_waits_in_order_and_then_the_end() -> None:
    backlog = Backlog[int](3)
    for number in (1, 2, 3):
        backlog.put(number)
    backlog.close()
    assert [item async for item in backlog] == [1, 2, 3]


async def test_one_item_too_many_puts_a_gap_in_place_of_those_that_waited() -> None:
    backlog = Backlog[int](3)
    for number in (1, 2, 3, 4, 5):
        backlog.put(number)
    backlog.close()
    assert [item async for item in backlog] == [GAP, 4, 5]


async def test_gaps_that_nobody_has_read_are_one() -> None:
    backlog = Backlog[int](3)
    for item in (1, GAP, 2, GAP):
        backlog.put(item)
    backlog.close()
    assert [item async for item in backlog] == [GAP]
