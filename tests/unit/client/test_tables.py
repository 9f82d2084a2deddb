"""Tables fit the terminal, whatever stands in them."""

from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from annotateforge.client.command.tables import lines

ID = "01a21a02-bba2-7867-bae5-de98870ac5fc"
COLUMNS = ["id", "name", "images", "note"]


def shown(rows: list[list[str]], width: int | None, columns: list[str] | None = None) -> list[str]:
    texts = [[Text(cell) for cell in row] for row in rows]
    return [line.plain for line in lines(columns or COLUMNS, texts, width)]


def test_what_fits_is_whole_and_numbers_stand_at_the_right() -> None:
    assert shown([[ID, "cells", "1,204", "first"], [ID, "trees", "21", "second"]], 80) == [
        f"{'id':<36}  name   images  note",
        f"{ID}  cells   1,204  first",
        f"{ID}  trees      21  second",
    ]


def test_where_it_does_not_fit_ids_are_shortened_first() -> None:
    assert shown([[ID, "cells", "1,204", "first"]], 50) == [
        "id        name   images  note",
        "870ac5fc  cells   1,204  first",
    ]


def test_then_the_widest_columns_end_in_an_ellipsis() -> None:
    assert shown([[ID, "cells", "21", "a very long note about these images"]], 40) == [
        "id        name   images  note",
        "870ac5fc  cells      21  a very long no…",
    ]
    assert shown([[ID, "x" * 30, "21", "y" * 20]], 48)[1] == f"870ac5fc  {'x' * 13}…      21  {'y' * 13}…"


def test_columns_in_which_nothing_stands_are_left_out() -> None:
    assert shown([["a", "", "b"]], 80, ["one", "two", "three"]) == ["one  three", "a    b"]


def test_lines_within_a_cell_become_one() -> None:
    assert shown([["a\nb\n  c"]], 80, ["one"]) == ["one", "a b c"]


def test_wide_characters_count_for_two() -> None:
    assert shown([["資料資料資料資料", "x"]], 12, ["name", "and"])[1] == "資料資…  x"


@given(
    st.lists(st.lists(st.text(max_size=60), min_size=3, max_size=3), min_size=1, max_size=5),
    st.integers(30, 200),
)
def test_no_line_is_wider_than_the_terminal(rows: list[list[str]], width: int) -> None:
    texts = [[Text(cell) for cell in row] for row in rows]
    assert all(line.cell_len <= width for line in lines(["a", "b", "c"], texts, width))
    assert all("…" not in line.plain for line in lines(["a", "b", "c"], [[Text("x" * 99)] * 3], None))
