"""Archives that are damaged, made to unpack to more than anybody wants, or hold what none should."""

import gzip
import io
import random
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Mapping
from functools import partial

from tests.integration.dataset.hostile_case import MIB, YOLO, Case, Cases
from tests.unit.dataset.archives import Files, encoded, png, tarred, zipped

CASES = Cases()
refuse, report = CASES.refuse, CASES.report


SEVERAL: Files = {
    **{f"{number}.bin": random.Random(number).randbytes(3000) for number in range(8)},
    "a.png": png(),
}

# No archives at all.


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content)


refuse("nothing", "ARCHIVE_EMPTY", lambda: b"")
refuse("a text", "NOT_AN_ARCHIVE", lambda: b"no archive, but a text\n" * 100)
refuse("a picture", "NOT_AN_ARCHIVE", png)
refuse("a picture with a zip behind it", "NOT_AN_ARCHIVE", lambda: png() + zipped(YOLO))
refuse("a gzipped text", "NOT_AN_ARCHIVE", lambda: gzipped(b"a text\n" * 1000))
refuse("a gzipped zip", "NOT_AN_ARCHIVE", lambda: gzipped(zipped(YOLO)))
refuse("an empty zip", "ARCHIVE_WITHOUT_IMAGES", lambda: zipped({}))
refuse("an empty tar", "ARCHIVE_WITHOUT_IMAGES", lambda: tarred({}))
refuse("a gzipped empty tar", "ARCHIVE_WITHOUT_IMAGES", lambda: tarred({}, pack=True))
refuse(
    "archives in an archive",
    "ARCHIVE_WITHOUT_IMAGES",
    lambda: zipped({"a.zip": zipped(YOLO), "b.tar": tarred(YOLO)}),
)
for extension, magic in {
    "7z": b"7z\xbc\xaf\x27\x1c",
    "rar": b"Rar!\x1a\x07\x01\x00",
    "bzip2": b"BZh91AY&SY",
    "xz": b"\xfd7zXZ\x00",
    "zstd": b"\x28\xb5\x2f\xfd",
}.items():
    refuse(f"a {extension} archive", "ARCHIVE_FORMAT_UNSUPPORTED", partial(bytes.ljust, magic, 1000, b"\0"))

# Damaged ones.

PACKERS: Mapping[str, Callable[[Files], bytes]] = {
    "zip": zipped,
    "tar": tarred,
    "tar.gz": lambda files: tarred(files, pack=True),
}


def cut(pack: Callable[[Files], bytes], share: float) -> bytes:
    whole = pack(SEVERAL)
    return whole[: int(len(whole) * share)]


for kind, pack in PACKERS.items():
    for share in (0.3, 0.7, 0.97 if kind != "tar" else 0.75):
        refuse(
            f"a {kind} cut after {share:.0%}",
            "ARCHIVE_DAMAGED",
            partial(cut, pack, share),
        )


