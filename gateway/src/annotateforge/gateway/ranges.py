"""Ranges and entity tags of HTTP (RFC 9110, sections 8.8, 13 and 14): which bytes of a content are meant."""

import re
from dataclasses import dataclass

LARGEST = 2**63 - 1
"""Positions beyond this one fit into no offset of the protos."""

_SINGLE = re.compile(r"[ \t]*(\d*)[ \t]*-[ \t]*(\d*)[ \t]*")
_ENTITY_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


@dataclass(frozen=True, slots=True)
class Interval:
    """Bytes from `first` on, counted from 0."""

    first: int
    last: int | None
    """The last byte, included; None for the end of the content."""


@dataclass(frozen=True, slots=True)
class Suffix:
    """The last `length` bytes."""

    length: int


def parse_range(header: str | None) -> Interval | Suffix | None:
    """The one range that a Range header asks for.

    None where the whole content is to be sent: no header, another unit than bytes, several ranges (a server
    may always answer those with everything), or no range by the grammar, which RFC 9110 says to ignore.
    """
    if header is None:
        return None
    unit, equals, ranges = header.partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return None
    # Empty elements of a list count for nothing (section 5.6.1).
    wanted = [element for element in ranges.split(",") if element.strip(" \t")]
    found = _SINGLE.fullmatch(wanted[0]) if len(wanted) == 1 else None
    if found is None:
        return None
    first, last = found.groups()
    if not first:
        return Suffix(_position(last)) if last else None
    interval = Interval(_position(first), _position(last) if last else None)
    if interval.last is not None and interval.last < interval.first:
        return None
    return interval


def resolve(wanted: Interval | Suffix, total: int) -> tuple[int, int] | None:
    """Offset and length in bytes of a range within a content of `total` bytes; None when no byte of it
    exists.
    """
    if isinstance(wanted, Suffix):
        length = min(wanted.length, total)
        return (total - length, length) if length > 0 else None
    if wanted.first >= total:
        return None
    last = total - 1 if wanted.last is None else min(wanted.last, total - 1)
    return wanted.first, last - wanted.first + 1


def matches_none(header: str | None, etag: str) -> bool:
    """Whether If-None-Match names the tag (given without quotes), so that the client has the content already.

    Compared weakly, as section 13.1.2 says.
    """
    if header is None or not etag:
        return False
    if header.strip() == "*":
        return True
    return any(found.group(2) == etag for found in _ENTITY_TAG.finditer(header))


def matches_range(header: str | None, etag: str) -> bool:
    """Whether If-Range allows the range: there is none, or it is exactly the strong tag.

    A date never allows it, because contents here have no date of modification.
    """
    if header is None:
        return True
    found = _ENTITY_TAG.fullmatch(header.strip())
    return found is not None and found.group(1) is None and bool(etag) and found.group(2) == etag


def _position(digits: str) -> int:
    # int() refuses more than 4,300 digits; whatever is that large lies beyond every content.
    digits = digits.lstrip("0") or "0"
    return min(int(digits), LARGEST) if len(digits) < 20 else LARGEST
