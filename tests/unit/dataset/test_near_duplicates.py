import random
import time

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotateforge.dataset.fingerprints import BIT_BYTES, SIZE, VERSION
from annotateforge.dataset.near_duplicates import MOST_BITS, find_clusters

Looks = npt.NDArray[np.uint8]


def unrelated(count: int, seed: int = 1) -> Looks:
    looks = np.random.default_rng(seed).integers(0, 256, (count, SIZE), dtype=np.uint8)
    looks[:, 0] = VERSION
    looks[:, 1 + BIT_BYTES :] = 100
    return looks


def turned(looks: Looks, bits: int, seed: int = 2) -> Looks:
    """The same with some bits of each the other way round."""
    dice = random.Random(seed)
    spread = np.unpackbits(looks[:, 1 : 1 + BIT_BYTES], axis=1)
    for row in spread:
        row[dice.sample(range(len(row)), bits)] ^= 1
    changed = looks.copy()
    changed[:, 1 : 1 + BIT_BYTES] = np.packbits(spread, axis=1)
    return changed


def test_nothing_is_like_nothing() -> None:
    assert find_clusters(unrelated(0)).tolist() == []
    assert find_clusters(unrelated(1)).tolist() == [0]
    assert not find_clusters(unrelated(3000)).any()


@pytest.mark.parametrize("bits", [0, 8, 24])
def test_all_copies_are_found_among_thousands(bits: int) -> None:
    looks = unrelated(3000)
    copies = turned(looks[:200], bits)
    found = find_clusters(np.concatenate((looks, copies)))
    assert np.count_nonzero((found[:200] == found[3000:]) & (found[:200] > 0)) >= 198
    assert not found[200:3000].any()


def test_too_many_bits_or_another_tone_is_another_picture() -> None:
    looks = unrelated(50)
    assert not find_clusters(np.concatenate((looks, turned(looks, MOST_BITS + 1)))).any()
    repainted = looks.copy()
    repainted[:, -1] += 13
    assert not find_clusters(np.concatenate((looks, repainted))).any()


def test_a_chain_is_one_cluster() -> None:
    frames = [unrelated(1)]
    for number in range(20):
        frames.append(turned(frames[-1], 12, seed=number))
    assert find_clusters(np.concatenate(frames)).tolist() == [1] * 21


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_the_images_changes_nothing(kinds: list[int], dice: random.Random) -> None:
    looks = np.concatenate(
        [unrelated(0), *(turned(unrelated(1, kind), 6, dice.randrange(99)) for kind in kinds)]
    )
    order = list(range(len(kinds)))
    dice.shuffle(order)
    before, after = find_clusters(looks), find_clusters(looks[order])
    assert [[a == b for b in before[order]] for a in before[order]] == [
        [a == b for b in after] for a in after
    ]
    assert ((before[order] == 0) == (after == 0)).all()


@pytest.mark.parametrize("bits", [0, 10])
def test_a_bucket_that_holds_everything_does_not_take_for_ever(bits: int) -> None:
    # Pair by pair these would be half a billion comparisons or more.
    looks = np.repeat(unrelated(1), 1_000_000 if not bits else 30_000, axis=0)
    started = time.monotonic()
    found = find_clusters(turned(looks, bits) if bits else looks)
    assert set(found.tolist()) == {1}
    assert time.monotonic() - started < 60
