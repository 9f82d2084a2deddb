"""Under which name a client saves a content."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.gateway.disposition import content_disposition


@pytest.mark.parametrize(
    ("filename", "content_type", "expected"),
    [
        ("a b.zip", "application/zip", 'attachment; filename="a b.zip"'),
        ("cell.png", "image/png", 'inline; filename="cell.png"'),
        ("folder/cell.jpg", "image/jpeg", 'inline; filename="cell.jpg"'),
        ("x.svg", "image/svg+xml", 'attachment; filename="x.svg"'),
        ("", "application/zip", "attachment"),
        ("..", "application/zip", "attachment"),
        ("Größe.csv", "text/csv", "attachment; filename=\"Gr__e.csv\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.csv"),
        ('a"b.csv', "text/csv", "attachment; filename=\"a_b.csv\"; filename*=UTF-8''a%22b.csv"),
    ],
)
def test_names_are_given_so_that_every_client_reads_them(
    filename: str, content_type: str, expected: str
) -> None:
    assert content_disposition(filename, content_type) == expected


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_no_name_breaks_out_of_the_header(filename: str) -> None:
    value = content_disposition(filename, "application/zip")
    assert value.isascii()
    assert value.isprintable()
    assert value.count('"') in (0, 2)
