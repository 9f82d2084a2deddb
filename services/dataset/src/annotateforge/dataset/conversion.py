"""Conversion: images in encodings that trainings do not read, as images in encodings that they do.

GIF becomes PNG, without loss; HEIC becomes JPEG, because as PNG a phone's photo would be ten times as large;
TIFF of 32 bits a channel, which OpenCV and with it ultralytics refuses, becomes PNG of 8 bits.
Equal bytes become equal bytes, as long as the libraries are the same.
"""

import io
from typing import NamedTuple

import pi_heif
from PIL import Image

from annotateforge.dataset.decoding import DecodingMemory, decoding_bytes
from annotateforge.dataset.images import ImageLimits, ImageRefused
from annotateforge.dataset.pixels import TIFF_SIGNATURES, eight_bits

_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"))
_HEIF_BYTES = 7
"""Bytes a pixel that libheif and Pillow take."""
_MOST_HEIF_PIXELS = 26_000_000
_MOST_DEEP_PIXELS = 9_000_000
_BITS_PER_SAMPLE = 258
"""Tag of TIFF."""
_QUALITY = 95
_AGAIN = "Open it in an image editor and save it as JPEG or PNG, or leave it out."


class Converted(NamedTuple):
    """An image in another encoding than it came in."""

    data: bytes
    remark: str
    """What was done, in a sentence."""


def is_convertible(data: bytes) -> bool:
    """Whether these bytes begin as an image that is converted before it is taken."""
    return data.startswith(b"GIF8") or _is_heif(data) or _is_deep_tiff(data)


def convert(data: bytes, limits: ImageLimits, memory: DecodingMemory) -> Converted:
    """Convert an image of which `is_convertible` holds. ImageRefused IMAGE_UNREADABLE or IMAGE_TOO_LARGE."""
    try:
        if data.startswith(b"GIF8"):
            return _of_gif(data, limits, memory)
        return _of_heif(data, limits, memory) if _is_heif(data) else _of_deep_tiff(data, limits, memory)
    except ImageRefused:
        raise
    # The decoders raise whatever their parsing stumbles over.
    except Exception as error:
        detail = str(error) or type(error).__name__
        raise ImageRefused("IMAGE_UNREADABLE", f"It could not be decoded: {detail[:200]}.", _AGAIN) from error


def _is_heif(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS and pi_heif.is_supported(data)


def _is_deep_tiff(data: bytes) -> bool:
    if not data.startswith(TIFF_SIGNATURES):
        return False
    try:
        with Image.open(io.BytesIO(data), formats=["TIFF"]) as picture:
            return max(getattr(picture, "tag_v2", {}).get(_BITS_PER_SAMPLE) or (1,)) >= 32
    except Exception:  # whatever parsing stumbles over; it is told when it is inspected
        return False


def _of_deep_tiff(data: bytes, limits: ImageLimits, memory: DecodingMemory) -> Converted:
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as picture:
        _check_size(picture.size, min(limits.pixels, _MOST_DEEP_PIXELS))
        with memory.taking(decoding_bytes(picture)):
            picture.load()
            target = io.BytesIO()
            eight_bits(picture).save(target, "PNG")
    return Converted(
        target.getvalue(),
        "It is a TIFF of 32 bits a channel, which no training reads; it was taken as a PNG of 8 bits, black"
        " where it was darkest and white where it was brightest.",
    )


def _of_gif(data: bytes, limits: ImageLimits, memory: DecodingMemory) -> Converted:
    with Image.open(io.BytesIO(data), formats=["GIF"]) as picture:
        _check_size(picture.size, limits.pixels)
        with memory.taking(2 * picture.width * picture.height):
            is_animated = bool(getattr(picture, "is_animated", False))
            picture.seek(0)
            picture.load()
            target = io.BytesIO()
            picture.save(target, "PNG")
    which = "its first picture was taken, as a PNG" if is_animated else "it was taken as a PNG, without loss"
    return Converted(target.getvalue(), f"It is a GIF{' of several pictures' * is_animated}; {which}.")


def _of_heif(data: bytes, limits: ImageLimits, memory: DecodingMemory) -> Converted:
    # The decoder turns it upright, as the format demands; the EXIF orientation repeats that, and is not kept.
    file = pi_heif.open_heif(data, convert_hdr_to_8bit=True)
    _check_size(file.size, min(limits.pixels, _MOST_HEIF_PIXELS))
    with memory.taking(_HEIF_BYTES * file.size[0] * file.size[1]):
        pixels = file.data
        if pixels is None or file.stride is None:
            raise ImageRefused("IMAGE_UNREADABLE", "It holds no picture.", _AGAIN)
        picture = Image.frombuffer(file.mode, file.size, pixels, "raw", file.mode, file.stride, 1)
        target = io.BytesIO()
        if picture.mode in ("RGBA", "LA"):
            picture.save(target, "PNG")
            return Converted(target.getvalue(), "It is a HEIC file with transparency; it was taken as a PNG.")
        picture.save(target, "JPEG", quality=_QUALITY, subsampling=0)
    return Converted(target.getvalue(), f"It is a HEIC file; it was taken as a JPEG of quality {_QUALITY}.")


def _check_size(size: tuple[int, int], most_pixels: int) -> None:
    width, height = size
    if min(size) < 1:
        raise ImageRefused("IMAGE_UNREADABLE", f"It claims to be {width} × {height} pixels large.", _AGAIN)
    if width * height > most_pixels:
        raise ImageRefused(
            "IMAGE_TOO_LARGE",
            f"It has {width} × {height} pixels; an image of this format may have {most_pixels:,}.",
            "Convert it to JPEG, of which larger ones are taken, scale it down, or cut it into tiles.",
        )