def flipped(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= 0xFF
    return bytes(changed)


def patched(content: bytes, signature: bytes, at: int, value: bytes) -> bytes:
    """Bytes of the first header with a signature replaced."""
    changed = bytearray(content)
    begin = changed.find(signature) + at
    changed[begin : begin + len(value)] = value
    return bytes(changed)


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
refuse(
    "a zip with a changed byte in a stored picture",
    "ARCHIVE_DAMAGED",
    lambda: flipped(zipped({"a.bmp": encoded("BMP", 60, 60)}, zipfile.ZIP_STORED), 5000),
)
refuse(
    "a zip with a changed byte in a deflated picture",
    "ARCHIVE_DAMAGED",
    lambda: flipped(zipped({"a.bmp": encoded("BMP", 60, 60)}), 3000),
)
refuse(
    "a zip with a wrong CRC",
    "ARCHIVE_DAMAGED",
    lambda: patched(zipped(YOLO), CENTRAL, 16, b"\0\0\0\1"),
)
refuse("a gzip with a wrong CRC", "ARCHIVE_DAMAGED", lambda: flipped(tarred(YOLO, pack=True), -6))
refuse("a tar with a damaged header", "ARCHIVE_DAMAGED", lambda: flipped(tarred(SEVERAL), 512 + 3072 + 150))
refuse(
    "a zip whose local header has another name",
    "ARCHIVE_DAMAGED",
    lambda: patched(zipped({"a.png": png()}), LOCAL, 30, b"b.png"),
)
refuse(
    "a zip whose entry is said to lie elsewhere",
    "ARCHIVE_DAMAGED",
    lambda: patched(zipped({"a.png": png()}), CENTRAL, 42, struct.pack("<L", 3)),
)
refuse(
    "a zip without its directory",
    "ARCHIVE_DAMAGED",
    lambda: zipped(YOLO)[: zipped(YOLO).index(CENTRAL)],
)
refuse(
    "a zip whose directory is larger than the archive",
    "ARCHIVE_DAMAGED",
    lambda: patched(zipped(YOLO), END, 12, struct.pack("<L", 0x7FFFFFFF)),
)
refuse("a gzip with rubbish behind it", "ARCHIVE_DAMAGED", lambda: tarred(YOLO, pack=True) + b"rubbish" * 10)

# Bombs.


def bomb(method: int) -> bytes:
    target = io.BytesIO()
    with (
        zipfile.ZipFile(target, "w", method) as archive,
        archive.open("a.bin", "w", force_zip64=True) as file,
    ):
        for _ in range(66):
            file.write(bytes(MIB))
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("a.png", png())
    return target.getvalue()


def bomb_picture() -> bytes:
    """A picture of 66 MiB that is said to be small."""
    content = zipped({"a.bmp": bytes(66 * MIB)})
    for signature, at in ((LOCAL, 22), (CENTRAL, 24)):
        content = patched(content, signature, at, struct.pack("<L", 5000))
    return content


def lzma_bomb() -> bytes:
    """LZMA whose dictionary is said to need almost 4 GiB."""
    content = zipped({"a.png": png(), "a.txt": "0 0.5 0.5 1 1\n" * 1000}, zipfile.ZIP_LZMA)
    at = content.find(b"\x09\x04\x05\x00")
    changed = bytearray(content)
    for _ in range(2):
        changed[at + 5 : at + 9] = struct.pack("<L", 0xF0000000)
        at = content.find(b"\x09\x04\x05\x00", at + 4)
    return bytes(changed)


def overlapping() -> bytes:
    """A directory that names one and the same kernel many times."""
    kernel = zipped({"a.png": bytes(MIB)})
    start, end = kernel.index(CENTRAL), kernel.rindex(END)
    entry = bytearray(kernel[start:end])
    directory = b""
    for number in range(50):
        entry[46:51] = f"{number:05}".encode()
        directory += entry
    return kernel[:start] + directory + struct.pack("<4s4H2LH", END, 0, 0, 50, 50, len(directory), start, 0)


def nested(levels: int) -> bytes:
    content = zipped({"zeros.bin": bytes(MIB)})
    for _ in range(levels):
        content = zipped({f"{number}.zip": content for number in range(10)})
    return content


def many_entries(count: int, *, understated: bool = False) -> bytes:
    """A zip of so many empty files, written without zipfile because that takes a minute."""
    names = [f"{number:07}" for number in range(count)]
    local = b"".join(
        struct.pack("<4s5H3L2H", LOCAL, 20, 0, 0, 0, 33, 0, 0, 0, 7, 0) + name.encode() for name in names
    )
    directory = b"".join(
        struct.pack("<4s6H3L5H2L", CENTRAL, 20, 20, 0, 0, 0, 33, 0, 0, 0, 7, 0, 0, 0, 0, 0, 37 * number)
        + name.encode()
        for number, name in enumerate(names)
    )
    stated = 1 if understated else 0xFFFF
    return (
        local + directory + struct.pack("<4s4H2LH", END, 0, 0, stated, stated, len(directory), len(local), 0)
    )


refuse("a zip of zeros", "ARCHIVE_BOMB", lambda: bomb(zipfile.ZIP_DEFLATED))
refuse("a zip of zeros in bzip2", "ARCHIVE_BOMB", lambda: bomb(zipfile.ZIP_BZIP2))
refuse("a zip of zeros in LZMA", "ARCHIVE_BOMB", lambda: bomb(zipfile.ZIP_LZMA))
refuse(
    "a tar.gz of zeros", "ARCHIVE_BOMB", lambda: tarred({"a.bin": bytes(66 * MIB), "a.png": png()}, pack=True)
)
refuse("a picture larger than it is said to be", "ARCHIVE_DAMAGED", bomb_picture)
refuse("zips in zips in zips", "ARCHIVE_WITHOUT_IMAGES", lambda: nested(4))
refuse("entries that share their bytes", "ARCHIVE_ENTRIES_OVERLAP", overlapping)
refuse("more files than are allowed", "ARCHIVE_TOO_MANY_FILES", lambda: many_entries(20_001))
refuse(
    "a zip that understates its files",
    "ARCHIVE_TOO_MANY_FILES",
    lambda: many_entries(20_001, understated=True),
)
CASES["LZMA with a dictionary of gigabytes"] = Case(
    lzma_bomb, annotations=1000, reasons=frozenset({"CLASS_NAMES_MISSING"})
)


def zip64_lie(size: int) -> bytes:
    """An entry that states its size in a zip64 field."""
    content = zipped({"a.png": png()})
    start, end = content.index(CENTRAL), content.rindex(END)
    entry = bytearray(content[start:end])
    entry[24:28] = b"\xff\xff\xff\xff"
    entry[30:32] = struct.pack("<H", 12)
    entry += struct.pack("<2HQ", 1, 8, size)
    return content[:start] + entry + struct.pack("<4s4H2LH", END, 0, 0, 1, 1, len(entry), start, 0)


def zip64_directory_lie() -> bytes:
    content = zipped({"a.png": png()})
    end = content.rindex(END)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1 << 60, 1 << 60, 1 << 60, 7)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    last = struct.pack("<4s4H2LH", END, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return content[:end] + record + locator + last


refuse("a zip64 entry of a pebibyte", "ARCHIVE_BOMB", lambda: zip64_lie(1 << 50))
refuse("a zip64 entry of 2^63 bytes", "ARCHIVE_BOMB", lambda: zip64_lie((1 << 63) + 5))
refuse("a zip64 directory of an exbibyte", "ARCHIVE_DAMAGED", zip64_directory_lie)


def tar_of(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for entry, content in entries:
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def tar_entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, **values: object) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size = kind, size
    for key, value in values.items():
        setattr(entry, key, value)
    return entry


def raw_tar(entry: tarfile.TarInfo, content: bytes = b"") -> bytes:
    """A header as it is, whatever follows it."""
    return entry.tobuf(format=tarfile.GNU_FORMAT) + content


refuse(
    "an extended header of gigabytes",
    "ARCHIVE_DAMAGED",
    lambda: raw_tar(tar_entry("x", tarfile.XHDTYPE, 8 << 30), bytes(MIB)),
)
refuse(
    "extended headers without end",
    "ARCHIVE_DAMAGED",
    lambda: raw_tar(tar_entry("x", tarfile.XHDTYPE, 12), b"12 path=abc\n".ljust(512, b"\0")) * 2000,
)
refuse(
    "a tar with a file of terabytes",
    "ARCHIVE_DAMAGED",
    lambda: raw_tar(tar_entry("a.png", size=1 << 42), bytes(4096)),
)


def negative_tar() -> bytes:
    """A size of minus one, which base-256 numbers allow."""
    header = bytearray(raw_tar(tar_entry("a.png")))
    header[124:136] = b"\xff" * 12
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header) + bytes(4096)


