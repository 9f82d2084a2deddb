"""Near duplicates: images whose fingerprints say that they show the same, plain or mirrored.

To compare 100,000 images with one another would take minutes. Two that are alike agree in most bits, so for
each of some dozens of samples of the bits the images (and their mirror images) are sorted by these bits, and
only neighbours that agree in the first ones are compared. How many neighbours is bounded, and those that are
known to belong together are not compared again: neither a million equal fingerprints nor a bucket that holds
everything takes long.

The answer follows from the set of fingerprints alone, whatever their order.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.columns import Longs
from annotateforge.dataset.fingerprints import BIT_BYTES, LOW, SIZE

MOST_BITS = 40
"""Bits of 256 in which two images of the same may differ; of others 60 to 130 do."""
MOST_TONE = 12
"""Steps of 255 by which their mean colours and contrasts may differ."""

_PREFIX = 16
"""Bits of a sample of 64 in which neighbours must agree."""
_MOST_OF_SAMPLE = 16
"""Bits of a sample in which they may differ, or they are not looked at more closely."""
_REACH = 12
"""Neighbours that an image is compared with, per sample."""
_BITS = LOW * LOW
_IMAGES_AT_ONCE = 4096
_SAMPLES_AT_ONCE = 4


def find_clusters(fingerprints: npt.NDArray[np.uint8]) -> Longs:
    """Number of each image's cluster of near duplicates, 1, 2, …; 0 where none is like it.

    `fingerprints` has a row of SIZE bytes for each image. Images of equal fingerprints are alike; so are
    those that a chain of images joins of which each is like the next, as the frames of a video are.
    """
    if not len(fingerprints):
        return np.empty(0, np.int64)
    first, which = _distinct(fingerprints)
    label = _join(fingerprints[first])[which]
    _, number, count = np.unique(label, return_inverse=True, return_counts=True)
    alone = count == 1
    numbers = np.where(alone, 0, np.cumsum(~alone))
    clusters: Longs = numbers[number].astype(np.int64)
    return clusters


def _distinct(fingerprints: npt.NDArray[np.uint8]) -> tuple[Longs, Longs]:
    """One of each different fingerprint, in ascending order, and for each image which of them it has."""
    rows = _comparable(fingerprints)
    order = np.argsort(rows, kind="stable")
    rows = rows[order]
    new = np.append(True, rows[1:] != rows[:-1])
    which = np.empty(len(rows), np.int64)
    which[order] = np.cumsum(new) - 1
    return order[new], which


def _comparable(fingerprints: npt.NDArray[np.uint8]) -> npt.NDArray[np.bytes_]:
    """Fingerprints that can be ordered: numpy orders texts, of which it forgets zeros at the end, so a last
    byte follows.
    """
    closed = np.ones((len(fingerprints), SIZE + 1), np.uint8)
    closed[:, :SIZE] = fingerprints
    return closed.view(f"S{SIZE + 1}").ravel()


def _join(fingerprints: npt.NDArray[np.uint8]) -> Longs:
    """A label for each of some different fingerprints; those that are alike have the same."""
    count = len(fingerprints)
    packed = np.ascontiguousarray(fingerprints[:, 1 : 1 + BIT_BYTES])
    words = packed.view(np.uint64)
    tone = fingerprints[:, 1 + BIT_BYTES :].astype(np.int16)
    label = np.arange(count)
    for sample, keys in zip(_SAMPLES, _all_keys(packed), strict=True):
        turned = _keys(_TURNED_BY_MIRROR[None, sample])
        both = np.concatenate((keys, keys ^ turned))
        # Stable: where equal keys come is not left to the processor.
        order = np.argsort(both, kind="stable")
        both = both[order]
        at = np.arange(len(both))
        for step in range(1, _REACH + 1):
            # Whoever agrees with a neighbour agrees with those between.
            at = at[: np.searchsorted(at, len(both) - step)]
            differing = both[at + step] ^ both[at]
            agreeing = differing >> np.uint64(64 - _PREFIX) == 0
            at = at[agreeing]
            if not len(at):
                break
            near = at[np.bitwise_count(differing[agreeing]) <= _MOST_OF_SAMPLE]
            one, other = order[near], order[near + step]
            # Two mirror images are as far apart as the images themselves.
            asked = (label[one % count] != label[other % count]) & ((one < count) | (other < count))
            one, other = one[asked], other[asked]
            mirrored = (one < count) != (other < count)
            one, other = one % count, other % count
            differing = words[one] ^ words[other]
            differing[mirrored] ^= _MIRROR_WORDS
            alike = np.bitwise_count(differing).sum(axis=1, dtype=np.int64) <= MOST_BITS
            one, other = one[alike], other[alike]
            alike = (np.abs(tone[one] - tone[other]) <= MOST_TONE).all(axis=1)
            if alike.any():
                label = _united(label, one[alike], other[alike])
    return label


def _all_keys(packed: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint64]]:
    """The images' keys in each sample, from their bits, BIT_BYTES of them for each image.

    Bits of some thousand images are laid out as bytes at once, for several samples: all of them would take
    eight times as much memory.
    """
    for first in range(0, len(_SAMPLES), _SAMPLES_AT_ONCE):
        samples = _SAMPLES[first : first + _SAMPLES_AT_ONCE]
        chosen = np.concatenate(samples)
        keys = np.empty((len(samples), len(packed)), np.uint64)
        for at in range(0, len(packed), _IMAGES_AT_ONCE):
            bits = np.unpackbits(packed[at : at + _IMAGES_AT_ONCE], axis=1)
            # Several times as fast as indexing.
            taken = np.take(bits, chosen, axis=1).reshape(len(bits) * len(samples), -1)
            keys[:, at : at + _IMAGES_AT_ONCE] = _keys(taken).reshape(len(bits), -1).T
        yield from keys


def _united(label: Longs, one: Longs, other: Longs) -> Longs:
    """The labels after what bears `label[one]` and `label[other]` has been joined: the smallest of each."""
    parent = np.arange(len(label))
    while True:
        a, b = parent[label[one]], parent[label[other]]
        apart = a != b
        if not apart.any():
            return parent[label]
        low, high = np.minimum(a, b)[apart], np.maximum(a, b)[apart]
        np.minimum.at(parent, high, low)
        while True:
            shortened = parent[parent]
            if (shortened == parent).all():
                break
            parent = shortened


def _keys(bits: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Rows of 64 bits as numbers, the first bit of a row the greatest."""
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


def _sample_bits(sample: int) -> Longs:
    """The bits of a sample: chosen once for ever, by hashes, because random generators change."""
    frequency = np.arange(_BITS) // LOW + np.arange(_BITS) % LOW

    def place(bit: int) -> tuple[bool, bytes]:
        # The lower half of the frequencies changes the least.
        return bool(frequency[bit] >= LOW), hashlib.sha256(f"sample {sample} {bit}".encode()).digest()

    # The first bit is the mean, which is always the same.
    return np.array(sorted(range(1, _BITS), key=place)[:64])


_TURNED_BY_MIRROR = (np.arange(_BITS) % LOW % 2).astype(np.uint8)
"""1 for the bits of odd horizontal frequencies."""
_MIRROR_WORDS = np.packbits(_TURNED_BY_MIRROR).view(np.uint64)
"""The same, as the bits of fingerprints are compared."""
_SAMPLES = [_sample_bits(sample) for sample in range(32)]
