"""Masks in COCO's run-length encoding, and their outlines as polygons.

Runs alternate between background and object, column by column from the upper left corner; the compressed form
packs each run's difference to the one before the last into characters of five bits. Source: pycocotools'
maskApi.c. Outlines go along the edges of pixels, so that an outline's area is the number of its pixels.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.annotations import MOST_POINTS

Mask = npt.NDArray[np.bool_]
Vertex = tuple[int, int]

_MOST_PIXELS = 1 << 25
"""Of a mask: decoding takes up to four bytes for each."""
_MOST_EDGES = 100_000
"""Of an outline, a pixel long: more are noise, and following them takes seconds."""
_MOST_DIGITS = 8


class MaskRefused(Exception):
    """A mask that gives no polygon; the message is a sentence that says why."""


def rings_of_runs(counts: Any, size: Any) -> list[tuple[float, ...]]:
    """The outlines of a mask as `counts` and `size` (height, width) of COCO give it: x, y, x, y, … in pixels,
    objects clockwise and holes the other way, the largest first. Raises MaskRefused.
    """
    height, width = _size(size)
    runs = _run_lengths(counts)
    if not 0 <= runs.sum() <= height * width:
        raise MaskRefused(f"Its runs do not fit into {width} × {height} pixels.")
    ends = np.cumsum(runs)
    if len(ends) < 2 or not runs[1::2].any():
        raise MaskRefused("It has no pixel.")
    # Only the columns that have a pixel of the object are laid out.
    objects = np.flatnonzero(runs[1::2]) * 2 + 1
    first, last = int(ends[objects[0] - 1]) // height, (int(ends[objects[-1]]) - 1) // height
    flat = np.zeros((last - first + 1) * height, np.bool_)
    begin = first * height
    painted = np.repeat(np.arange(len(runs)) % 2 == 1, runs)[begin : (last + 1) * height]
    flat[: len(painted)] = painted
    rings = outlines(flat.reshape(-1, height).T)
    points = sum(map(len, rings)) + 2 * (len(rings) - 1)
    if points > MOST_POINTS:
        raise MaskRefused(f"Its outline has {points:,} corners, and a polygon may have {MOST_POINTS:,}.")
    return [tuple(float(value) for x, y in ring for value in (x + first, y)) for ring in rings]


def outlines(mask: Mask) -> list[list[Vertex]]:
    """The rings around the pixels of a mask, by their corners, the largest first. Pixels that touch in a
    corner alone are apart. Raises MaskRefused where there are too many edges.
    """
    following = _edges(mask)
    rings = []
    while following:
        start = next(iter(following))
        rings.append(_ring(start, following))
    return sorted(rings, key=_twice_area, reverse=True)


def _edges(mask: Mask) -> dict[Vertex, list[Vertex]]:
    """The edges between object and background, each a step of one pixel with the object on its right, by
    where they begin.
    """
    padded = np.pad(mask, 1)
    # Where neighbours differ, as positions: whole arrays of differences would take a multiple of the mask.
    across = np.argwhere(_checked(padded[1:, 1:-1] != padded[:-1, 1:-1]))
    along = np.argwhere(_checked(padded[1:-1, 1:] != padded[1:-1, :-1]))
    below = padded[across[:, 0] + 1, across[:, 1] + 1]
    right = padded[along[:, 0] + 1, along[:, 1] + 1]
    following: dict[Vertex, list[Vertex]] = {}
    for begins, (dx, dy), (sx, sy) in (
        (across[below], (1, 0), (0, 0)),
        (across[~below], (-1, 0), (1, 0)),
        (along[right], (0, -1), (0, 1)),
        (along[~right], (0, 1), (0, 0)),
    ):
        for y, x in begins.tolist():
            following.setdefault((x + sx, y + sy), []).append((x + sx + dx, y + sy + dy))
    return following


def _checked(edges: Mask) -> Mask:
    """The same edges. Raises MaskRefused where there are too many to be followed."""
    if np.count_nonzero(edges) > _MOST_EDGES:
        raise MaskRefused(f"Its outline is longer than {_MOST_EDGES:,} pixels.")
    return edges


def _ring(start: Vertex, following: dict[Vertex, list[Vertex]]) -> list[Vertex]:
    """Take one ring out of the edges; its corners."""
    path = [start]
    at = _step(start, (0, 0), following)
    while at != start:
        path.append(at)
        at = _step(at, (at[0] - path[-2][0], at[1] - path[-2][1]), following)
    before = [path[-1], *path[:-1]]
    after = [*path[1:], path[0]]
    return [
        vertex
        for vertex, one, other in zip(path, before, after, strict=True)
        if one[0] != other[0] and one[1] != other[1]
    ]


def _step(at: Vertex, came: Vertex, following: dict[Vertex, list[Vertex]]) -> Vertex:
    """Follow an edge and take it away. Where two begin, the one to the right stays with the same pixel."""
    ways = following[at]
    to_right = (at[0] - came[1], at[1] + came[0])
    way = ways.pop(ways.index(to_right) if to_right in ways else 0)
    if not ways:
        del following[at]
    return way


def _twice_area(ring: Sequence[Vertex]) -> int:
    return sum(
        x * following[1] - following[0] * y
        for (x, y), following in zip(ring, [*ring[1:], ring[0]], strict=True)
    )


def _size(size: Any) -> tuple[int, int]:
    if (
        not isinstance(size, list)
        or len(size) != 2
        or not all(isinstance(side, int) and 0 < side <= _MOST_PIXELS for side in size)
    ):
        raise MaskRefused("It has no size of height and width.")
    height, width = size
    if height * width > _MOST_PIXELS:
        raise MaskRefused(f"It has {width} × {height} pixels; a mask may have {_MOST_PIXELS:,}.")
    return height, width


def _run_lengths(counts: Any) -> npt.NDArray[np.int64]:
    if isinstance(counts, str):
        runs = list(_unpacked(counts))
    elif isinstance(counts, list) and all(type(run) is int for run in counts):
        runs = counts
    else:
        raise MaskRefused("Its counts are neither a text nor a list of whole numbers.")
    if len(runs) > 2 * _MOST_EDGES:
        raise MaskRefused(f"It has {len(runs):,} runs.")
    if not all(0 <= run <= _MOST_PIXELS for run in runs):
        raise MaskRefused("It has a run of impossible length.")
    return np.array(runs, np.int64)


def _unpacked(counts: str) -> Iterator[int]:
    """The runs of the compressed form."""
    earlier = [0, 0]
    number, value, digits = 0, 0, 0
    for character in counts:
        code = ord(character) - 48
        if not 0 <= code < 64 or digits == _MOST_DIGITS:
            raise MaskRefused("Its counts are not those of a run-length encoding.")
        value |= (code & 0x1F) << (5 * digits)
        digits += 1
        if code & 0x20:
            continue
        if code & 0x10:
            value -= 1 << (5 * digits)
        if number > 2:
            value += earlier[0]
        yield value
        earlier = [earlier[1], value]
        number, value, digits = number + 1, 0, 0
    if digits:
        raise MaskRefused("Its counts are cut short.")
