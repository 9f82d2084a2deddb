"""Inspection: reads from an image's bytes what is recorded of it, and refuses what no training could read."""

import hashlib
import io
import struct
import zlib
from functools import lru_cache

from PIL import ExifTags, Image, UnidentifiedImageError

from annotateforge.dataset.decoding import (
    MOST_DECODED_BYTES,
    DecodingMemory,
    coefficient_bytes,
    decoding_bytes,
    is_whole,
)
from annotateforge.dataset.fingerprints import DECODED_SIDE, UNKNOWN_BY_SIZE, UNREADABLE, fingerprint
from annotateforge.dataset.images import ImageFacts, ImageFormat, ImageLimits, ImageRefused
from annotateforge.dataset.pixels import TIFF_SIGNATURES, TURNS, shrunk
from annotateforge.runtime.jpeg import MOST_SCANS, WholeScan, has_too_many_scans, whole_scan

# Pillow's own limit warns first and counts otherwise than ours, which is checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = None

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SHORTEST_SIDE = 1
_LONGEST_SIDE = 1 << 24
_MOST_UNSCALED = 16_000_000
"""Pixels beyond which a JPEG is scaled down by 8 whatever becomes of its shorter side."""


def inspect(
    data: bytes, limits: ImageLimits, memory: DecodingMemory | None = None, *, fingerprint_later: bool = False
) -> ImageFacts:
    """The facts of an encoded image. Takes milliseconds to some tenths of a second of a core: call it in a
    worker thread.

    What is checked, at the least cost that finds files cut short: JPEG is decoded at up to an eighth of its
    size, which reads all of its entropy-coded data; every chunk of a PNG is held against its own CRC; BMP,
    TIFF and WebP are decoded. The fingerprint comes from the same decoding; for its sake a PNG is decoded,
    too. Of what would take more memory than MOST_DECODED_BYTES only the structure is checked, and it gets no
    fingerprint. `memory` is what threads share.

    With `fingerprint_later` a PNG, and a JPEG whose headers and structure tell the same as decoding it, are
    not decoded and get no fingerprint; the rest of the answer is the same. That takes tenths of a
    millisecond; `look_again` makes up for it.

    Raises ImageRefused with IMAGE_EMPTY, IMAGE_TOO_LARGE, IMAGE_FORMAT_UNSUPPORTED or IMAGE_UNREADABLE.
    """
    if not data:
        raise ImageRefused("IMAGE_EMPTY", "The file is empty.", "Upload it again from its source.")
    if len(data) > limits.size_bytes:
        raise ImageRefused(
            "IMAGE_TOO_LARGE",
            f"The file has {len(data):,} bytes; an image may have {limits.size_bytes:,}.",
            "Scale it down or save it with a stronger compression.",
        )
    image_format = _format_of(data)
    width, height, look = _look_at(
        data, image_format, limits.pixels, memory or DecodingMemory(), fingerprint_later=fingerprint_later
    )
    return ImageFacts(
        sha256=hashlib.sha256(data).digest(),
        crc32=zlib.crc32(data),
        size_bytes=len(data),
        format=image_format,
        width=width,
        height=height,
        fingerprint=look,
    )


def look_again(data: bytes, image_format: ImageFormat, memory: DecodingMemory | None = None) -> bytes:
    """The fingerprint of an image that was taken in before; UNREADABLE where it cannot be decoded. JPEG is
    decoded at up to an eighth of its size. Takes milliseconds to some tenths of a second of a core.
    """
    try:
        look = _look_at(data, image_format, _LONGEST_SIDE**2, memory or DecodingMemory())[2]
    except ImageRefused:
        return UNREADABLE
    assert look is not None
    return look


