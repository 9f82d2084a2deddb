"""Facts of images, and refusals of what no training could read."""

import hashlib
import io
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from annotateforge.dataset import thumbnails
from annotateforge.dataset.decoding import decoding_bytes
from annotateforge.dataset.images import ImageFacts, ImageFormat, ImageLimits, ImageRefused, clean_filename
from annotateforge.dataset.inspection import inspect, is_deeper_than_8_bits, look_again
from annotateforge.dataset.thumbnails import draw_thumbnail, thumbnail_etag
from annotateforge.runtime.errors import FailedPrecondition
from tests.unit.dataset.archives import encoded

LIMITS = ImageLimits(size_bytes=1 << 20, pixels=1_000_000)
KINDS = ["JPEG", "PNG", "BMP", "TIFF", "WEBP"]
ENCODED = {kind: encoded(kind, 30, 20) for kind in KINDS}


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("kind", KINDS)
def test_facts_follow_from_the_bytes(kind: str) -> None:
    data = encoded(kind, 40, 30)
    facts = inspect(data, LIMITS)
    assert facts.format is ImageFormat[kind]
    assert (facts.width, facts.height, facts.size_bytes) == (40, 30, len(data))
    assert (facts.sha256, facts.crc32) == (hashlib.sha256(data).digest(), zlib.crc32(data))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_sizes_are_those_of_the_upright_image(kind: str, orientation: int) -> None:
    facts = inspect(encoded(kind, 40, 30, exif=exif(orientation)), LIMITS)
    assert (facts.width, facts.height) == ((30, 40) if orientation >= 5 else (40, 30))


def test_broken_exif_is_no_reason_to_refuse() -> None:
    data = encoded("JPEG", 40, 30, exif=b"Exif\0\0 this is none")
    assert inspect(data, LIMITS).width == 40


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_short_is_unreadable(kind: str) -> None:
    data = encoded(kind, 200, 150)
    for kept in (len(data) - 40, len(data) // 2, 30):
        with pytest.raises(ImageRefused) as caught:
            inspect(data[:kept], LIMITS)
        assert caught.value.reason == "IMAGE_UNREADABLE"


def test_a_jpeg_of_endless_scans_is_refused_before_it_is_decoded() -> None:
    data = encoded("JPEG", 200, 150, progressive=True)
    last = data.rfind(b"\xff\xda")
    with pytest.raises(ImageRefused) as caught:
        inspect(data[:-2] + data[last:-2] * 100 + b"\xff\xd9", LIMITS)
    assert caught.value.reason == "IMAGE_TOO_LARGE"


def test_a_png_with_a_damaged_chunk_is_unreadable() -> None:
    data = bytearray(encoded("PNG", 200, 150))
    data[len(data) // 2] ^= 1
    with pytest.raises(ImageRefused) as caught:
        inspect(bytes(data), LIMITS)
    assert caught.value.reason == "IMAGE_UNREADABLE"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "IMAGE_EMPTY"),
        (b"text", "IMAGE_UNREADABLE"),
        (encoded("GIF"), "IMAGE_FORMAT_UNSUPPORTED"),
        (b"\0\0\0\x18ftypheic" + bytes(50), "IMAGE_FORMAT_UNSUPPORTED"),
        (b"\0\0\0\x1cftypavif" + bytes(50), "IMAGE_FORMAT_UNSUPPORTED"),
        (bytes(128) + b"DICM", "IMAGE_FORMAT_UNSUPPORTED"),
        (encoded("BMP", 1001, 1000), "IMAGE_TOO_LARGE"),
        (encoded("PNG", 1001, 1000)[: 1 << 20], "IMAGE_UNREADABLE"),
        (bytes((1 << 20) + 1), "IMAGE_TOO_LARGE"),
    ],
)
def test_refusals_have_a_reason_and_a_hint(data: bytes, reason: str) -> None:
    with pytest.raises(ImageRefused) as caught:
        inspect(data, LIMITS)
    assert caught.value.reason == reason
    assert caught.value.message
    assert caught.value.hint


