"""Which bytes of a content are sent."""

from dataclasses import dataclass

from annotateforge.runtime.errors import InvalidArgument, OutOfRange


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
