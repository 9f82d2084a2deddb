"""Which bytes of an artifact are sent, and under which name they would be saved."""

import unicodedata
from dataclasses import dataclass

from annotateforge.registry.models import WEIGHTS
from annotateforge.runtime.errors import InvalidArgument, OutOfRange

_NOT_IN_FILENAMES = frozenset('/\\:*?"<>|')
_LONGEST_STEM = 150


@dataclass(frozen=True, slots=True)
class Range:
    """A range of bytes."""

    offset: int
    """First byte, from 0."""
    length: int
    """Bytes from there."""


def requested_range(offset: int, length: int, size: int) -> Range:
    """The range that a request names, cut at the end; a length of 0 means all that follows.

    InvalidArgument INVALID_RANGE for negative numbers, OutOfRange OFFSET_BEYOND_END where nothing follows
    `offset` although it is not 0.
    """
    for field, value in (("offset", offset), ("length", length)):
        if value < 0:
            raise InvalidArgument.of_field("INVALID_RANGE", field, "must not be negative")
    if offset > 0 and offset >= size:
        raise OutOfRange(
            "OFFSET_BEYOND_END",
            f"There are {size} bytes, and the range begins at {offset}.",
            metadata={"total_size": str(size)},
        )
    left = size - offset
    return Range(offset, min(length, left) if length else left)


def weights_filename(model_name: str) -> str:
    """`<model name>.pt`, without what file systems or headers refuse; `best.pt` where nothing is left of the
    name.
    """
    kept = "".join(
        "_" if character in _NOT_IN_FILENAMES or unicodedata.category(character)[0] == "C" else character
        for character in model_name
    )
    stem = kept[:_LONGEST_STEM].strip(" .")
    return f"{stem}.pt" if stem.strip("_") else WEIGHTS
