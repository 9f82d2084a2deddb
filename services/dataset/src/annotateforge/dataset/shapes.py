"""From drawn shapes to the numbers of YOLO labels, clipped to the image; numpy over all annotations at once.

Every operation is one that IEEE 754 rounds correctly, and what is kept is decided on integers: the same
annotations give the same numbers on every machine.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.columns import TYPE_CODES, Annotations, Flags, Floats, Longs, spread, starts

GRID = 10_000_000
"""Steps from one side of the image to the other: label numbers have seven decimals."""


class Fate(IntEnum):
    """What became of an annotation."""

    KEPT = 0
    OUTSIDE_IMAGE = 1
    """Nothing of it that has an area lies on the image."""
    NO_AREA = 2
    """It lies on the image and has no width, no height or, as a polygon, no area."""


@dataclass(frozen=True, slots=True)
class Outlines:
    """Label numbers of some annotations; one element per annotation, but for `numbers`."""

    numbers: Longs
    """0 to GRID; of the kept annotations one after another."""
    count: Longs
    """How many numbers an annotation has; 0 when it was dropped."""
    fate: npt.NDArray[np.uint8]
    """See Fate."""
    clipped: Flags
    """True where clipping to the image changed what is written, or dropped the annotation."""


def box_outlines(annotations: Annotations, width: Floats, height: Floats) -> Outlines:
    """Axis-parallel boxes of what can be seen of each annotation: x centre, y centre, width, height.

    `width` and `height` are those of each annotation's image in pixels. The box is the smallest around the
    part of the shape that lies on the image. Its edges are rounded to two steps of the grid, so that centre
    and size are whole steps and the written box neither leaves the image by a rounding error nor differs
    from its edges.
    """
    size = np.column_stack((width, height, width, height))
    if (annotations.type == TYPE_CODES[AnnotationType.BOX]).all():
        # As nearly always.
        drawn = _four_each(annotations)
        drawn /= size
        drawn *= GRID // 2
        drawn = np.rint(drawn, out=drawn)
        edges = np.clip(drawn, 0, GRID // 2)
    else:
        drawn, edges = (
            np.rint(each / size * (GRID // 2)) for each in _extents_of(annotations, width, height)
        )
    kept: Flags = (edges[:, 2] > edges[:, 0]) & (edges[:, 3] > edges[:, 1])
    left, top, right, bottom = (edges if kept.all() else edges[kept]).astype(np.int64).T
    on_image = (drawn >= 0) & (drawn <= GRID // 2)
    # Column by column: along short rows it takes several times as long.
    within: Flags = on_image[:, 0] & on_image[:, 1] & on_image[:, 2] & on_image[:, 3]
    numbers = np.empty((len(left), 4), np.int64)
    np.add(left, right, out=numbers[:, 0])
    np.add(top, bottom, out=numbers[:, 1])
    np.subtract(right, left, out=numbers[:, 2])
    np.subtract(bottom, top, out=numbers[:, 3])
    numbers[:, 2:] *= 2
    return Outlines(
        numbers=numbers.ravel(), count=np.where(kept, 4, 0), fate=_fates(kept, within), clipped=~within
    )


def polygon_outlines(annotations: Annotations, width: Floats, height: Floats) -> Outlines:
    """Outlines of what can be seen of each polygon: x and y of three or more corners.

    Polygons are clipped by one edge of the image after the other (Sutherland and Hodgman, "Reentrant
    polygon clipping", 1974): what leaves the image and comes back stays joined along the edge by a strip
    without area, as YOLO's one outline per object has to write it. Corners that fall on the one before are
    left out.
    """
    index = spread(annotations.start, annotations.count)
    corners = annotations.count.astype(np.int64) // 2
    owner = np.repeat(np.arange(len(corners)), corners)
    x, y = annotations.numbers[index[0::2]], annotations.numbers[index[1::2]]
    within = _each(
        (np.rint(x / width[owner] * GRID) >= 0)
        & (np.rint(x / width[owner] * GRID) <= GRID)
        & (np.rint(y / height[owner] * GRID) >= 0)
        & (np.rint(y / height[owner] * GRID) <= GRID),
        corners,
    )
    leaving = ~within
    if leaving.any():
        part = spread(starts(corners)[leaving], corners[leaving])
        cut_x, cut_y, cut = clip_polygons(x[part], y[part], corners[leaving], width[leaving], height[leaving])
        whole = spread(starts(corners)[within], corners[within])
        corners[leaving] = cut
        joined_x, joined_y = np.empty(corners.sum()), np.empty(corners.sum())
        place = spread(starts(corners)[leaving], cut)
        joined_x[place], joined_y[place] = cut_x, cut_y
        place = spread(starts(corners)[within], corners[within])
        joined_x[place], joined_y[place] = x[whole], y[whole]
        x, y = joined_x, joined_y
        owner = np.repeat(np.arange(len(corners)), corners)

    column = np.clip(np.rint(x / width[owner] * GRID), 0, GRID).astype(np.int64)
    row = np.clip(np.rint(y / height[owner] * GRID), 0, GRID).astype(np.int64)
    before = _previous(corners)
    new = (column != column[before]) | (row != row[before])
    column, row, owner = column[new], row[new], owner[new]
    corners = np.bincount(owner, minlength=len(corners)).astype(np.int64)
    kept = (corners >= 3) & (_breadth(column, row, owner, corners) > 1)
    stays = kept[owner]
    return Outlines(
        numbers=np.column_stack((column[stays], row[stays])).ravel(),
        count=np.where(kept, 2 * corners, 0),
        fate=_fates(kept, within),
        clipped=leaving,
    )


def box_sizes(outlines: Outlines) -> tuple[Floats, Floats]:
    """Width and height of the box around each annotation that was kept, as shares of the image's."""
    count = outlines.count[outlines.count > 0]
    if (count == 4).all():
        # A polygon has six numbers or more.
        return outlines.numbers[2::4] / GRID, outlines.numbers[3::4] / GRID
    at = starts(count // 2)
    x, y = outlines.numbers[0::2], outlines.numbers[1::2]
    across = np.maximum.reduceat(x, at) - np.minimum.reduceat(x, at)
    down = np.maximum.reduceat(y, at) - np.minimum.reduceat(y, at)
    return across / GRID, down / GRID


def clip_polygons(
    x: Floats, y: Floats, corners: Longs, width: Floats, height: Floats
) -> tuple[Floats, Floats, Longs]:
    """Clip polygons, whose corners follow one another in `x` and `y`, to 0..width and 0..height of each.

    Answers the same three arrays of what is left; a polygon of which nothing is left has no corners.
    """
    for vertical, far in ((False, False), (False, True), (True, False), (True, True)):
        along, across = (y, x) if vertical else (x, y)
        limit = np.repeat((height if vertical else width) * far, corners)
        depth = limit - along if far else along
        before = _previous(corners)
        inside = depth >= 0
        crossing = inside != inside[before]
        emitted = crossing.astype(np.int64) + inside
        here, there = np.flatnonzero(crossing), before[crossing]
        share = depth[there] / (depth[there] - depth[here])
        new_along, new_across = np.empty(emitted.sum()), np.empty(emitted.sum())
        place = starts(emitted)
        new_along[place[here]] = limit[here]
        new_across[place[here]] = across[there] + share * (across[here] - across[there])
        new_along[(place + crossing)[inside]] = along[inside]
        new_across[(place + crossing)[inside]] = across[inside]
        x, y = (new_across, new_along) if vertical else (new_along, new_across)
        corners = _sum(emitted, corners)
    return x, y, corners


def _four_each(annotations: Annotations) -> Floats:
    """A copy of the coordinates of boxes, a row for each."""
    numbers, start, count = annotations.numbers, annotations.start, len(annotations)
    if count and (np.diff(start) == 4).all():
        first = int(start[0])
        return numbers[first : first + 4 * count].reshape(count, 4).copy()
    gathered: Floats = numbers[start[:, None] + np.arange(4)]
    return gathered


def _extents_of(annotations: Annotations, width: Floats, height: Floats) -> tuple[Floats, Floats]:
    """Edges of annotations of any types as drawn, and of what the image shows of them."""
    drawn = np.empty((len(annotations), 4))
    seen = np.empty((len(annotations), 4))
    numbers = annotations.numbers
    circles = np.flatnonzero(annotations.type == TYPE_CODES[AnnotationType.CIRCLE])
    at = annotations.start[circles]
    drawn[circles], seen[circles] = _circle_extents(
        numbers[at], numbers[at + 1], numbers[at + 2], width[circles], height[circles]
    )
    boxes = np.flatnonzero(annotations.type == TYPE_CODES[AnnotationType.BOX])
    drawn[boxes] = numbers[annotations.start[boxes, None] + np.arange(4)]
    seen[boxes] = _clip_extents(drawn[boxes], width[boxes], height[boxes])
    cornered = np.flatnonzero(annotations.type >= TYPE_CODES[AnnotationType.RECTANGLE])
    drawn[cornered], seen[cornered] = _cornered_extents(
        numbers, annotations.start[cornered], annotations.count[cornered], width[cornered], height[cornered]
    )
    return drawn, seen


def _circle_extents(
    x: Floats, y: Floats, radius: Floats, width: Floats, height: Floats
) -> tuple[Floats, Floats]:
    """Edges of circles as drawn, and of what the image shows of them."""
    drawn = np.column_stack((x - radius, y - radius, x + radius, y + radius))
    # On the image the circle is widest in the image's row that is nearest to its centre.
    off_x, off_y = np.abs(x - np.clip(x, 0, width)), np.abs(y - np.clip(y, 0, height))
    half_width = np.sqrt(np.maximum(radius - off_y, 0) * (radius + off_y))
    half_height = np.sqrt(np.maximum(radius - off_x, 0) * (radius + off_x))
    seen = np.column_stack((x - half_width, y - half_height, x + half_width, y + half_height))
    return drawn, _clip_extents(seen, width, height)


def _cornered_extents(
    numbers: Floats, start: Longs, count: npt.NDArray[np.int32], width: Floats, height: Floats
) -> tuple[Floats, Floats]:
    """Edges of rectangles and polygons as drawn, and of what the image shows of them."""
    if not len(start):
        return np.empty((0, 4)), np.empty((0, 4))
    index = spread(start, count)
    x, y = numbers[index[0::2]], numbers[index[1::2]]
    corners = count.astype(np.int64) // 2
    drawn = _extents(x, y, corners)
    seen = _clip_extents(drawn, width, height)
    leaving = (seen != drawn).any(axis=1)
    if leaving.any():
        part = spread(starts(corners)[leaving], corners[leaving])
        cut_x, cut_y, cut = clip_polygons(x[part], y[part], corners[leaving], width[leaving], height[leaving])
        seen[leaving] = 0
        seen[np.flatnonzero(leaving)[cut > 0]] = _extents(cut_x, cut_y, cut[cut > 0])
    return drawn, seen


def _extents(x: Floats, y: Floats, corners: Longs) -> Floats:
    if not len(corners):
        return np.empty((0, 4))
    at = starts(corners)
    low, high = np.minimum.reduceat, np.maximum.reduceat
    return np.column_stack((low(x, at), low(y, at), high(x, at), high(y, at)))


def _clip_extents(extents: Floats, width: Floats, height: Floats) -> Floats:
    zero = np.zeros_like(width)
    return np.clip(
        extents, np.column_stack((zero, zero, zero, zero)), np.column_stack((width, height, width, height))
    )


def _breadth(column: Longs, row: Longs, owner: Longs, corners: Longs) -> Floats:
    """How far the corners of each polygon lie from the line through its first and its furthest corner, in
    steps.

    Rounding puts the corners of a line up to one step beside it.
    """
    filled = np.flatnonzero(corners)
    breadth = np.zeros(len(corners))
    if not len(filled):
        return breadth
    start = starts(corners)
    x, y = column - column[start[owner]], row - row[start[owner]]
    distance = x * x + y * y
    longest = np.zeros(len(corners), np.int64)
    longest[filled] = np.maximum.reduceat(distance, start[filled])
    at_longest = np.flatnonzero(distance == longest[owner])
    furthest = start.copy()
    furthest[owner[at_longest[::-1]]] = at_longest[::-1]
    beside = np.abs(x * y[furthest[owner]] - y * x[furthest[owner]])
    breadth[filled] = np.maximum.reduceat(beside, start[filled])
    return breadth / np.maximum(np.sqrt(longest), 1)


def _fates(kept: Flags, within: Flags) -> npt.NDArray[np.uint8]:
    return np.where(kept, Fate.KEPT, np.where(within, Fate.NO_AREA, Fate.OUTSIDE_IMAGE)).astype(np.uint8)


def _previous(corners: Longs) -> Longs:
    """For every corner the index of the one before it on its polygon."""
    before = np.arange(corners.sum(), dtype=np.int64) - 1
    start, filled = starts(corners), corners > 0
    before[start[filled]] = start[filled] + corners[filled] - 1
    return before


def _sum(values: Longs, lengths: Longs) -> Longs:
    """Sums of runs that follow one another, of which some may be empty."""
    total: Longs = np.append(0, np.cumsum(values, dtype=np.int64))
    at = starts(lengths)
    sums: Longs = total[at + lengths] - total[at]
    return sums


def _each(values: Flags, lengths: Longs) -> Flags:
    """Which runs hold True alone."""
    whole: Flags = _sum(values.astype(np.int64), lengths) == lengths
    return whole
