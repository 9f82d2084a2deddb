"""Thumbnails: small upright JPEGs of images."""

import hashlib
import io

import PIL
from PIL import Image

from annotateforge.dataset.images import ImageFormat
from annotateforge.dataset.inspection import orientation_of, png_exif
from annotateforge.runtime.errors import FailedPrecondition

DEFAULT_SIZE = 256
SMALLEST, LARGEST = 16, 1024

_VERSION = 1
_QUALITY = 85
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def thumbnail_etag(sha256: bytes, size: int) -> str:
    """The entity tag of a thumbnail: other when the image, the size or the program that draws it is
    another.
    """
    key = f"{_VERSION} {PIL.__version__} {size} {sha256.hex()}"
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def draw_thumbnail(data: bytes, image_format: ImageFormat, size: int) -> bytes:
    """A JPEG of an encoded image, upright, its longest side `size` pixels or that of the image if it is
    shorter.

    Transparency is laid on white; 16-bit and float pixels are stretched from the darkest to the brightest.
    Takes up to some tenths of a second: call it in a worker thread. FailedPrecondition IMAGE_NOT_DRAWABLE.
    """
    try:
        exif = png_exif(data) if image_format is ImageFormat.PNG else None
        with Image.open(io.BytesIO(data), formats=[image_format.name]) as picture:
            orientation = orientation_of(picture, exif)
            # Lets the JPEG decoder scale down while it decodes.
            picture.draft(None, (size, size))
            picture.load()
            small = _eight_bits(picture)
            small.thumbnail((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)
        if orientation in _TURNS:
            small = small.transpose(_TURNS[orientation])
        target = io.BytesIO()
        small.save(target, "JPEG", quality=_QUALITY, optimize=False)
        return target.getvalue()
    # Pillow's decoders raise whatever their parsing stumbles over.
    except Exception as error:
        raise FailedPrecondition(
            "IMAGE_NOT_DRAWABLE",
            "The image cannot be drawn: its pixels could not be decoded. Its bytes can still be downloaded.",
        ) from error


def _eight_bits(picture: Image.Image) -> Image.Image:
    if picture.mode in ("L", "RGB"):
        # Image.thumbnail works in place, and the original is closed.
        return picture.copy()
    if picture.mode.startswith("I") or picture.mode == "F":
        values = picture.convert("F")
        extrema = values.getextrema()
        darkest, brightest = extrema
        assert isinstance(darkest, float)
        assert isinstance(brightest, float)
        scale = 255.0 / (brightest - darkest) if brightest > darkest else 0.0
        return values.point(lambda value: value * scale - darkest * scale).convert("L")
    if picture.has_transparency_data:
        layers = picture.convert("RGBA")
        paper = Image.new("RGB", layers.size, "white")
        paper.paste(layers, mask=layers.getchannel("A"))
        return paper
    return picture.convert("RGB")