def test_a_bomb_of_pixels_is_refused_before_it_is_decoded() -> None:
    target = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(target, "PNG")
    with pytest.raises(ImageRefused) as caught:
        inspect(target.getvalue(), LIMITS)
    assert caught.value.reason == "IMAGE_TOO_LARGE"


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(KINDS), st.data())
def test_no_bytes_bring_it_down(kind: str, data: st.DataObject) -> None:
    content = bytearray(ENCODED[kind])
    for _ in range(3):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    try:
        facts = inspect(bytes(content), LIMITS)
    except ImageRefused as refusal:
        text = refusal.message + refusal.hint
        assert text
    else:
        assert facts.width > 0


JPEGS = [
    encoded("JPEG", 90, 70, **options)
    for options in (
        {},
        {"quality": 95, "subsampling": 0},
        {"restart_marker_blocks": 3},
        {"optimize": True},
        {"progressive": True},
        {"exif": exif(6)},
        {"icc_profile": b"no profile"},
        {"xmp": b"<x:xmpmeta/>", "comment": b"a comment"},
    )
]


def answer(data: bytes, *, fingerprint_later: bool) -> object:
    """What is recorded of an image, its fingerprint left out, or why it is refused."""
    try:
        facts = inspect(data, LIMITS, fingerprint_later=fingerprint_later)
    except ImageRefused as refusal:
        return refusal.args
    if facts.fingerprint is None:
        assert fingerprint_later
        assert look_again(data, facts.format) == inspect(data, LIMITS).fingerprint
    return replace(facts, fingerprint=None)


@pytest.mark.parametrize(("width", "height"), [(8, 65_500), (8, 65_501), (65_535, 8), (65_500, 8)])
def test_a_jpeg_of_more_pixels_than_libjpeg_decodes_is_refused_all_the_same(width: int, height: int) -> None:
    content = bytearray(JPEGS[0])
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = height.to_bytes(2) + width.to_bytes(2)
    found = answer(bytes(content), fingerprint_later=True)
    assert found == answer(bytes(content), fingerprint_later=False)
    assert isinstance(found, ImageFacts) == (max(width, height) <= 65_500)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([*JPEGS, *ENCODED.values()]), st.data())
def test_an_image_is_taken_or_refused_for_the_same_reason_whether_it_is_decoded_or_not(
    content: bytes, data: st.DataObject
) -> None:
    changed = bytearray(content)
    headers = max(content.find(b"\xff\xda") + 20, 40)
    for _ in range(data.draw(st.integers(0, 2))):
        changed[data.draw(st.integers(0, min(headers, len(changed)) - 1))] = data.draw(st.integers(0, 255))
    for marker in data.draw(
        st.lists(st.sampled_from([0, 1, 0xC4, 0xD0, 0xD8, 0xD9, 0xDA, 0xFF]), max_size=2)
    ):
        at = data.draw(st.integers(2, len(changed) - 2))
        changed[at : at + 2] = bytes([0xFF, marker])
    if data.draw(st.booleans()):
        del changed[data.draw(st.integers(2, len(changed))) :]
    assert answer(bytes(changed), fingerprint_later=True) == answer(bytes(changed), fingerprint_later=False)


@pytest.mark.parametrize("content", [*JPEGS, *ENCODED.values()])
def test_what_need_not_be_decoded_is_not_when_its_fingerprint_comes_later(content: bytes) -> None:
    facts = inspect(content, LIMITS, fingerprint_later=True)
    is_decoded = facts.format not in (ImageFormat.JPEG, ImageFormat.PNG) or content == JPEGS[4]
    assert (facts.fingerprint is not None) == is_decoded


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "F", "CMYK"])
def test_thumbnails_of_every_kind_of_pixels_are_jpegs(mode: str) -> None:
    target = io.BytesIO()
    picture = Image.effect_noise((400, 100), 50).convert("I" if mode == "I;16" else mode).convert(mode)
    picture.save(target, "TIFF" if mode in ("CMYK", "F", "LA") else "PNG")
    facts = inspect(target.getvalue(), LIMITS)
    small = Image.open(io.BytesIO(draw_thumbnail(target.getvalue(), facts.format, 64)))
    assert (small.format, small.size) == ("JPEG", (64, 16))


