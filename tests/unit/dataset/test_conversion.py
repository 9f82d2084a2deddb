"""GIF and HEIC, which trainings do not read, become images that they do."""

import io

import pytest
from PIL import Image

from annotateforge.dataset.conversion import convert, is_convertible
from annotateforge.dataset.decoding import DecodingMemory
from annotateforge.dataset.images import ImageFormat, ImageLimits, ImageRefused
from annotateforge.dataset.inspection import inspect
from tests.unit.dataset.archives import HEIC, encoded

LIMITS = ImageLimits(size_bytes=1 << 20, pixels=1_000_000)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def animated() -> bytes:
    target = io.BytesIO()
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue")]
    frames[0].save(target, "GIF", save_all=True, append_images=frames[1:])
    return target.getvalue()


def test_of_a_gif_the_first_picture_is_taken_without_loss() -> None:
    converted = convert(animated(), LIMITS, DecodingMemory())
    assert "first picture" in converted.remark
    assert opened(converted.data).format == "PNG"
    assert opened(converted.data).convert("RGB").getcolors() == [(200, (255, 0, 0))]
    assert inspect(converted.data, LIMITS).format is ImageFormat.PNG


def test_a_gif_keeps_its_colours_and_what_is_transparent() -> None:
    picture = Image.new("P", (4, 3), 1)
    picture.putpalette([0, 0, 0, 10, 200, 30])
    picture.putpixel((0, 0), 0)
    target = io.BytesIO()
    picture.save(target, "GIF", transparency=0)
    result = opened(convert(target.getvalue(), LIMITS, DecodingMemory()).data).convert("RGBA")
    assert result.getpixel((0, 0)) == (0, 0, 0, 0)
    assert result.getpixel((1, 0)) == (10, 200, 30, 255)


def test_a_heic_becomes_a_jpeg_that_looks_like_it() -> None:
    converted = convert(HEIC, LIMITS, DecodingMemory())
    assert "HEIC" in converted.remark
    picture = opened(converted.data)
    assert (picture.format, picture.size) == ("JPEG", (64, 48))
    # It was drawn as red = 4 x, green = 5 y.
    for x, y in ((8, 8), (24, 40), (56, 20)):
        pixel = picture.getpixel((x, y))
        assert isinstance(pixel, tuple)
        assert pixel[0] == pytest.approx(4 * x, abs=25)
        assert pixel[1] == pytest.approx(5 * y, abs=25)


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_floats_are_stretched_from_the_darkest_to_the_brightest(compression: str | None) -> None:
    picture = Image.new("F", (4, 3), -0.5)
    picture.putpixel((0, 0), 1.5)
    picture.putpixel((1, 0), 0.5)
    target = io.BytesIO()
    picture.save(target, "TIFF", **({"compression": compression} if compression else {}))
    assert is_convertible(target.getvalue())
    result = opened(convert(target.getvalue(), LIMITS, DecodingMemory()).data)
    assert (result.format, result.mode) == ("PNG", "L")
    assert [result.getpixel((x, 0)) for x in range(3)] == [255, 127, 0]


def test_equal_bytes_become_equal_bytes() -> None:
    for data in (HEIC, animated()):
        assert convert(data, LIMITS, DecodingMemory()) == convert(data, LIMITS, DecodingMemory())


@pytest.mark.parametrize("data", [HEIC, encoded("GIF", 64, 48)])
def test_what_is_too_large_or_cut_is_refused(data: bytes) -> None:
    small = ImageLimits(size_bytes=1 << 20, pixels=64 * 48 - 1)
    with pytest.raises(ImageRefused) as caught:
        convert(data, small, DecodingMemory())
    assert caught.value.reason == "IMAGE_TOO_LARGE"
    with pytest.raises(ImageRefused) as caught:
        convert(data[: len(data) // 2], LIMITS, DecodingMemory())
    assert caught.value.reason == "IMAGE_UNREADABLE"


def test_other_images_are_left_as_they_are() -> None:
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF"):
        assert not is_convertible(encoded(kind))
    sixteen = io.BytesIO()
    Image.new("I;16", (4, 3)).save(sixteen, "TIFF")
    assert not is_convertible(sixteen.getvalue())
    assert not is_convertible(b"II*\0" + bytes(50))
    assert not is_convertible(b"")
