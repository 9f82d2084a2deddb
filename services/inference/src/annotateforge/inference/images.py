"""Encoded images to pixels, as ultralytics reads the images that it trains on: with OpenCV."""

import io
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.jpeg import MOST_SCANS, has_too_many_scans

# Pillow's own limit warns first and counts otherwise than ours. Only headers are read here.
Image.MAX_IMAGE_PIXELS = None

FORMATS: Final = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")

Pixels = npt.NDArray[np.uint8]
"""Shape (height, width, 3), blue, green, red, of the upright image."""


def decode(data: bytes, most_pixels: int) -> Pixels:
    """The pixels of an encoded image with its EXIF orientation applied. Takes a core for a while: call it in
    a thread.

    OpenCV decides about pixels and orientation, so that a model sees what it was trained on; Pillow reads the
    header before, so that nothing is decoded that is too large. InvalidArgument: IMAGE_UNREADABLE when it is
    no JPEG, PNG, BMP, TIFF or WebP, or is damaged or cut short; IMAGE_TOO_LARGE for more than `most_pixels`,
    or for a JPEG with too many scans.
    """
    # Brought by ultralytics, and like it not loaded before it is needed.
    import cv2

    width, height = _size(data)
    if width * height > most_pixels:
        raise _too_large(width, height, most_pixels)
    if has_too_many_scans(data):
        raise InvalidArgument.of_field(
            "IMAGE_TOO_LARGE", "image", f"is a JPEG with more than {MOST_SCANS} scans; save it again"
        )
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise _unreadable("cannot be decoded; it is damaged or cut short") from error
    if pixels is None:
        raise _unreadable("cannot be decoded; it is damaged or cut short")
    if pixels.shape[0] * pixels.shape[1] > most_pixels:
        raise _too_large(pixels.shape[1], pixels.shape[0], most_pixels)
    decoded: Pixels = pixels
    return decoded


def _size(data: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            return picture.size
    # Pillow's parsers raise whatever they stumble over.
    except Exception as error:
        raise _unreadable("is no JPEG, PNG, BMP, TIFF or WebP image, or is damaged") from error


def _unreadable(what: str) -> InvalidArgument:
    return InvalidArgument.of_field("IMAGE_UNREADABLE", "image", what)


def _too_large(width: int, height: int, most_pixels: int) -> InvalidArgument:
    return InvalidArgument.of_field(
        "IMAGE_TOO_LARGE", "image", f"has {width} × {height} pixels; at most {most_pixels} are taken"
    )
