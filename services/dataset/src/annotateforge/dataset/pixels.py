"""Pictures as Pillow decodes them, brought into the two modes that the rest of the service draws with."""

from PIL import Image

TIFF_SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
"""First bytes of TIFF and BigTIFF in either byte order."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by its EXIF orientation; 1 needs nothing."""

_LARGE = 8_000_000
"""Pixels."""
_REDUCIBLE = ("L", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LA", "La", "RGBa", "LAB", "HSV")


def eight_bits(picture: Image.Image) -> Image.Image:
    """A copy of mode L or RGB. Transparency is laid on white; 16-bit and float pixels are stretched from the
    darkest to the brightest.
    """
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


def is_large(picture: Image.Image) -> bool:
    """Whether a picture is so large that no second one like it should be made."""
    return picture.width * picture.height > _LARGE


def shrunk(picture: Image.Image, side: int) -> Image.Image:
    """A picture of mode L or RGB that is smaller by a whole factor, no side below `side` pixels by that.

    A large picture is gone through in bands, so that it is not there twice.
    """
    factor = max(1, min(picture.size) // side)
    if not is_large(picture) or factor == 1 or picture.mode.startswith(("I", "F")):
        return _reduced(picture, factor)
    rows = factor * max(1, _LARGE // (4 * factor * picture.width))
    bands = [
        _reduced(picture.crop((0, top, picture.width, min(top + rows, picture.height))), factor)
        for top in range(0, picture.height, rows)
    ]
    whole = Image.new(bands[0].mode, (bands[0].width, sum(band.height for band in bands)))
    top = 0
    for band in bands:
        whole.paste(band, (0, top))
        top += band.height
    return whole


def _reduced(picture: Image.Image, factor: int) -> Image.Image:
    if factor > 1 and picture.mode in _REDUCIBLE:
        # Before anything is converted: there is less to convert then.
        return eight_bits(picture.reduce(factor))
    picture = eight_bits(picture)
    return picture.reduce(factor) if factor > 1 else picture
