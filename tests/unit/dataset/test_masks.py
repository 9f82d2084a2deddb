"""Masks in run-length encoding become polygons that cover exactly their pixels."""

import time
from itertools import groupby
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from annotateforge.dataset.imports.masks import Mask, MaskRefused, rings_of_runs
from annotateforge.dataset.imports.rings import joined

MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))).filter(
    lambda mask: mask.any()
)


def runs(mask: Mask) -> list[int]:
    """The uncompressed counts of a mask."""
    flat = mask.flatten(order="F").tolist()
    lengths = [len(list(group)) for _, group in groupby(flat)]
    return [0, *lengths] if flat[0] else lengths


def packed(counts: list[int]) -> str:
    """The compressed counts, as pycocotools' rleToString writes them."""
    text = ""
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            digit = value & 0x1F
            value >>= 5
            more = value != (-1 if digit & 0x10 else 0)
            text += chr((digit | 0x20 * more) + 48)
    return text


def area(ring: tuple[float, ...]) -> float:
    xs, ys = np.array(ring[::2]), np.array(ring[1::2])
    return float(xs @ np.roll(ys, -1) - ys @ np.roll(xs, -1)) / 2


def covers(rings: list[tuple[float, ...]], x: float, y: float) -> bool:
    """Whether a point is inside by the even-odd rule."""
    inside = False
    for ring in rings:
        points = list(zip(ring[::2], ring[1::2], strict=True))
        for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True):
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
                inside = not inside
    return inside


@given(MASKS)
def test_an_outline_covers_the_pixels_of_its_mask_and_no_others(mask: Mask) -> None:
    rings = rings_of_runs(runs(mask), list(mask.shape))
    assert rings == rings_of_runs(packed(runs(mask)), list(mask.shape))
    assert sum(map(area, rings)) == mask.sum()
    assert area(joined(rings)) == mask.sum(), "bridges have no area"
    for (y, x), there in np.ndenumerate(mask):
        assert covers(rings, x + 0.5, y + 0.5) == there


@pytest.mark.parametrize(
    ("counts", "size"),
    [
        ([1, 2], None),
        ([1, 2], [2]),
        ([1, 2], [0, 2]),
        ([1, 2], [2.0, 2]),
        ([1, 2], [1 << 20, 1 << 20]),
        ([1, 9], [2, 2]),
        ([1, -1, 3], [2, 2]),
        ([1, True], [2, 2]),
        ([4], [2, 2]),
        ([], [2, 2]),
        ([2, 0, 2], [2, 2]),
        ("", [2, 2]),
        ("\u56fe", [2, 2]),
        ("o" * 100, [2, 2]),
        ("1o", [2, 2]),
        ({}, [2, 2]),
        (None, [2, 2]),
    ],
)
def test_what_is_no_mask_is_refused(counts: Any, size: Any) -> None:
    with pytest.raises(MaskRefused):
        rings_of_runs(counts, size)


def test_noise_of_millions_of_pixels_is_refused_before_it_takes_long() -> None:
    began = time.perf_counter()
    for counts in ([1] * 150_000, [0, *[1] * 8_000_000]):
        with pytest.raises(MaskRefused):
            rings_of_runs(counts, [4000, 4001])
    stripes = [4000] * 4000
    with pytest.raises(MaskRefused):
        rings_of_runs(stripes, [4000, 4001])
    assert time.perf_counter() - began < 20
