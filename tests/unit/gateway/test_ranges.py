"""Which bytes a Range header means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.gateway.ranges import (
    LARGEST,
    Interval,
    Suffix,
    matches_none,
    matches_range,
    parse_range,
    resolve,
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-499", Interval(0, 499)),
        ("bytes=500-", Interval(500, None)),
        ("bytes=-500", Suffix(500)),
        ("Bytes = 7-7", Interval(7, 7)),
        ("bytes= 1 - 2 ", Interval(1, 2)),
        ("bytes=,1-2,", Interval(1, 2)),
        ("bytes=-0", Suffix(0)),
        ("bytes=99999999999999999999-", Interval(LARGEST, None)),
        ("bytes=" + "9" * 5000 + "-", Interval(LARGEST, None)),
        ("bytes=" + "0" * 5000 + "1-", Interval(1, None)),
    ],
)
def test_a_single_range_is_read(header: str, expected: Interval | Suffix) -> None:
    assert parse_range(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-2",
        "bytes=0-1,3-4",
        "items=0-1",
        "bytes=1-2-3",
    ],
)
def test_what_is_no_single_range_means_the_whole(header: str | None) -> None:
    assert parse_range(header) is None


@given(st.text())
def test_no_header_breaks_the_reading(header: str) -> None:
    parse_range(header)
    parse_range("bytes=" + header)
    matches_none(header, "tag")
    matches_range(header, "tag")


positions = st.integers(min_value=0, max_value=60)


@given(first=positions, length=positions, total=positions)
def test_intervals_select_the_bytes_that_slicing_selects(first: int, length: int, total: int) -> None:
    content = bytes(range(total))
    wanted = parse_range(f"bytes={first}-{first + length}")
    assert wanted is not None
    found = resolve(wanted, total)
    expected = content[first : first + length + 1]
    assert (found is None) == (expected == b"")
    if found is not None:
        assert content[found[0] : found[0] + found[1]] == expected


@given(length=positions, total=positions)
def test_suffixes_select_the_last_bytes(length: int, total: int) -> None:
    content = bytes(range(total))
    wanted = parse_range(f"bytes=-{length}")
    assert wanted is not None
    found = resolve(wanted, total)
    expected = content[-length:] if length else b""
    assert (found is None) == (expected == b"")
    if found is not None:
        assert content[found[0] : found[0] + found[1]] == expected


@given(first=positions, total=positions)
def test_open_intervals_run_to_the_end(first: int, total: int) -> None:
    wanted = parse_range(f"bytes={first}-")
    assert wanted is not None
    found = resolve(wanted, total)
    assert found == ((first, total - first) if first < total else None)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", "abc"', True),
        ('"x,abc"', False),
        ("*", True),
        ("abc", False),
        ('"x"', False),
    ],
)
def test_if_none_match_compares_weakly(header: str | None, expected: bool) -> None:
    assert matches_none(header, "abc") is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, True),
        ('"abc"', True),
        ('W/"abc"', False),
        ('"x"', False),
        ("Wed, 21 Oct 2015 07:28:00 GMT", False),
    ],
)
def test_if_range_compares_strongly(header: str | None, expected: bool) -> None:
    assert matches_range(header, "abc") is expected


def test_a_content_without_a_tag_matches_no_condition() -> None:
    assert not matches_none('""', "")
    assert not matches_range('""', "")
