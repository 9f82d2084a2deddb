"""Which images train, which validate and which test: a function of the images' content and the spec alone.

Units. Exact copies of an image, and the images of one group, are one unit, which stays on one side; for the
strategy GROUPED so are near duplicates.

Strata. For classify a unit's stratum is its class; for detect and segment it is the set of classes that it
shows. That set is a property of the unit alone, so that adding other images never moves a unit into another
stratum; a rule that asks how frequent the classes are, as iterative stratification does, could not promise
that.

Seats. A stratum of n images has the quota r·n of training seats and gets it rounded down or up; all strata
together get r·N rounded to the nearest whole number. Those whose quota's remainder exceeds a hash of the
stratum by the most are rounded up: the largest remainders would always win where many strata hold one
image, and rare combinations of classes would never be validated. For classify, the strata that would
otherwise train on nothing come first, and those that would validate on nothing come last. A quota depends
on its own stratum alone, so that adding one image changes the seats of at most one other stratum, by one:
at most two of the images that were there change sides.

Ranks. Within a stratum the units are ordered by SHA-256 of seed and content; the first ones train.

Test images are dealt first, the last ones of each stratum, and the others then as if there were no test: so
a split with test images moves as little as one without when images are added.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.columns import Flags, Integers, Longs, distinct
from annotateforge.dataset.manifest import TEST, TRAIN, VAL
from annotateforge.dataset.spec import DatasetSpec, Strategy, Task

_STRATUM = b"annotateforge stratum"


@dataclass(frozen=True, slots=True)
class Units:
    """What cannot be divided: images that are copies of one another or of one group."""

    of_image: Longs
    """Number of each image's unit, from 0."""
    size: Longs
    """Images in each unit."""
    rank: Longs
    """Place of each unit in the order of hashes of seed and content."""

    def __len__(self) -> int:
        return len(self.size)

    def of(self, images: Longs) -> "Units":
        """The units of some of the images, of which none divides a unit."""
        units, of_image = np.unique(self.of_image[images], return_inverse=True)
        return Units(of_image.astype(np.int64), self.size[units], self.rank[units])


def assign(spec: DatasetSpec, units: Units, image: Longs, class_id: Integers) -> npt.NDArray[np.uint8]:
    """The side of each image, TRAIN, VAL or TEST; `image` and `class_id` as for `deal`.

    Every side that is asked for gets at least one unit where there are enough. Without test images the
    answer is that of `deal`.
    """
    if not spec.split.test_ratio:
        return np.where(deal(spec, units, image, class_id), TRAIN, VAL).astype(np.uint8)
    share = 1 - spec.split.exact_test_ratio
    stays = _deal(spec, share, b"annotateforge test stratum", units, image, class_id)
    if len(units) > 2:
        _leave_two_units(stays, units)
    rest = np.flatnonzero(stays)
    sides = np.full(len(stays), TEST, np.uint8)
    # Images that stay, renumbered.
    number = np.cumsum(stays) - 1
    shown = stays[image]
    ratio = spec.split.exact_ratio / share
    trains = _deal(spec, ratio, _STRATUM, units.of(rest), number[image[shown]], class_id[shown])
    sides[rest] = np.where(trains, TRAIN, VAL)
    return sides


def _leave_two_units(stays: Flags, units: Units) -> None:
    """Give units back that were taken for the test, the first in rank, until two are left for the others."""
    staying = set(units.of_image[stays].tolist())
    for unit in np.argsort(units.rank).tolist():
        if len(staying) >= 2:
            return
        if unit not in staying:
            staying.add(unit)
            stays[units.of_image == unit] = True


