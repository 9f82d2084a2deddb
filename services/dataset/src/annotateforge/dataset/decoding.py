"""Decoding within bounds: how much memory an image takes while it is decoded, and threads that share it."""

import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from annotateforge.runtime.heap import trim_heap

MOST_DECODED_BYTES = 144 << 20
"""Memory that an image may take while it is inspected, and that all threads together may."""
_TRIMMED = 32 << 20
"""Bytes that are worth being given back at once."""
_DEEP = 16
"""Bytes a pixel of 16-bit and float pictures: their own, and those of what they are stretched through."""
_WEBP = 17
"""Bytes a pixel of WebP: the decoder keeps two canvases, and its result is copied twice."""
_PROGRESSIVE = 6
"""Bytes a pixel of a progressive JPEG: all of its coefficients, however far it is scaled down."""


class DecodingMemory:
    """Memory that threads take before they decode, so that no two large images are decoded at once."""

    def __init__(self, size_bytes: int = MOST_DECODED_BYTES) -> None:
        self._size = size_bytes
        self._free = size_bytes
        self._changed = threading.Condition()

    @contextmanager
    def taking(self, count: int) -> Iterator[None]:
        """Hold so many bytes for the time of the context; waits until they are free. What needs more than
        there is gets all of it.
        """
        count = min(count, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= count)
            self._free -= count
        try:
            yield
        finally:
            if count > _TRIMMED:
                trim_heap()
            with self._changed:
                self._free += count
                self._changed.notify_all()


def decoding_bytes(picture: Image.Image) -> int:
    """About how much memory an opened picture takes while it is decoded, at the scale it was drafted to."""
    pixels = picture.width * picture.height
    if picture.format == "WEBP":
        return pixels * _WEBP
    if picture.mode.startswith(("I", "F")):
        return pixels * _DEEP
    own = pixels * (1 if picture.mode in ("1", "L", "P") else 4)
    if picture.format == "TIFF" and picture.info.get("compression") not in (None, "raw"):
        # The library unpacks a strip or a tile, which may be the whole picture, before Pillow takes it over.
        return 2 * own
    return own


def coefficient_bytes(picture: Image.Image, size: tuple[int, int]) -> int:
    """Memory for the coefficients of a JPEG of this size; 0 where they are decoded as they come."""
    is_progressive = "progressive" in picture.info or "progression" in picture.info
    return size[0] * size[1] * _PROGRESSIVE if is_progressive else 0


def is_whole(data: bytes, picture: Image.Image) -> bool:
    """Whether the file of a picture that is too large to be decoded goes to its end, as far as its structure
    tells; PNG has other checks.
    """
    match picture.format:
        case "WEBP":
            # RIFF: the bytes that follow the first eight.
            return len(data) >= 8 + int.from_bytes(data[4:8], "little")
        case "JPEG":
            # The end of image; that of a thumbnail inside would lie in the first half.
            return data.find(b"\xff\xd9", len(data) // 2) >= 0
        case "TIFF":
            tags = getattr(picture, "tag_v2", {})
            for offsets, counts in ((273, 279), (324, 325)):
                begins, sizes = tags.get(offsets, ()), tags.get(counts, ())
                if begins and sizes:
                    return all(at + count <= len(data) for at, count in zip(begins, sizes, strict=False))
            return True
        case "BMP":
            # BITMAPINFOHEADER: bits a pixel and compression (1 and 2 pack runs); rows fill whole words.
            bits, compression = struct.unpack_from("<HL", data, 28)
            row = (picture.width * bits + 31) // 32 * 4
            return compression in (1, 2) or len(data) >= row * picture.height
    return True
