import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from annotateforge.inference.images import decode
from annotateforge.runtime.errors import InvalidArgument

MOST_PIXELS = 1_000_000


@pytest.fixture(scope="module")
def pixels() -> npt.NDArray[np.uint8]:
    """A smooth picture, so that lossy formats stay close to it."""
    rows, columns = np.mgrid[0:48, 0:80]
    return np.stack([rows * 5, columns * 3, 255 - rows - columns], axis=2).astype(np.uint8)


def encoded(picture: Image.Image, image_format: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, image_format, **options)
    return out.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_format_is_turned_upright(
    pixels: npt.NDArray[np.uint8], image_format: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if image_format == "WEBP" else {}
    data = encoded(Image.fromarray(pixels), image_format, exif=exif, **lossless)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    found = decode(data, MOST_PIXELS)
    assert found.dtype == np.uint8
    assert found.shape == upright.shape
    np.testing.assert_allclose(found[..., ::-1].astype(int), upright, atol=2)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_becomes_three_channels(pixels: npt.NDArray[np.uint8], mode: str) -> None:
    if mode == "I;16":
        picture = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(pixels).convert(mode)
    found = decode(encoded(picture, "PNG"), MOST_PIXELS)
    assert found.shape == (48, 80, 3)
    if mode == "I;16":
        # 16 bits keep their high byte, as in training.
        np.testing.assert_array_equal(found[..., 0], pixels[..., 0])


def test_a_jpeg_of_endless_scans_is_refused(pixels: npt.NDArray[np.uint8]) -> None:
    data = encoded(Image.fromarray(pixels), "JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    with pytest.raises(InvalidArgument) as caught:
        decode(data[:-2] + data[last:-2] * 100 + b"\xff\xd9", MOST_PIXELS)
    assert caught.value.reason == "IMAGE_TOO_LARGE"


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "WEBP", "BMP"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
def test_an_image_that_is_cut_short_is_refused(
    pixels: npt.NDArray[np.uint8], image_format: str, part: float
) -> None:
    data = encoded(Image.fromarray(pixels), image_format)
    with pytest.raises(InvalidArgument) as caught:
        decode(data[: int(len(data) * part)], MOST_PIXELS)
    assert caught.value.reason == "IMAGE_UNREADABLE"


@pytest.mark.parametrize(
    "data", [b"x", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"%PDF-1.7"]
)
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidArgument) as caught:
        decode(data, MOST_PIXELS)
    assert caught.value.reason == "IMAGE_UNREADABLE"


def test_an_image_of_another_format_is_refused(pixels: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        decode(encoded(Image.fromarray(pixels), "GIF"), MOST_PIXELS)
    assert caught.value.reason == "IMAGE_UNREADABLE"


def test_an_image_with_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    bomb = encoded(Image.new("1", (30_000, 30_000)), "PNG")
    assert len(bomb) < 200_000
    with pytest.raises(InvalidArgument) as caught:
        decode(bomb, MOST_PIXELS)
    assert caught.value.reason == "IMAGE_TOO_LARGE"
