"""Splits of data that grows: what was dealt stays where it was, and what belongs together stays together."""

import random
from collections import defaultdict

import pytest

from annotateforge.dataset.freezing import Frozen
from annotateforge.dataset.images import ImageLimits
from annotateforge.dataset.inspection import inspect
from annotateforge.dataset.manifest import TEST, TRAIN, VAL
from annotateforge.dataset.spec import DatasetSpec, Split, Strategy
from tests.unit.dataset.copies import COPIES, copy_of, encoded, picture
from tests.unit.dataset.pictured import BOX, Drawn, Pictured, columns_of, freeze_columns, spec_of

_LIMITS = ImageLimits(size_bytes=1 << 26, pixels=10_000_000)
FIRST, ADDED = 150, 40
"""Images at first, and images that are added one after the other."""
EVERY = 4
"""Every so many of those added are a copy of an earlier one."""


def pictured(content: bytes, dice: random.Random, group: int) -> Pictured:
    shown = {class_id for class_id, share in enumerate((0.8, 0.3)) if dice.random() < share} or {0}
    drawn = [Drawn(BOX, (10 + 30 * n, 5, 30 + 30 * n, 30), n) for n in sorted(shown)]
    return Pictured(content, drawn, group=group, fingerprint=inspect(content, _LIMITS).fingerprint)


@pytest.fixture(scope="module")
def images() -> list[Pictured]:
    """Some in groups of three; those added later belong to earlier ones now and then."""
    dice = random.Random(11)
    contents: list[bytes] = []
    found: list[Pictured] = []
    for number in range(FIRST + ADDED):
        content = encoded(picture(number, 160, 120))
        if number >= FIRST and number % EVERY == 0:
            content = copy_of(contents[number - FIRST], COPIES[number // EVERY % len(COPIES)])
        contents.append(content)
        found.append(pictured(content, dice, number // 3 % 30 if number % 5 == 0 else 0))
    return found


def sides(spec: DatasetSpec, images: list[Pictured]) -> list[int]:
    frozen: Frozen = freeze_columns(spec, *columns_of(images))
    assert len(frozen.included) == len(images)
    return [int(side) for side in frozen.sides]


@pytest.mark.parametrize("test_ratio", [0.0, 0.15])
@pytest.mark.parametrize("strategy", Strategy)
def test_images_keep_their_sides_while_others_are_added(
    images: list[Pictured], strategy: Strategy, test_ratio: float
) -> None:
    spec = spec_of(split=Split(train_ratio=0.7, strategy=strategy, test_ratio=test_ratio))
    first = before = sides(spec, images[:FIRST])
    assert set(before) == ({TRAIN, VAL, TEST} if test_ratio else {TRAIN, VAL})
    moved = []
    for count in range(FIRST + 1, FIRST + ADDED + 1):
        after = sides(spec, images[:count])
        moved.append(sum(one != other for one, other in zip(before, after[:-1], strict=True)))
        before = after
        together: dict[int, set[int]] = defaultdict(set)
        for image, side in zip(images[:count], after, strict=True):
            if image.group:
                together[image.group].add(side)
        assert all(len(found) == 1 for found in together.values())
    # One that joins two groups or clusters brings them to one side, with as many others to keep the ratio.
    assert sum(moved) / ADDED < 1.5
    stayed = sum(one == other for one, other in zip(first, before[:FIRST], strict=True))
    assert stayed >= 0.9 * FIRST


@pytest.mark.parametrize("test_ratio", [0.0, 0.15])
def test_grouped_has_near_duplicates_on_the_side_of_what_they_are_like(
    images: list[Pictured], test_ratio: float
) -> None:
    torn = dict.fromkeys(Strategy, 0)
    for strategy in Strategy:
        for seed in range(3):
            split = Split(train_ratio=0.7, seed=seed, strategy=strategy, test_ratio=test_ratio)
            found = sides(spec_of(split=split), images)
            torn[strategy] += sum(
                found[number] != found[number - FIRST]
                for number in range(FIRST, FIRST + ADDED)
                if number % EVERY == 0
            )
    assert torn[Strategy.GROUPED] == 0
    assert torn[Strategy.STRATIFIED] > 0
    assert torn[Strategy.RANDOM] > 0
