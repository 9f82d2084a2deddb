"""The records of a ZIP archive of stored entries, byte for byte (PKWARE APPNOTE 6.3.10, sections 4.3 and
4.5).

Sizes, CRC-32 and offsets are known beforehand, so that no entry has a data descriptor. ZIP64 fields are
written exactly where the older ones cannot hold a value.
"""

import struct

import numpy as np

from annotateforge.dataset.columns import Longs

MOST_32 = 0xFFFFFFFF
"""Stands in a 32-bit field for "see the ZIP64 field", and is therefore no value."""
MOST_16 = 0xFFFF
LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
CENTRAL_HEADER = struct.Struct("<4sHHHHHHIIIHHHHHII")
END = struct.Struct("<4sHHHHIIH")
END_64 = struct.Struct("<4sQHHIIQQQQ")
END_64_LOCATOR = struct.Struct("<4sIQI")

_PLAIN, _FOLDERS, _ZIP64 = 10, 20, 45
"""Versions of the specification that a reader needs."""
_UNIX = 3 << 8
_UTF8 = 1 << 11
_STORED = 0
_TIME, _DATE = 0, 1 << 5 | 1
"""Midnight of the first of January 1980, the earliest that can be written."""
_FILE_MODE = 0o100644 << 16
_FOLDER_MODE = 0o40755 << 16 | 0x10


def local_header(name: bytes, size: int, crc32: int) -> bytes:
    """What precedes the bytes of an entry; the name of a folder ends with a slash."""
    extra, shown = b"", size
    if size >= MOST_32:
        extra, shown = struct.pack("<HHQQ", 1, 16, size, size), MOST_32
    return (
        LOCAL_HEADER.pack(
            b"PK\3\4",
            _version(name, extra),
            _UTF8,
            _STORED,
            _TIME,
            _DATE,
            crc32,
            shown,
            shown,
            len(name),
            len(extra),
        )
        + name
        + extra
    )


def central_header(name: bytes, size: int, crc32: int, offset: int) -> bytes:
    """An entry in the central directory; `offset` is where its local header begins."""
    values, shown, at = [], size, offset
    if size >= MOST_32:
        values, shown = [size, size], MOST_32
    if offset >= MOST_32:
        values, at = [*values, offset], MOST_32
    extra = struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values) if values else b""
    version = _version(name, extra)
    mode = _FOLDER_MODE if name.endswith(b"/") else _FILE_MODE
    return (
        CENTRAL_HEADER.pack(
            b"PK\1\2", _UNIX | version, version, _UTF8, _STORED, _TIME, _DATE, crc32, shown, shown,
            len(name), len(extra), 0, 0, 0, mode, at,
        )
        + name
        + extra
    )  # fmt: skip


def end_records(entries: int, central_size: int, central_offset: int) -> bytes:
    """What ends an archive."""
    records = b""
    if entries >= MOST_16 or central_size >= MOST_32 or central_offset >= MOST_32:
        records = END_64.pack(
            b"PK\6\6",
            END_64.size - 12,
            _UNIX | _ZIP64,
            _ZIP64,
            0,
            0,
            entries,
            entries,
            central_size,
            central_offset,
        ) + END_64_LOCATOR.pack(b"PK\6\7", 0, central_offset + central_size, 1)
    shown = min(entries, MOST_16)
    return records + END.pack(
        b"PK\5\6", 0, 0, shown, shown, min(central_size, MOST_32), min(central_offset, MOST_32), 0
    )


def local_lengths(name_length: Longs, size: Longs) -> Longs:
    """Bytes of the local headers of many entries."""
    return LOCAL_HEADER.size + name_length + 20 * (size >= MOST_32)


def central_lengths(name_length: Longs, size: Longs, offset: Longs) -> Longs:
    """Bytes of many entries in the central directory."""
    values = 2 * (size >= MOST_32) + 1 * (offset >= MOST_32)
    return CENTRAL_HEADER.size + name_length + np.where(values > 0, 4 + 8 * values, 0)


def _version(name: bytes, extra: bytes) -> int:
    return _ZIP64 if extra else _FOLDERS if name.endswith(b"/") else _PLAIN
