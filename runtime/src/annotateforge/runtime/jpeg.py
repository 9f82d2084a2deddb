"""What a JPEG costs to decode, seen without decoding it."""

import re

MOST_SCANS = 50
"""Most passes over all of its pixels that a JPEG may ask for; encoders write 10 to 20 at most."""

_SCAN = b"\xff\xda"
_END = b"\xd9"
# Neither stuffing nor a marker without a segment: fill bytes, TEM, RST0 to RST7, SOI.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")


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