def test_a_thumbnail_is_never_larger_than_its_image() -> None:
    small = Image.open(io.BytesIO(draw_thumbnail(encoded("PNG", 40, 30), ImageFormat.PNG, 256)))
    assert small.size == (40, 30)


def test_deep_pixels_are_stretched_to_what_can_be_seen() -> None:
    target = io.BytesIO()
    picture = Image.new("I;16", (64, 64), 1000)
    picture.paste(1200, (0, 0, 32, 64))
    picture.save(target, "PNG")
    small = Image.open(io.BytesIO(draw_thumbnail(target.getvalue(), ImageFormat.PNG, 64)))
    darkness = small.convert("L").histogram()
    assert sum(darkness[:10]) > 1500
    assert sum(darkness[245:]) > 1500


def test_tags_of_thumbnails_differ_by_image_and_size() -> None:
    tags = {thumbnail_etag(digest, size) for digest in (b"a" * 32, b"b" * 32) for size in (64, 65)}
    assert len(tags) == 4


def test_a_picture_that_cannot_be_drawn_says_so() -> None:
    with pytest.raises(FailedPrecondition):
        draw_thumbnail(b"nothing", ImageFormat.JPEG, 64)


@pytest.mark.parametrize(
    ("kind", "options", "is_drawn"),
    [("PNG", {}, True), ("JPEG", {}, True), ("JPEG", {"progressive": True}, False), ("WEBP", {}, False)],
)
def test_what_takes_too_much_memory_to_decode_gets_no_thumbnail(
    kind: str, options: dict[str, object], is_drawn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnails, "MOST_DRAWN_BYTES", 4 << 20)
    data = encoded(kind, 1000, 1000, **options)
    if is_drawn:
        assert draw_thumbnail(data, ImageFormat[kind], 64)
    else:
        with pytest.raises(FailedPrecondition, match="more than the 4 MiB") as caught:
            draw_thumbnail(data, ImageFormat[kind], 64)
        assert caught.value.reason == "IMAGE_NOT_DRAWABLE"


def test_a_png_of_50_megapixels_gets_a_thumbnail_and_the_largest_webp_does_not() -> None:
    assert decoding_bytes(Image.new("RGB", (8660, 5780))) < thumbnails.MOST_DRAWN_BYTES
    target = io.BytesIO()
    Image.new("L", (5200, 5200)).save(target, "WEBP", method=0)
    with pytest.raises(FailedPrecondition, match="more than the 400 MiB"):
        draw_thumbnail(target.getvalue(), ImageFormat.WEBP, 64)


@given(st.text(max_size=40))
def test_a_clean_file_name_stays_below_its_folder(name: str) -> None:
    try:
        cleaned = clean_filename(name)
    except ValueError:
        return
    assert cleaned
    assert not cleaned.startswith("/")
    assert ".." not in cleaned.split("/")
    assert "\\" not in cleaned
    assert clean_filename(cleaned) == cleaned


@pytest.mark.parametrize(
    ("kind", "mode", "deeper"),
    [
        ("TIFF", "I;16", True),
        ("TIFF", "F", True),
        ("TIFF", "L", False),
        ("TIFF", "RGB", False),
        ("PNG", "I;16", True),
        ("PNG", "RGBA", False),
        ("PNG", "L", False),
        ("JPEG", "L", False),
    ],
)
def test_images_that_are_deeper_than_training_sees_are_told(kind: str, mode: str, deeper: bool) -> None:
    target = io.BytesIO()
    Image.new(mode, (5, 4)).save(target, kind)
    facts = inspect(target.getvalue(), ImageLimits(size_bytes=1 << 20, pixels=1000))
    assert is_deeper_than_8_bits(target.getvalue(), facts.format) is deeper