refuse("a tar with a file of less than no bytes", "ARCHIVE_DAMAGED", negative_tar)

# Paths and kinds of entries.

for title, path in {
    "climbs out": "../evil.png",
    "climbs out in the middle": "a/../../evil.png",
    "is absolute": "/etc/evil.png",
    "has a drive": "C:\\evil.png",
    "climbs out as on Windows": "..\\evil.png",
    "has a line feed": "a\nb.png",
    "is too long": "a/" * 600 + "a.png",
}.items():
    refuse(
        f"a zip whose path {title}",
        "ARCHIVE_PATH_UNSAFE",
        partial(zipped, {"a.png": png(), path: png()}),
    )
refuse(
    "a tar whose extended header climbs out",
    "ARCHIVE_PATH_UNSAFE",
    lambda: tar_of((tar_entry("a.png", pax_headers={"path": "../evil.png"}), b"")),
)


def zip_of_kind(mode: int) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        entry = zipfile.ZipInfo("a.png")
        entry.create_system = 3
        entry.external_attr = mode << 16
        archive.writestr(entry, "/etc/passwd")
    return target.getvalue()


refuse("a zip with a symbolic link", "ARCHIVE_ENTRY_FORBIDDEN", lambda: zip_of_kind(0o120777))
refuse("a zip with a device", "ARCHIVE_ENTRY_FORBIDDEN", lambda: zip_of_kind(0o060666))
for title, flag in {
    "symbolic link": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "character device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
}.items():
    refuse(
        f"a tar with a {title}",
        "ARCHIVE_ENTRY_FORBIDDEN",
        partial(tar_of, (tar_entry("a.png", flag, linkname="/etc/passwd"), b"")),
    )
refuse(
    "an encrypted zip",
    "ARCHIVE_ENCRYPTED",
    lambda: patched(patched(zipped({"a.png": png()}), LOCAL, 6, b"\1"), CENTRAL, 8, b"\1"),
)
refuse(
    "a zip with an exotic compression",
    "ARCHIVE_COMPRESSION_UNSUPPORTED",
    lambda: patched(patched(zipped({"a.png": png()}), LOCAL, 8, b"\x61"), CENTRAL, 10, b"\x61"),
)


def twice(one: str, other: str) -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr(one, png())
        archive.writestr(other, png())
    return target.getvalue()


refuse("a name twice", "ARCHIVE_NAME_REPEATED", lambda: twice("a.png", "a.png"))
refuse("a name twice in other slashes", "ARCHIVE_NAME_REPEATED", lambda: twice("b/a.png", "b\\.\\a.png"))
refuse(
    "a name twice, composed and decomposed",
    "ARCHIVE_NAME_REPEATED",
    lambda: twice("\u00e4.png", "a\u0308.png"),
)
report("names that differ by letter case", {"a.png": png(), "A.PNG": png(9, 9)}, images=2)
CASES["a name with a NUL"] = Case(
    lambda: zipped({"a.pngX.exe": png()}).replace(b"a.pngX.exe", b"a.png\0.exe")
)
report("folders within folders", {f"{'f/' * 490}a.png": png()})
CASES["a tar whose names are no UTF-8"] = Case(
    lambda: tarred({"caf\u00e9.png": png()}).replace("caf\u00e9.png".encode(), b"caf\xe9\xe9.png")
)
