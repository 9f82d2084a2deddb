"""Fingerprints: what an image looks like in 37 bytes, by which copies of it are found that have other bytes.

The picture is shrunk to 32 × 32 pixels, and the signs of the 256 lowest frequencies of its brightness, the
mean left out, are the bits (after Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions", 2010, where there are 64). Scaling and compression leave most signs as they are, and mirroring
turns those of the odd horizontal frequencies: the mirror image's bits follow without the image. Mean colour
and contrast, the tone, tell pictures apart that have little structure.

Everything is computed in whole numbers: the same pixels have the same fingerprint on every machine.
"""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

VERSION = 1
"""First byte of a fingerprint; changes whenever the same pixels would give another one."""
LOW = 16
"""Frequencies of either direction that count."""
BIT_BYTES = LOW * LOW // 8
SIZE = 1 + BIT_BYTES + 4
"""Bytes of a fingerprint: version, bits, tone (mean Y, Cb and Cr, standard deviation of Y)."""
UNREADABLE = b""
"""Stands in place of a fingerprint where the pixels could not be decoded."""
UNKNOWN_BY_SIZE = bytes([VERSION])
"""Stands in place of a fingerprint where decoding the image would take too much memory."""
DECODED_SIDE = 64
"""A picture may be shrunk before, but not below so many pixels on either side."""

_SIDE = 32
_COUNT = _SIDE * _SIDE
_ONES = np.ones(_COUNT)
_FLAT = 2
"""Standard deviation of Y, of 0 to 255, below which the signs are noise and left 0."""


def fingerprint(picture: Image.Image) -> bytes:
    """The fingerprint of an upright picture of mode L or RGB: SIZE bytes."""
    small = picture.resize((_SIDE, _SIDE), Image.Resampling.BOX).convert("YCbCr")
    # Whole numbers below 2⁵³ in floating point: quick, and exact in whatever order they are added.
    planes = np.frombuffer(small.tobytes(), np.uint8).reshape(_COUNT, 3).astype(np.float64)
    total = [int(each) for each in (_ONES @ planes).tolist()]
    bright = np.ascontiguousarray(planes[:, 0])
    variance = (_COUNT * int(bright @ bright) - total[0] ** 2) // _COUNT**2
    contrast = math.isqrt(variance)
    tone = bytes([*((each + _COUNT // 2) // _COUNT for each in total), contrast])
    if contrast < _FLAT:
        return bytes([VERSION]) + bytes(BIT_BYTES) + tone
    waves = _WAVES @ (bright.reshape(_SIDE, _SIDE) * _COUNT - total[0]) @ _WAVES.T
    return bytes([VERSION]) + np.packbits(waves.ravel() > 0).tobytes() + tone


def _waves() -> npt.NDArray[np.float64]:
    """The lowest waves of the discrete cosine transform (DCT-II) in whole numbers, LOW × _SIDE."""
    frequency, place = np.arange(LOW)[:, None], np.arange(_SIDE)
    exact = np.cos(np.pi * frequency * (2 * place + 1) / (2 * _SIDE))
    waves: npt.NDArray[np.float64] = np.rint(4096 * exact)
    return waves


_WAVES = _waves()
