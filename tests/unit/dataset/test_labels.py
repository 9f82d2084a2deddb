import zlib

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from annotateforge.dataset.columns import Longs
from annotateforge.dataset.labels import data_yaml, write_files, write_rows
from annotateforge.dataset.shapes import GRID

rows = st.lists(
    st.tuples(st.integers(0, 999), st.lists(st.integers(0, GRID), min_size=4, max_size=8)), max_size=20
)


def columns(some: list[tuple[int, list[int]]]) -> tuple[Longs, Longs, Longs]:
    return (
        np.array([class_id for class_id, _ in some], np.int64),
        np.array([len(numbers) for _, numbers in some], np.int64),
        np.array([number for _, numbers in some for number in numbers], np.int64),
    )


def line(class_id: int, numbers: list[int]) -> bytes:
    return " ".join([str(class_id), *(f"{number / GRID:.7f}" for number in numbers)]).encode() + b"\n"


@settings(deadline=None)
@given(rows)
def test_rows_are_written_as_python_would_format_them(some: list[tuple[int, list[int]]]) -> None:
    text, length = write_rows(*columns(some))
    assert text == b"".join(line(*row) for row in some)
    assert length.tolist() == [len(line(*row)) for row in some]


@settings(deadline=None)
@given(st.lists(rows, max_size=5))
def test_files_hold_each_row_once_in_the_order_of_bytes(images: list[list[tuple[int, list[int]]]]) -> None:
    written = write_files(
        np.array([len(some) for some in images], np.int64), *columns([row for some in images for row in some])
    )
    expected = [b"".join(sorted({line(*row) for row in some})) for some in images]
    assert written.data == b"".join(expected)
    assert written.size.tolist() == [len(file) for file in expected]
    assert written.crc32.tolist() == [zlib.crc32(file) for file in expected]
    assert len(written.repeated) == sum(map(len, images)) - sum(file.count(b"\n") for file in expected)


def test_repeated_rows_are_told_with_image_and_class() -> None:
    some = [(0, [1, 2, 3, 4]), (12, [5, 6, 7, 8]), (12, [5, 6, 7, 8]), (12, [5, 6, 7, 8])]
    written = write_files(np.array([1, 3], np.int64), *columns(some))
    assert written.repeated == ((1, 12), (1, 12))


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=10, unique=True))
def test_any_class_name_survives_data_yaml(names: list[str]) -> None:
    text = data_yaml({"train": "images/train", "val": "images/val"}, tuple(names))
    for loader in (yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        loaded = yaml.load(text, Loader=loader)
        assert loaded["names"] == dict(enumerate(names))
        assert loaded["nc"] == len(names)


@pytest.mark.parametrize("name", ["yes", "1", "null", "a: b", "# c", '"', "\\", "é😀", "{}", "- x"])
def test_class_names_stay_texts(name: str) -> None:
    assert yaml.safe_load(data_yaml({"train": "a", "val": "b"}, (name,)))["names"] == {0: name}