def _look_at(
    data: bytes,
    image_format: ImageFormat,
    most_pixels: int,
    memory: DecodingMemory,
    *,
    fingerprint_later: bool = False,
) -> tuple[int, int, bytes | None]:
    """Width and height after the EXIF orientation, and the fingerprint, of an image that can be read to its
    end. With `fingerprint_later` it is None where decoding would tell nothing else. Raises ImageRefused.
    """
    look: bytes | None
    is_known_whole = False
    scan = whole_scan(data) if fingerprint_later and image_format is ImageFormat.JPEG else None
    if scan is not None and (size := _plain_size(scan, most_pixels)):
        return *size, None
    try:
        exif = png_exif(data) if image_format is ImageFormat.PNG else None
        with Image.open(io.BytesIO(data), formats=[image_format.name]) as picture:
            width, height = picture.size
            if not (min(width, height) >= _SHORTEST_SIDE and max(width, height) <= _LONGEST_SIDE):
                raise ImageRefused(
                    "IMAGE_UNREADABLE", f"It claims to be {width} × {height} pixels large.", _REPAIR
                )
            if width * height > most_pixels:
                raise ImageRefused(
                    "IMAGE_TOO_LARGE",
                    f"It has {width} × {height} pixels; an image may have {most_pixels:,}.",
                    "Scale it down or cut it into tiles.",
                )
            orientation = orientation_of(picture, exif)
            if fingerprint_later:
                is_known_whole = image_format is ImageFormat.PNG or _is_readable(picture, scan)
            if image_format is ImageFormat.JPEG and not is_known_whole and has_too_many_scans(data):
                raise ImageRefused(
                    "IMAGE_TOO_LARGE",
                    f"It has more than the {MOST_SCANS} scans that a JPEG may have.",
                    "Open it in an image editor and save it again.",
                )
            if image_format is ImageFormat.JPEG:
                # Lets the decoder scale down by up to 8, but not so far that the fingerprint would suffer.
                thin = min(width, height) < 8 * DECODED_SIDE and width * height > _MOST_UNSCALED
                picture.draft(None, (1, 1) if thin else (DECODED_SIDE, DECODED_SIDE))
            needed = decoding_bytes(picture) + coefficient_bytes(picture, (width, height))
            if needed > MOST_DECODED_BYTES:
                if not is_whole(data, picture):
                    raise ImageRefused("IMAGE_UNREADABLE", "The file is cut short.", _REPAIR)
                look = UNKNOWN_BY_SIZE
            elif is_known_whole:
                look = None
            else:
                with memory.taking(needed):
                    if image_format is not ImageFormat.PNG:
                        picture.load()
                    look = _fingerprint(picture, orientation)
    except ImageRefused:
        raise
    except UnidentifiedImageError as error:
        raise ImageRefused(
            "IMAGE_UNREADABLE", f"It is no readable {image_format.name} file.", _REPAIR
        ) from error
    # Pillow's decoders raise whatever their parsing stumbles over, also MemoryError and IndexError.
    except Exception as error:
        detail = str(error) or type(error).__name__
        raise ImageRefused(
            "IMAGE_UNREADABLE", f"It could not be decoded: {detail[:200]}.", _REPAIR
        ) from error
    return (height, width, look) if orientation >= 5 else (width, height, look)


def _plain_size(scan: WholeScan, most_pixels: int) -> tuple[int, int] | None:
    """Width and height of a JPEG of which the headers of its scan say all that Pillow would; None of any
    other, and of what is refused.
    """
    most = min(most_pixels, _MOST_UNSCALED)
    if scan.has_metadata or not 0 < scan.width * scan.height <= most:
        return None
    try:
        _decode_stub(scan.stub)
    except Exception:  # whoever opens the picture says why
        return None
    return scan.width, scan.height


def _is_readable(picture: Image.Image, scan: WholeScan | None) -> bool:
    """Whether an opened picture is a JPEG that decoding is known to find readable. Raises what Pillow raises
    where its headers keep it from being decoded.
    """
    # What holds several pictures has another format, and is decoded otherwise.
    if scan is None or picture.format != "JPEG":
        return False
    _decode_stub(scan.stub)
    return True


@lru_cache(256)
def _decode_stub(stub: bytes) -> None:
    """Decode the headers of a JPEG, which those of one camera or program share. Raises what Pillow raises."""
    with Image.open(io.BytesIO(stub), formats=["JPEG"]) as picture:
        picture.load()


def _fingerprint(picture: Image.Image, orientation: int) -> bytes:
    """The fingerprint of a picture that is decoded or a PNG, of which only the chunks were checked before."""
    try:
        small = shrunk(picture, DECODED_SIDE)
        return fingerprint(small.transpose(TURNS[orientation]) if orientation in TURNS else small)
    except Exception:  # Pillow's decoders raise whatever their parsing stumbles over
        return UNREADABLE