def find_units(sha256: npt.NDArray[np.uint8], seed: int, *groups: Integers) -> Units:
    """The units of images; `sha256` has 32 bytes per image, each of `groups` equal numbers above 0 where
    images belong together; `seed` is the split's.
    """
    if not len(sha256):
        empty = np.empty(0, np.int64)
        return Units(empty, empty, empty)
    first, content = distinct(sha256)
    salt = b"annotateforge split" + seed.to_bytes(8, "big", signed=True)
    raw = sha256[first].tobytes()
    hashes = np.fromiter(
        (
            int.from_bytes(hashlib.sha256(salt + raw[at : at + 32]).digest()[:8])
            for at in range(0, len(raw), 32)
        ),
        np.uint64,
        len(first),
    )
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(hashes, kind="stable")] = np.arange(len(first))
    del raw, hashes
    unit_of_content = _join(len(first), content, groups)
    best = np.full(int(unit_of_content.max()) + 1, len(first))
    np.minimum.at(best, unit_of_content, rank)
    of_image = unit_of_content[content]
    return Units(of_image, np.bincount(of_image, minlength=len(best)), best)


def _join(contents: int, content: Longs, groups: Sequence[Integers]) -> Longs:
    """The number of each content's unit; contents of equal numbers above 0 in any group are of one unit."""
    if not any((group > 0).any() for group in groups):
        return np.arange(contents)
    parent = list(range(contents))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for group in groups:
        grouped = np.flatnonzero(group > 0)
        first: dict[int, int] = {}
        for member, number in zip(content[grouped].tolist(), group[grouped].tolist(), strict=True):
            a, b = root(member), root(first.setdefault(number, member))
            parent[max(a, b)] = min(a, b)
    roots = np.fromiter(map(root, range(contents)), np.int64, contents)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)


def deal(spec: DatasetSpec, units: Units, image: Longs, class_id: Integers) -> Flags:
    """Which images train, the others validate.

    `image` and `class_id` are pairs that say which classes an image shows, in any order, also repeatedly.
    Both sides get at least one unit where there are two; the training side then has r·N images rounded to
    the nearest whole number, or as near as the sizes of the units allow.
    """
    return _deal(spec, spec.split.exact_ratio, _STRATUM, units, image, class_id)


def _deal(
    spec: DatasetSpec, ratio: Fraction, purpose: bytes, units: Units, image: Longs, class_id: Integers
) -> Flags:
    """Deal the share `ratio` of the images; `purpose` makes one dealing independent of another."""
    total = len(units.of_image)
    if len(units) < 2:
        return np.ones(total, np.bool_)
    target = min(max(_nearest(ratio * total), 1), total - 1)
    if spec.split.strategy is Strategy.RANDOM:
        strata = _Strata(np.zeros(len(units), np.int64), [b""], ())
    else:
        strata = _find_strata(units.of_image[image], class_id, len(units), spec.classes)
    sizes = np.bincount(strata.of_unit, weights=units.size, minlength=len(strata)).astype(np.int64).tolist()
    salt = purpose + spec.split.seed.to_bytes(8, "big", signed=True)
    seats = _give_seats(ratio, target, sizes, strata.key, salt, cover=spec.task is Task.CLASSIFY)
    unit_stratum = strata.of_unit.tolist()
    del strata

    order = np.argsort(units.rank).tolist()
    unit_size = units.size.tolist()
    trains = [False] * len(units)
    left = target
    for unit in order:
        size, place = unit_size[unit], unit_stratum[unit]
        if size <= seats[place]:
            trains[unit] = True
            seats[place] -= size
            left -= size
    # Units that are too large for the rest of their stratum's seats leave some; others take them.
    for unit in order:
        if not left:
            break
        if not trains[unit] and unit_size[unit] <= left:
            trains[unit] = True
            left -= unit_size[unit]
    if left:
        _come_nearer(trains, unit_size, order, target)
    return np.array(trains)[units.of_image]


@dataclass(frozen=True, slots=True)
class _Strata:
    """Units that show the same classes."""

    of_unit: Longs
    """Number of each unit's stratum."""
    classes: Sequence[bytes]
    """The class ids of each stratum in ascending order, two bytes each."""
    names: tuple[bytes, ...]
    """Names of the classes."""

    def __len__(self) -> int:
        return len(self.classes)

    def key(self, number: int) -> bytes:
        """What stands for a stratum: it follows from the names of its classes."""
        return b"\0".join(sorted(self.names[each] for each in memoryview(self.classes[number]).cast("H")))


