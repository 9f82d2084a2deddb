"""Archives whose pictures are damaged, or huge once they are decoded."""

import io
import struct
import zlib

from PIL import Image

from tests.integration.dataset.hostile_case import MIB, YOLO, Cases
from tests.unit.dataset.archives import HEIC, encoded, png, zipped

CASES = Cases()
refuse, report = CASES.refuse, CASES.report


def png_of(
    width: int, height: int, depth: int = 8, kind: int = 2, chunks: bytes = b"", pixels: bytes = b""
) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">2L5B", width, height, depth, kind, 0, 0, 0))
        + chunks
        + chunk(b"IDAT", pixels or zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def zeros(count: int) -> bytes:
    """So many zeros, deflated."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(MIB)) for _ in range(count // MIB)]
    return b"".join((*parts, packer.compress(bytes(count % MIB)), packer.flush()))


def large_png(side: int) -> bytes:
    """A valid PNG with four channels, white where there is anything."""
    return png_of(side, side, kind=6, pixels=zeros(side * (4 * side + 1)))


def large(kind: str, side: int, **options: object) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (side, side)).save(target, kind, **options)
    return target.getvalue()


def jpeg_header(width: int, height: int) -> bytes:
    content = encoded("JPEG", 16, 16)
    at = content.index(b"\xff\xc0")
    return content[: at + 5] + struct.pack(">2H", height, width) + content[at + 9 :]


def tiff_loop() -> bytes:
    """A TIFF whose directory names itself as the next one."""
    content = bytearray(encoded("TIFF"))
    (at,) = struct.unpack_from("<L", content, 4)
    (count,) = struct.unpack_from("<H", content, at)
    content[at + 2 + 12 * count : at + 6 + 12 * count] = struct.pack("<L", at)
    return bytes(content)


report("a PNG of 3.6 billion pixels", {"a.png": png_of(60_000, 60_000)}, "IMAGE_TOO_LARGE", images=0)
report("a PNG of no pixels", {"a.png": png_of(0, 0)}, "IMAGE_UNREADABLE", images=0)
report("a PNG of 2^31 pixels a side", {"a.png": png_of(0x7FFFFFFF, 0x7FFFFFFF)}, "IMAGE_UNREADABLE", images=0)
report("a JPEG of 4 billion pixels", {"a.jpg": jpeg_header(65_500, 65_500)}, "IMAGE_TOO_LARGE", images=0)
report(
    "a GIF of 4 billion pixels",
    {"a.gif": b"GIF89a" + struct.pack("<2H", 65_535, 65_535) + encoded("GIF")[10:]},
    "IMAGE_TOO_LARGE",
    images=0,
)
report("a GIF cut short", {"a.gif": encoded("GIF", 90, 90)[:-3000]}, "IMAGE_UNREADABLE", images=0)
report(
    "a HEIC of 4 billion pixels",
    {"a.heic": HEIC.replace(struct.pack(">2L", 64, 64), struct.pack(">2L", 65_535, 65_535))},
    "IMAGE_UNREADABLE",
    images=0,
)
report("a HEIC cut short", {"a.heic": HEIC[:-80]}, "IMAGE_UNREADABLE", images=0)
report(
    "a BMP of less than no pixels",
    {"a.bmp": encoded("BMP")[:18] + struct.pack("<2l", -5, -5) + encoded("BMP")[26:]},
    "IMAGE_UNREADABLE",
    images=0,
)
report("PNGs of 34 megapixels", lambda: {f"{n}.png": large_png(5900) for n in range(2)}, images=2)
report(
    "a TIFF of 42 megapixels, packed",
    lambda: {"a.tif": large("TIFF", 6500, compression="tiff_lzw")},
)
report("a WebP of 16 megapixels", lambda: {"a.webp": large("WEBP", 4000, method=0)})
report("a WebP of 8 megapixels", lambda: {"a.webp": large("WEBP", 2800, method=0)})
report("a progressive JPEG of 36 megapixels", lambda: {"a.jpg": large("JPEG", 6000, progressive=True)})
report("a JPEG of 64 megapixels", lambda: {"a.jpg": large("JPEG", 8000)})
report(
    "a BMP of 42 megapixels, cut", lambda: {"a.bmp": large("BMP", 6500)[:4000]}, "IMAGE_UNREADABLE", images=0
)
report(
    "a packed TIFF of 42 megapixels, cut",
    lambda: {"a.tif": large("TIFF", 6500, compression="tiff_lzw")[:-1000]},
    "IMAGE_UNREADABLE",
    images=0,
)
report(
    "a WebP of 16 megapixels, cut",
    lambda: {"a.webp": large("WEBP", 4000, method=0)[:-100]},
    "IMAGE_UNREADABLE",
    images=0,
)
report("a truncated JPEG", {"a.jpg": encoded("JPEG", 90, 90)[:-900]}, "IMAGE_UNREADABLE", images=0)
report("a truncated PNG", {"a.png": png(60, 60)[:-30]}, "IMAGE_UNREADABLE", images=0)
report("an empty picture", {"a.png": b""}, "IMAGE_EMPTY", images=0)
report("a text called picture", {"a.jpg": "I am a picture."}, "IMAGE_UNREADABLE", images=0)
report("a page called picture", {"a.svg": '<svg onload="alert(1)"/>'}, "IMAGE_FORMAT_UNSUPPORTED", images=0)
report("a picture with an archive behind it", {"a.jpg": encoded("JPEG") + zipped(YOLO)})
report("a TIFF that leads in circles", lambda: {"a.tif": tiff_loop()})
report(
    "a PNG with a profile of gigabytes",
    lambda: {"a.png": png_of(8, 8, chunks=chunk(b"iCCP", b"x\0\0" + zeros(64 * MIB)))},
    "IMAGE_UNREADABLE",
    images=0,
)
report(
    "a PNG with a text of gigabytes",
    lambda: {"a.png": png_of(8, 8, chunks=chunk(b"zTXt", b"x\0\0" + zeros(64 * MIB)))},
    "IMAGE_UNREADABLE",
    images=0,
)