def orientation_of(picture: Image.Image, exif: bytes | None = None) -> int:
    """The EXIF orientation, 1 to 8, that is still to be applied; 1 where there is none or it is broken.

    Only EXIF counts, as for OpenCV, with which ultralytics reads images; Pillow would also look into XMP.
    Pillow itself turns TIFF upright, size and pixels.
    """
    if picture.format == "TIFF":
        return 1
    block = exif or picture.info.get("exif")
    if not isinstance(block, bytes):
        return 1
    try:
        tags = Image.Exif()
        tags.load(block)
        orientation = tags.get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken EXIF comes in all shapes, and is no reason to refuse the picture
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def is_deeper_than_8_bits(data: bytes, image_format: ImageFormat) -> bool:
    """Whether an image that was inspected has more than 8 bits a channel, of which training sees 8."""
    if image_format is ImageFormat.PNG:
        return data[24] > 8
    if image_format is not ImageFormat.TIFF:
        return False
    with Image.open(io.BytesIO(data), formats=[image_format.name]) as picture:
        return picture.mode.startswith(("I", "F"))


_REPAIR = "Open it in an image editor and save it again, or leave it out."

_UNSUPPORTED = (
    # These are converted before, unless they only begin like them.
    (b"GIF8", 0, "GIF"),
    (b"ftypheic", 4, "HEIC"),
    (b"ftypheix", 4, "HEIC"),
    (b"ftypmif1", 4, "HEIF"),
    (b"ftypmsf1", 4, "HEIF"),
    (b"ftypavif", 4, "AVIF"),
    (b"\x00\x00\x00\x0cjP  ", 0, "JPEG 2000"),
    (b"\xff\x4f\xff\x51", 0, "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL ", 0, "JPEG XL"),
    (b"\xff\x0a", 0, "JPEG XL"),
    (b"8BPS", 0, "Photoshop"),
    (b"DICM", 128, "DICOM"),
    (b"%PDF", 0, "PDF"),
    (b"\x00\x00\x01\x00", 0, "ICO"),
    (b"<svg", 0, "SVG"),
)


def _format_of(data: bytes) -> ImageFormat:
    head = data[:16]
    if head.startswith(b"\xff\xd8\xff"):
        return ImageFormat.JPEG
    if head.startswith(PNG_SIGNATURE):
        return ImageFormat.PNG
    if head.startswith(b"BM"):
        return ImageFormat.BMP
    if head.startswith(TIFF_SIGNATURES):
        return ImageFormat.TIFF
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return ImageFormat.WEBP
    for magic, offset, name in _UNSUPPORTED:
        if data[offset : offset + len(magic)] == magic:
            raise ImageRefused(
                "IMAGE_FORMAT_UNSUPPORTED",
                f"It is a {name} file.",
                "Convert it to JPEG or PNG; JPEG, PNG, BMP, TIFF, WebP, GIF and HEIC are taken.",
            )
    raise ImageRefused(
        "IMAGE_UNREADABLE",
        "Its bytes are not those of an image.",
        "JPEG, PNG, BMP, TIFF, WebP, GIF and HEIC are taken; check that the file is complete.",
    )


def png_exif(data: bytes) -> bytes | None:
    """The EXIF block of a PNG, whose every chunk is held against its CRC on the way (PNG specification,
    section 5). Raises ImageRefused IMAGE_UNREADABLE for a damaged file.
    """
    view = memoryview(data)
    at = len(PNG_SIGNATURE)
    exif = None
    has_pixels = False
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            break
        if zlib.crc32(view[at + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise ImageRefused("IMAGE_UNREADABLE", f"Its {kind.decode('latin-1')} chunk is damaged.", _REPAIR)
        if kind == b"IDAT":
            has_pixels = True
        elif kind == b"eXIf":
            exif = data[at + 8 : end - 4]
        elif kind == b"IEND":
            if has_pixels:
                return exif
            break
        at = end
    raise ImageRefused("IMAGE_UNREADABLE", "The PNG file is cut short.", _REPAIR)
