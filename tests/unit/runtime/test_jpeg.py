"""JPEGs that ask for endless work, and those that are whole, are told without decoding them."""

import io

import pytest
from PIL import Image

from annotateforge.runtime.jpeg import MOST_SCANS, has_too_many_scans, whole_scan


def jpeg(**options: object) -> bytes:
    target = io.BytesIO()
    Image.effect_noise((64, 48), 60).convert("RGB").save(target, "JPEG", **options)
    return target.getvalue()


def with_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes so many times more."""
    data = jpeg(progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + b"\xff\xd9"


def test_a_file_that_ends_within_the_header_of_its_scan_is_no_whole_scan() -> None:
    data = jpeg()
    scan = data.index(b"\xff\xda")
    for end in range(scan, scan + 14):
        assert whole_scan(data[:end]) is None
    assert whole_scan(data[: scan + 2] + b"\0\2") is None


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100, "restart_marker_rows": 1}])
def test_what_encoders_write_is_no_trouble(options: dict[str, object]) -> None:
    assert not has_too_many_scans(jpeg(**options))


@pytest.mark.parametrize(
    ("scan", "is_whole"),
    [
        (b"\xff\xd9", True),
        (b"\xff\xff\xff\xd9", True),
        (b"\xff\x00\xff\xd0\xff\xd7\xff\xd9", True),
        # Decoders take fill bytes before stuffing and before restart markers for what they stand before.
        (b"\xff\xff\x00\xff\xff\xd3\xff\xd9", True),
        (b"\xff", False),
        (b"\xff\xff", False),
        (b"\xff\x00", False),
        (b"\xff\xd0", False),
        (b"\xff\xff\xda\xff\xd9", False),
        (b"\xff\x01\xff\xd9", False),
    ],
)
def test_the_first_marker_after_the_data_of_a_scan_has_to_be_the_end(scan: bytes, is_whole: bool) -> None:
    data = jpeg()
    assert data.count(b"\xff\xd9") == 1
    assert (whole_scan(data[:-2] + scan) is not None) == is_whole


def test_scans_without_end_are_seen() -> None:
    assert not has_too_many_scans(with_scans(20))
    assert has_too_many_scans(with_scans(MOST_SCANS))
    # Fill bytes and rubbish before a marker are passed over, as decoders do.
    assert has_too_many_scans(with_scans(MOST_SCANS).replace(b"\xff\xda", b"\x07\xff\xff\xff\xda"))


def test_scans_within_other_data_do_not_count() -> None:
    data, other = jpeg(), b"\xff\xda" * 1000
    segment = b"\xff\xe1" + (len(other) + 2).to_bytes(2) + other
    assert not has_too_many_scans(data[:2] + segment + data[2:])
    assert not has_too_many_scans(data + other)
    assert not has_too_many_scans(other)


@pytest.mark.parametrize("options", [{}, {"quality": 100, "restart_marker_rows": 1}, {"optimize": True}])
def test_a_single_scan_that_is_whole_has_its_headers_in_a_stub(options: dict[str, object]) -> None:
    scan = whole_scan(jpeg(**options, comment=b"no part of the decoding" * 99))
    assert scan is not None
    assert (scan.width, scan.height, scan.has_metadata) == (64, 48, False)
    assert len(scan.stub) < 1000
    with Image.open(io.BytesIO(scan.stub)) as picture:
        picture.load()


@pytest.mark.parametrize("options", [{"exif": b"Exif\0\0MM"}, {"icc_profile": b"x"}, {"xmp": b"<x/>"}])
def test_segments_that_speak_of_the_picture_are_told(options: dict[str, object]) -> None:
    scan = whole_scan(jpeg(**options))
    assert scan is not None
    assert scan.has_metadata


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing",
        jpeg()[:-2],
        jpeg()[: len(jpeg()) // 2],
        jpeg()[:100],
        jpeg(progressive=True),
        jpeg().replace(b"\xff\xc0", b"\xff\xc9"),
        jpeg()[:-2] + b"\xff\xd8\xff\xd9",
        jpeg()[:2] + (b"\xff\xe0\x00\x10" + b"x" * 14) * 1000 + jpeg()[2:],
    ],
    ids=("empty", "no JPEG", "no end", "half", "headers", "scans", "arithmetic", "marker", "huge headers"),
)
def test_what_only_decoding_tells_is_no_whole_scan(data: bytes) -> None:
    assert whole_scan(data) is None
