"""Reading large JSON piece by piece gives what reading it whole gives."""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.dataset.imports.json_stream import (
    JsonMalformed,
    JsonPath,
    array_elements,
    entries,
    shown_path,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def blocks(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


def arrays(content: bytes, size: int = 7) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for element in array_elements(blocks(content, size)):
        found.setdefault(element.key, []).append(element.value)
    return found


@given(
    st.dictionaries(st.text(), JSON, max_size=6),
    st.integers(1, 40),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_elements_are_those_of_the_whole_document(
    document: dict[str, Any], size: int, indent: int | str | None, ascii_only: bool
) -> None:
    content = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        content.decode()
    except UnicodeDecodeError:
        with pytest.raises(JsonMalformed):
            arrays(content, size)
        return
    expected = {key: value for key, value in document.items() if isinstance(value, list) and value}
    assert arrays(content, size) == expected


def test_values_across_the_edges_of_the_window_are_whole() -> None:
    numbers = list(range(300_000))
    texts = ["ä" * 3_000_000, "b"]
    content = json.dumps({"numbers": numbers, "texts": texts}, ensure_ascii=False).encode()
    found = arrays(content, 1 << 18)
    assert found == {"numbers": numbers, "texts": texts}


def test_a_byte_order_mark_and_blanks_do_not_matter() -> None:
    assert arrays(b'\xef\xbb\xbf \r\n { "a" :\t[ 1 , 2 ] } \n') == {"a": [1, 2]}


def test_lines_are_those_of_the_elements() -> None:
    content = b'{\n"a": [\n1,\n\n{"b":\n2},\n3]}'
    assert [(element.value, element.line) for element in array_elements(iter([content]))] == [
        (1, 3),
        ({"b": 2}, 5),
        (3, 7),
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", 1),
        (b"[1]", 1),
        (b'{"a": [1, 2', 1),
        (b'{"a": [1,\n2}', 2),
        (b'{"a": [1,\n\n}]}', 3),
        (b'{"a": "\n', 1),
        (b'{"a" 1}', 1),
        (b"{1: 2}", 1),
        (b'{"a": ' + b"[" * 100_000, 1),
        (b'{"a": [' + b"1" * 10_000 + b"]}", 1),
        (b'{"a": ["\xff"]}', 1),
        (b'{"a": {"b":\n[' + b"1," * (3 << 20) + b"1]}}", 1),
        (b'{"a": [\n[' + b"1," * (3 << 20) + b"1]]}", 2),
    ],
)
def test_what_is_no_json_object_is_malformed_at_a_line(content: bytes, line: int) -> None:
    with pytest.raises(JsonMalformed) as caught:
        arrays(content)
    assert caught.value.line == line


def opened_to(depth: int) -> Callable[[JsonPath], bool]:
    return lambda path: len(path) < depth


@given(JSON, st.integers(1, 40), st.integers(0, 4))
def test_entries_put_together_are_the_document(document: Any, size: int, depth: int) -> None:
    content = json.dumps(document).encode()
    found = list(entries(blocks(content, size), opened_to(depth)))
    assert len({entry.path for entry in found}) == len(found)
    for entry in found:
        value = document
        for part in entry.path:
            value = value[part]
        assert entry.value == value
        assert len(entry.path) == depth or not isinstance(value, (dict, list))
    assert document in ([], {}) or depth > 1 or found


def test_entries_have_their_lines_and_paths() -> None:
    content = b'{\n"a": [\n1,\n\n{"b c":\n2}],\n"d": {}}'
    found = list(entries(iter([content]), opened_to(3)))
    assert [(shown_path(entry.path), entry.value, entry.line) for entry in found] == [
        ("a[0]", 1, 3),
        ("a[1].b c", 2, 6),
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", 1),
        (b'{"a": [1, 2', 1),
        (b'{"a": [1,\n2}', 2),
        (b'{"a" 1}', 1),
        (b"{1: 1}", 1),
        (b'{"a": 1}\n{}', 2),
        (b'{"a": {"b": 1}, \n', 2),
        (b'{"a": ' + b"[" * 200_000, 1),
        (b'{"a": [[' + b"1," * (5 << 20) + b"1]]}", 1),
        (b'{"a": \n"\xff"}', 1),
    ],
)
def test_what_is_no_document_is_malformed_at_a_line(content: bytes, line: int) -> None:
    with pytest.raises(JsonMalformed) as caught:
        list(entries(blocks(content, 1 << 18), opened_to(2)))
    assert caught.value.line == line


def test_a_long_text_is_no_large_value() -> None:
    content = json.dumps({"image": "A" * (9 << 20), "b": 1}).encode()
    assert [entry.path for entry in entries(blocks(content, 1 << 18), opened_to(1))] == [("image",), ("b",)]


@pytest.mark.parametrize(
    ("part", "count", "is_read"),
    [
        (b"[1234.5,678.25]", 400_000, True),
        (b"[]", 1_000_000, True),
        (b"[]", 2_000_000, False),
        (b'{"":0}', 900_000, False),
    ],
)
def test_a_value_that_would_fill_memory_is_refused_before_it_is_made(
    part: bytes, count: int, is_read: bool
) -> None:
    content = b'{"a": [0, [' + b",".join([part] * count) + b"], 5]}"
    assert len(content) < 8 << 20
    read = entries(blocks(content, 1 << 18), opened_to(2))
    if is_read:
        assert [type(entry.value) for entry in read] == [int, list, int]
    else:
        with pytest.raises(JsonMalformed, match="too many lists and objects"):
            list(read)


def test_small_values_behind_a_large_one_are_read_however_many_there_are() -> None:
    content = b"[[" + b"1234567890," * 400_000 + b"1]," + b"[]," * 1_900_000 + b"[]]"
    read = entries(blocks(content, 1 << 18), opened_to(1))
    assert [len(entry.value) for entry in islice(read, 1000)] == [400_001, *[0] * 999]


def test_numbers_across_the_edges_of_the_window_are_whole() -> None:
    for ahead in range(8):
        content = b"[" + b" " * ((1 << 20) - 1 - ahead) + b"1234.5,1e-5,7]"
        assert [entry.value for entry in entries(blocks(content, 1 << 18), opened_to(1))] == [1234.5, 1e-5, 7]
