import base64
import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.paging import Page, page_token, read_page

NOW = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=UTC)
ID = "019df0e5-4a28-7000-8000-000000000001"


def test_a_cursor_survives_the_token_with_its_types() -> None:
    cursor = (NOW, new_id(), "a/ü.jpg", -7, 0.25, True)
    kinds = [type(value) for value in cursor]
    assert read_page(0, page_token(cursor), kinds) == Page(50, cursor)


def test_without_a_token_it_is_the_first_page() -> None:
    assert read_page(10, "", (datetime,)) == Page(10, None)


def test_a_list_is_read_page_by_page_without_gap_or_repeat() -> None:
    rows = list(range(1, 8))
    seen: list[int] = []
    token, pages = "", 0
    while True:
        page = read_page(3, token, (int,))
        after = page.cursor[0] if page.cursor else 0
        shown, token = page.cut([row for row in rows if row > after][: page.limit], lambda row: (row,))
        seen += shown
        pages += 1
        if not token:
            break
    assert (seen, pages) == (rows, 3)


def test_a_full_last_page_has_no_next_one() -> None:
    assert Page(3, None).cut([1, 2, 3], lambda row: (row,)) == ([1, 2, 3], "")


@pytest.mark.parametrize("size", [-1, 1001, 2**31 - 1])
def test_an_impossible_page_size_is_refused(size: int) -> None:
    with pytest.raises(InvalidArgument) as caught:
        read_page(size, "")
    assert caught.value.reason == "INVALID_PAGE_SIZE"


def token_of(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "?",
        "AAAA",
        "a" * 100000,
        token_of(),
        token_of(1),
        token_of("2026-05-04T03:02:01", ID),
        token_of(NOW.isoformat(), "x"),
        token_of(NOW.isoformat(), 5),
        token_of(None, None),
        token_of("x", ID),
    ],
)
def test_a_forged_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        read_page(0, token, (datetime, type(new_id())))
    assert caught.value.reason == "INVALID_PAGE_TOKEN"


@pytest.mark.parametrize(
    ("value", "kind"), [(2**70, int), (True, int), ("a\0b", str), (1, str), ("1", int), (1, bool)]
)
def test_a_token_with_what_sql_would_choke_on_is_refused(value: object, kind: type) -> None:
    with pytest.raises(InvalidArgument):
        read_page(0, token_of(value), (kind,))


@given(st.text(max_size=300))
def test_no_text_whatever_breaks_the_reading_of_a_token(text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        read_page(0, text, (datetime, int))
