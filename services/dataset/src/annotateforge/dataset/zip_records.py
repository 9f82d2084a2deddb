"""The records of a ZIP archive of stored entries (PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5), many at once.

Sizes, CRC-32 and offsets are known beforehand, so that no entry has a data descriptor. ZIP64 fields are
written exactly where the older ones cannot hold a value.
"""

import struct

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.byte_rows import ByteRows, beside
from annotateforge.dataset.columns import Flags, Longs

MOST_32 = 0xFFFFFFFF
"""Stands in a 32-bit field for "see the ZIP64 field", and is therefore no value."""
MOST_16 = 0xFFFF

_LOCAL = np.dtype(
    [
        ("signature", "S4"),
        ("version", "<u2"),
        ("flags", "<u2"),
        ("method", "<u2"),
        ("time", "<u2"),
        ("date", "<u2"),
        ("crc32", "<u4"),
        ("packed_size", "<u4"),
        ("size", "<u4"),
        ("name_length", "<u2"),
        ("extra_length", "<u2"),
    ]
)
_CENTRAL = np.dtype(
    [
        ("signature", "S4"),
        ("made_by", "<u2"),
        *((name, _LOCAL[name]) for name in _LOCAL.names or () if name != "signature"),
        ("comment_length", "<u2"),
        ("disk", "<u2"),
        ("internal_attributes", "<u2"),
        ("external_attributes", "<u4"),
        ("offset", "<u4"),
    ]
)
_EXTRA = np.dtype([("tag", "<u2"), ("length", "<u2")])
_SIZES = np.dtype([("size", "<u8"), ("packed_size", "<u8")])
_OFFSET = np.dtype([("offset", "<u8")])
_END = struct.Struct("<4sHHHHIIH")
_END_64 = struct.Struct("<4sQHHIIQQQQ")
_END_64_LOCATOR = struct.Struct("<4sIQI")

_PLAIN, _FOLDERS, _ZIP64 = 10, 20, 45
"""Versions of the specification that a reader needs."""
_UNIX = 3 << 8
_UTF8 = 1 << 11
_DATE = 1 << 5 | 1
"""The first of January 1980, the earliest that can be written; the time is midnight."""
_FILE_MODE = 0o100644 << 16
_FOLDER_MODE = 0o40755 << 16 | 0x10


def local_headers(names: ByteRows, size: Longs, crc32: npt.NDArray[np.uint32]) -> ByteRows:
    """What precedes the bytes of each entry; the name of a folder ends with a slash."""
    large = size >= MOST_32
    header = _filled(_LOCAL, b"PK\3\4", names, size, crc32, np.where(large, 20, 0))
    if not large.any():
        return beside(ByteRows.of_structures(header), names)
    extra = np.zeros(len(size), _EXTRA)
    extra["tag"], extra["length"] = 1, 16
    return beside(
        ByteRows.of_structures(header),
        names,
        ByteRows.of_structures(extra, large),
        ByteRows.of_structures(_sizes(size), large),
    )


def central_headers(names: ByteRows, size: Longs, crc32: npt.NDArray[np.uint32], offset: Longs) -> ByteRows:
    """Each entry in the central directory; `offset` is where its local header begins."""
    large, far = size >= MOST_32, offset >= MOST_32
    values = 16 * large + 8 * far
    header = _filled(_CENTRAL, b"PK\1\2", names, size, crc32, np.where(values > 0, 4 + values, 0))
    header["made_by"] = _UNIX | header["version"]
    header["external_attributes"] = np.where(_folders(names), _FOLDER_MODE, _FILE_MODE)
    header["offset"] = np.minimum(offset, MOST_32)
    if not values.any():
        return beside(ByteRows.of_structures(header), names)
    extra = np.zeros(len(size), _EXTRA)
    extra["tag"], extra["length"] = 1, values
    far_offset = np.zeros(len(size), _OFFSET)
    far_offset["offset"] = offset
    return beside(
        ByteRows.of_structures(header),
        names,
        ByteRows.of_structures(extra, values > 0),
        ByteRows.of_structures(_sizes(size), large),
        ByteRows.of_structures(far_offset, far),
    )


def local_lengths(name_length: Longs, size: Longs) -> Longs:
    """Bytes of each of `local_headers`, without writing them."""
    lengths: Longs = _LOCAL.itemsize + name_length + np.where(size >= MOST_32, 20, 0)
    return lengths


def central_lengths(name_length: Longs, size: Longs, offset: Longs) -> Longs:
    """Bytes of each of `central_headers`, without writing them."""
    values = 16 * (size >= MOST_32) + 8 * (offset >= MOST_32)
    lengths: Longs = _CENTRAL.itemsize + name_length + np.where(values > 0, 4 + values, 0)
    return lengths


def end_records(entries: int, central_size: int, central_offset: int) -> bytes:
    """What ends an archive."""
    records = b""
    if entries >= MOST_16 or central_size >= MOST_32 or central_offset >= MOST_32:
        versions = (_UNIX | _ZIP64, _ZIP64)
        counts = (0, 0, entries, entries, central_size, central_offset)
        records = _END_64.pack(b"PK\6\6", _END_64.size - 12, *versions, *counts)
        records += _END_64_LOCATOR.pack(b"PK\6\7", 0, central_offset + central_size, 1)
    shown = min(entries, MOST_16)
    size, offset = min(central_size, MOST_32), min(central_offset, MOST_32)
    return records + _END.pack(b"PK\5\6", 0, 0, shown, shown, size, offset, 0)


def _filled(
    kind: np.dtype[np.void],
    signature: bytes,
    names: ByteRows,
    size: Longs,
    crc32: npt.NDArray[np.uint32],
    extra_length: Longs,
) -> npt.NDArray[np.void]:
    """The fields that local and central headers share."""
    header = np.zeros(len(size), kind)
    header["signature"] = signature
    header["version"] = np.where(extra_length > 0, _ZIP64, np.where(_folders(names), _FOLDERS, _PLAIN))
    header["flags"] = _UTF8
    header["date"] = _DATE
    header["crc32"] = crc32
    header["packed_size"] = header["size"] = np.minimum(size, MOST_32)
    header["name_length"] = names.lengths
    header["extra_length"] = extra_length
    return header


def _sizes(size: Longs) -> npt.NDArray[np.void]:
    sizes = np.zeros(len(size), _SIZES)
    sizes["size"] = sizes["packed_size"] = size
    return sizes


def _folders(names: ByteRows) -> Flags:
    """Which names end with a slash."""
    folders: Flags = names.text[np.arange(len(names.text)), names.lengths - 1] == ord("/")
    return folders
