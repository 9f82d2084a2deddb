"""The outline of a JSON file shows its names by depth, whatever stands in it and wherever it ends."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.dataset.imports.json_outline import outline


def test_names_are_found_at_their_depth() -> None:
    found = outline(b'\xef\xbb\xbf \n{"a": {"b": [1, {"c : {" : "d\\": {"}]}, "e" :[]')
    assert found.top == "{"
    assert found.keys == {(1, "a"), (2, "b"), (4, "c : {"), (1, "e")}
    assert found.has(1, "a", "e")
    assert not found.has(1, "a", "b")
    assert found.has_any(2, "a", "b")


@pytest.mark.parametrize("content", [b"", b"x", b'"a"', b"\xff\xfe{", b"3"])
def test_what_is_no_object_and_no_array_has_no_outline(content: bytes) -> None:
    assert (outline(content).top, outline(content).keys) == ("", frozenset())


@pytest.mark.parametrize(
    "content", ["[" * 16_000, '{"' * 8_000, '{"\\"' * 4_000, '{"a' + "\\" * 16_000, '["' + '\\"' * 8_000]
)
def test_hostile_beginnings_are_read_in_a_moment(content: str) -> None:
    assert outline(content.encode()).top in ("{", "[")


@given(
    st.recursive(
        st.none() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    ),
    st.integers(0, 200),
)
def test_what_a_part_shows_the_whole_shows(document: object, cut: int) -> None:
    content = json.dumps(document, ensure_ascii=True).encode()
    assert outline(content[:cut]).keys <= outline(content).keys
