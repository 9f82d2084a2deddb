"""What a JPEG costs to decode, and whether it is whole, seen without decoding it."""

import re
import struct
from typing import NamedTuple

MOST_SCANS = 50
"""Most passes over all of its pixels that a JPEG may ask for; encoders write 10 to 20 at most."""

_SCAN = b"\xff\xda"
_END = b"\xd9"
# Neither stuffing nor a marker without a segment: fill bytes, TEM, RST0 to RST7, SOI.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
# What ends the data of a scan: any marker but RST0 to RST7. Fill bytes before it need no part of the pattern,
# which so begins with one certain byte: that is searched for twenty times as fast.
_AFTER_SCAN = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_SEQUENTIAL = (0xC0, 0xC1)
_NEEDED = frozenset((0xC4, 0xDB, 0xDD, 0xE0, 0xEE))
"""DHT, DQT, DRI, and APP0 and APP14, which say what the components are."""
_PASSED_OVER = frozenset((*range(0xE0, 0xF0), 0xFE))
"""APP0 to APP15 and COM."""
_METADATA = frozenset((0xE1, 0xE2, 0xED))
_SOF = struct.Struct(">BHHB")
_LONGEST_SIDE = 65_500
"""Pixels that libjpeg decodes (JPEG_MAX_DIMENSION)."""
_STUB_SIDE = 16
_LONGEST_STUB = 8192
"""Bytes; those of real pictures are some hundred."""


def has_too_many_scans(data: bytes, most: int = MOST_SCANS) -> bool:
    """Whether an encoded image is a JPEG with more than `most` scans (ITU-T T.81, annex B).

    A progressive JPEG may refine its pixels any number of times in a few bytes each, and so keep a decoder
    busy for hours. Reads markers as libjpeg does, which looks for the next one wherever it is.
    """
    # Other data may hold the same bytes by chance, a scan's own data never.
    if not data.startswith(b"\xff\xd8") or data.count(_SCAN) <= most:
        return False
    at, scans = 2, 0
    while (found := _MARKER.search(data, at)) is not None and found[1] != _END:
        scans += found[0] == _SCAN
        if scans > most:
            return True
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
    return False


class WholeScan(NamedTuple):
    """What the headers of a JPEG say whose only scan is whole."""

    stub: bytes
    """A JPEG of a few pixels with the same headers."""
    width: int
    """Pixels as they are stored; 0 where the scan is to tell."""
    height: int
    has_metadata: bool
    """Whether there is a segment of those in which cameras and programs write of the picture: APP1 (Exif,
    XMP), APP2 (ICC, several pictures) or APP13 (Photoshop).
    """


def whole_scan(data: bytes) -> WholeScan | None:
    """The headers of `data`, if that is a sequential, Huffman-coded JPEG whose only scan goes to an end of
    image; None for any other, of which only decoding tells whether it is whole.

    libjpeg takes whatever stands in such a scan, and fills up what is missing before the end. So decoding
    `data` fails exactly where decoding the stub does, which takes no time.
    """
    if not data.startswith(b"\xff\xd8"):
        return None
    parts = [data[:2]]
    components = width = height = 0
    has_metadata = False
    at, last = 2, len(data) - 4
    while at <= last and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        length = data[at + 2] << 8 | data[at + 3]
        end = at + 2 + length
        if length < 2 or end > len(data):
            return None
        if marker in _NEEDED:
            parts.append(data[at:end])
        elif marker in _SEQUENTIAL and not components and length >= 2 + _SOF.size:
            precision, height, width, components = _SOF.unpack_from(data, at + 4)
            side = _SOF.pack(precision, _STUB_SIDE, _STUB_SIDE, components)
            parts.append(data[at : at + 4] + side + data[at + 4 + _SOF.size : end])
        elif marker == _SCAN[1] and length > 2:
            after = _AFTER_SCAN.search(data, end)
            if not components or data[at + 4] != components or after is None or after[1] != _END:
                return None
            if max(width, height) > _LONGEST_SIDE:
                return None
            stub = b"".join((*parts, data[at:end], b"\xff" + _END))
            return WholeScan(stub, width, height, has_metadata) if len(stub) <= _LONGEST_STUB else None
        elif marker not in _PASSED_OVER:
            return None
        elif marker in _METADATA:
            has_metadata = True
        at = end
    return None
