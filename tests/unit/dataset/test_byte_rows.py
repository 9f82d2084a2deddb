"""Byte strings, many at once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.dataset.byte_rows import ByteRows, beside

columns = st.integers(0, 9).flatmap(
    lambda rows: st.lists(
        st.lists(st.binary(max_size=9), min_size=rows, max_size=rows), min_size=1, max_size=4
    )
)


@given(columns)
def test_rows_beside_each_other_are_those_of_strings_put_together(parts: list[list[bytes]]) -> None:
    together = [b"".join(row) for row in zip(*parts, strict=True)]
    found = beside(*map(ByteRows.of, parts))
    assert found.lengths.tolist() == list(map(len, together))
    assert found.split() == together
    assert found.join() == b"".join(together)


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=9), st.lists(st.integers(0, 8), max_size=20))
def test_rows_that_are_taken_are_those_strings(strings: list[bytes], index: list[int]) -> None:
    chosen = [number % len(strings) for number in index]
    found = ByteRows.of(strings).take(np.array(chosen, np.int64))
    assert found.split() == [strings[number] for number in chosen]


def test_structures_are_there_whole_or_not_at_all() -> None:
    structures = np.array([(1,), (2,), (3,)], np.dtype([("number", "<u2")]))
    assert ByteRows.of_structures(structures).split() == [b"\1\0", b"\2\0", b"\3\0"]
    some = ByteRows.of_structures(structures, np.array([True, False, True]))
    assert beside(some, ByteRows.of([b"a", b"b", b"c"])).split() == [b"\1\0a", b"b", b"\3\0c"]
