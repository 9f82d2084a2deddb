import pytest

from annotateforge.runtime.errors import InvalidArgument, OutOfRange
from annotateforge.runtime.ranges import Range, requested_range


@pytest.mark.parametrize(
    ("offset", "length", "size", "expected"),
    [
        (0, 0, 10, Range(0, 10)),
        (0, 4, 10, Range(0, 4)),
        (6, 0, 10, Range(6, 4)),
        (6, 100, 10, Range(6, 4)),
        (9, 1, 10, Range(9, 1)),
        (0, 0, 0, Range(0, 0)),
        (0, 5, 0, Range(0, 0)),
    ],
)
def test_a_range_is_cut_at_the_end(offset: int, length: int, size: int, expected: Range) -> None:
    assert requested_range(offset, length, size) == expected


@pytest.mark.parametrize(("offset", "size"), [(10, 10), (11, 10), (1, 0)])
def test_a_range_beyond_the_end_is_refused(offset: int, size: int) -> None:
    with pytest.raises(OutOfRange) as caught:
        requested_range(offset, 0, size)
    assert caught.value.metadata == {"total_size": str(size)}


@pytest.mark.parametrize(("offset", "length", "field"), [(-1, 0, "offset"), (0, -1, "length")])
def test_a_negative_range_is_refused(offset: int, length: int, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        requested_range(offset, length, 10)
    assert caught.value.violations[0].field == field