def _find_strata(unit: Longs, class_id: Integers, units: int, classes: tuple[str, ...]) -> _Strata:
    """The strata of units; `unit` and `class_id` are pairs that say which classes a unit shows."""
    width = len(classes) + 1
    # Half the memory where it suffices.
    pairs: Integers = unit.astype(np.int32 if units * width < 2**31 else np.int64)
    del unit
    np.multiply(pairs, width, out=pairs)
    np.add(pairs, class_id, out=pairs, casting="same_kind")
    pairs.sort()
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]]
    data = (pairs % width).astype(np.uint16).tobytes()
    pairs //= width
    ends = 2 * np.cumsum(np.bincount(pairs, minlength=units))
    del pairs
    numbers: dict[bytes, int] = {}
    begin = 0

    def number(end: int) -> int:
        nonlocal begin
        key, begin = data[begin:end], end
        return numbers.setdefault(key, len(numbers))

    of_unit = np.fromiter(map(number, ends.data), np.int64, units)
    return _Strata(of_unit, list(numbers), tuple(name.encode() for name in classes))


def _give_seats(
    ratio: Fraction,
    target: int,
    sizes: Sequence[int],
    key: Callable[[int], bytes],
    salt: bytes,
    *,
    cover: bool,
) -> list[int]:
    """Training seats of each stratum; together they are `target`."""
    # A stratum's quota is seats + remainder / denominator.
    numerator, denominator = ratio.numerator, ratio.denominator
    seats = [size * numerator // denominator for size in sizes]
    left = target - sum(seats)
    if not left:
        return seats

    # Bytes that are ordered as what they are made of: tuples would take three times the memory.
    width = (denominator << 65).bit_length() // 8 + 1

    def claim(number: int) -> bytes:
        down, remainder = divmod(sizes[number] * numerator, denominator)
        if not remainder:
            urgency = 3
        elif cover:
            urgency = 0 if down == 0 else 2 if down + 1 == sizes[number] else 1
        else:
            urgency = 1
        chance = hashlib.sha256(salt + key(number)).digest()
        # 1 + chance / 2**64 - remainder / denominator, in whole numbers.
        excess = (int.from_bytes(chance[:8]) + (1 << 64)) * denominator - (remainder << 64)
        return bytes((urgency,)) + excess.to_bytes(width) + chance

    for number in sorted(range(len(sizes)), key=claim)[:left]:
        seats[number] += 1
    return seats


def _come_nearer(trains: list[bool], sizes: list[int], order: list[int], target: int) -> None:
    """Exchange as few units as are needed for the training side to be as near to `target` as units allow."""
    places: dict[int, list[int]] = {}
    for unit in order:
        places.setdefault(sizes[unit], []).append(unit)
    kinds = sorted(places)
    # Bit n of reach[k] says whether n images can be put together from units of the k smallest sizes.
    reach = [1]
    for size in kinds:
        sums, some, rest = reach[-1], 1, len(places[size])
        while rest:
            some = min(some, rest)
            sums |= sums << (some * size)
            rest -= some
            some *= 2
        reach.append(sums)
    total = sum(sizes)
    now = sum(size for size, train in zip(sizes, trains, strict=True) if train)
    away = 0
    while True:
        goals = [
            goal for goal in (target - away, target + away) if 0 < goal < total and reach[-1] >> goal & 1
        ]
        if goals:
            break
        away += 1
    if now in goals:
        return
    goal = goals[0]
    for below in range(len(kinds) - 1, -1, -1):
        size, units = kinds[below], places[kinds[below]]
        taken = sum(trains[unit] for unit in units)
        count = min(
            (n for n in range(len(units) + 1) if n * size <= goal and reach[below] >> (goal - n * size) & 1),
            key=lambda n: (abs(n - taken), n),
        )
        goal -= count * size
        for unit in units if count > taken else reversed(units):
            if count == taken:
                break
            if trains[unit] is (count < taken):
                trains[unit] = count > taken
                taken += 1 if count > taken else -1


def _nearest(value: Fraction) -> int:
    """The nearest whole number; a half goes up."""
    return int(value + Fraction(1, 2))
