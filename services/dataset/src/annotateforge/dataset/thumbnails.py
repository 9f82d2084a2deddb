"""Thumbnails: small upright JPEGs of images."""

import hashlib
import io

import PIL
from PIL import Image

from annotateforge.dataset.decoding import DecodingMemory, coefficient_bytes, decoding_bytes
from annotateforge.dataset.images import ImageFormat
from annotateforge.dataset.inspection import orientation_of, png_exif
from annotateforge.dataset.pixels import TURNS, eight_bits, is_large, shrunk
from annotateforge.runtime.errors import FailedPrecondition

DEFAULT_SIZE = 256
SMALLEST, LARGEST = 16, 1024
MOST_DRAWN_BYTES = 400 << 20
"""Memory that an image may take while it is drawn: enough for 24 megapixels of any kind, and for the largest
images that are taken if they are no more than 8 bits a channel of PNG. Only one so large is drawn at once."""

_VERSION = 1
_QUALITY = 85


def thumbnail_etag(sha256: bytes, size: int) -> str:
    """The entity tag of a thumbnail: other when the image, the size or the program that draws it is
    another.
    """
    key = f"{_VERSION} {PIL.__version__} {size} {sha256.hex()}"
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def draw_thumbnail(
    data: bytes, image_format: ImageFormat, size: int, memory: DecodingMemory | None = None
) -> bytes:
    """A JPEG of an encoded image, upright, its longest side `size` pixels or that of the image if it is
    shorter.

    Transparency is laid on white; 16-bit and float pixels are stretched from the darkest to the brightest.
    Takes up to some tenths of a second: call it in a worker thread. `memory` is what threads share.
    FailedPrecondition IMAGE_NOT_DRAWABLE.
    """
    try:
        exif = png_exif(data) if image_format is ImageFormat.PNG else None
        with Image.open(io.BytesIO(data), formats=[image_format.name]) as picture:
            orientation = orientation_of(picture, exif)
            whole = picture.size
            # Lets the JPEG decoder scale down while it decodes.
            picture.draft(None, (size, size))
            needed = decoding_bytes(picture) + coefficient_bytes(picture, whole)
            if needed > MOST_DRAWN_BYTES:
                raise _not_drawable(
                    f"decoding it would take about {needed >> 20:,} MiB, more than the"
                    f" {MOST_DRAWN_BYTES >> 20:,} MiB that a thumbnail may take"
                )
            with (memory or DecodingMemory()).taking(needed):
                picture.load()
                small = shrunk(picture, 4 * size) if is_large(picture) else eight_bits(picture)
            small.thumbnail((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)
        if orientation in TURNS:
            small = small.transpose(TURNS[orientation])
        target = io.BytesIO()
        small.save(target, "JPEG", quality=_QUALITY, optimize=False)
        return target.getvalue()
    except FailedPrecondition:
        raise
    # Pillow's decoders raise whatever their parsing stumbles over.
    except Exception as error:
        raise _not_drawable("its pixels could not be decoded") from error


def _not_drawable(why: str) -> FailedPrecondition:
    return FailedPrecondition(
        "IMAGE_NOT_DRAWABLE", f"The image cannot be drawn: {why}. Its bytes can still be downloaded."
    )
