import hashlib
import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from annotateforge.dataset.fingerprints import BIT_BYTES, SIZE, UNREADABLE, VERSION, fingerprint
from annotateforge.dataset.images import ImageFormat
from annotateforge.dataset.inspection import look_again
from annotateforge.dataset.near_duplicates import find_clusters
from tests.unit.dataset.copies import COPIES, copy_of, encoded, look_of, picture
from tests.unit.dataset.test_inspection import exif


def clusters(*looks: bytes) -> list[int]:
    numbers: list[int] = find_clusters(np.frombuffer(b"".join(looks), np.uint8).reshape(-1, SIZE)).tolist()
    return numbers


def test_a_fingerprint_is_fixed_for_ever() -> None:
    # Another one for the same pixels needs another VERSION, or grouped splits change under their spec.
    pixels = np.arange(64 * 48 * 3, dtype=np.uint32).reshape(48, 64, 3) ** 2 % 251
    look = fingerprint(Image.fromarray(pixels.astype(np.uint8)))
    assert len(look) == SIZE
    assert look[0] == VERSION
    assert hashlib.sha256(look).hexdigest()[:16] == "96bf0e923e581d42"


@pytest.mark.parametrize("how", COPIES)
def test_copies_are_found_and_other_pictures_are_not(how: str) -> None:
    originals = [encoded(picture(seed), quality=92) for seed in range(40)]
    looks = [look_of(data) for data in originals]
    assert clusters(*looks) == [0] * 40
    found = clusters(*looks, *(look_of(copy_of(data, how)) for data in originals))
    assert found[:40] == found[40:]
    assert len(set(found)) == 40


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_the_encoding_makes_no_difference(kind: str) -> None:
    image = picture(7)
    assert clusters(look_of(encoded(image)), look_of(encoded(image, kind)), look_of(encoded(picture(8)))) == [
        1,
        1,
        0,
    ]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_upright_picture_counts(orientation: int) -> None:
    image = picture(3)
    upright = Image.open(io.BytesIO(encoded(image, "PNG", exif=exif(orientation))))
    turned = ImageOps.exif_transpose(upright)
    looks = look_of(encoded(image, "PNG", exif=exif(orientation))), look_of(encoded(turned, "PNG"))
    assert clusters(*looks) == [1, 1]
    if orientation >= 5:
        assert clusters(look_of(encoded(image, "PNG")), looks[0]) == [0, 0]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_every_mode_has_a_fingerprint(mode: str) -> None:
    image = picture(5).convert("L") if mode == "I;16" else picture(5)
    kind = "TIFF" if mode in ("CMYK", "I;16") else "PNG"
    assert len(look_of(encoded(image.convert(mode), kind))) == SIZE


def test_flat_pictures_differ_by_their_colour_alone() -> None:
    red, blue = (Image.new("RGB", (50, 40), colour) for colour in ("red", "blue"))
    assert look_of(encoded(red, "PNG"))[1 : 1 + BIT_BYTES] == bytes(BIT_BYTES)
    assert clusters(*(look_of(encoded(each, "PNG")) for each in (red, blue, red))) == [1, 0, 1]


def test_pixels_that_cannot_be_decoded_have_none() -> None:
    data = bytearray(encoded(picture(1), "PNG"))
    # The chunks still hold what their checksums say; the pixels in them are none.
    at = data.index(b"IDAT")
    length = int.from_bytes(data[at - 4 : at])
    data[at + 4 : at + 4 + length] = bytes(length)
    data[at + 4 + length : at + 8 + length] = zlib.crc32(data[at : at + 4 + length]).to_bytes(4)
    assert look_of(bytes(data)) == UNREADABLE
    assert look_again(b"no image", ImageFormat.JPEG) == UNREADABLE


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(40, 400), st.integers(40, 400))
def test_a_picture_and_its_mirror_image_are_alike_at_any_size(seed: int, width: int, height: int) -> None:
    image = picture(seed).resize((width, height))
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    found = clusters(look_of(encoded(image, "PNG")), look_of(encoded(mirrored, "PNG")))
    assert found == [1, 1]
