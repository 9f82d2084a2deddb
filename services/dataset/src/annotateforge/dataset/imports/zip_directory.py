"""The directory of a ZIP archive (PKWARE APPNOTE 6.3.10), read entry by entry, so that hundreds of thousands
of them take no more memory than what is kept of them.
"""

import struct
from collections.abc import Iterator
from typing import IO, NamedTuple

from annotateforge.dataset.imports.containers import UnpackBudget, damaged_archive

_END_SIGNATURE = b"PK\x05\x06"
_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY_SIGNATURE = b"PK\x01\x02"
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
_LONGEST_COMMENT = 65_535
_BLOCK_BYTES = 1 << 18
"""More than the longest entry, of which three fields have up to 64 KiB."""
_BYTES_PER_ENTRY = 1024
"""A directory with more bytes an entry than this on the whole is made to fill memory."""
_NEWEST_VERSION = 63
"""Version of the format that is needed to extract an entry, times ten, up to which it is read."""
_MOST_32 = 0xFFFFFFFF
_MOST_64 = 0xFFFFFFFFFFFFFFFF
_ZIP64 = 1
_UTF8 = 1 << 11


class ZipEntry(NamedTuple):
    """What the directory says of a file or a folder."""

    name: str
    """As it is written; it is not checked."""
    flags: int
    method: int
    crc32: int
    packed_size: int
    size: int
    mode: int
    """External attributes."""
    offset: int
    """Where its local header begins in the file."""

    @property
    def is_folder(self) -> bool:
        """Whether it is no file."""
        return self.name.endswith(("/", "\\"))


def zip_entries(file: IO[bytes], budget: UnpackBudget) -> Iterator[ZipEntry]:
    """The entries of the directory in its order, counted as they come, whatever number the archive states.

    InvalidArgument ARCHIVE_DAMAGED, ResourceExhausted ARCHIVE_TOO_MANY_FILES.
    """
    directory_bytes, before, stated = _find_directory(file)
    # A number that cannot be is not believed; the entries are counted in any case.
    if stated * _ENTRY.size <= directory_bytes:
        budget.count_members(stated)
    if directory_bytes > budget.limits.members * _BYTES_PER_ENTRY:
        budget.count_members(budget.limits.members + 1)
    remaining = directory_bytes
    at = file.tell()
    count = 0
    while remaining:
        # Others read from the file between two entries.
        file.seek(at)
        block = file.read(min(remaining, _BLOCK_BYTES))
        begin = 0
        while len(block) - begin >= _ENTRY.size:
            header = _ENTRY.unpack_from(block, begin)
            if header[0] != _ENTRY_SIGNATURE:
                raise damaged_archive()
            end = begin + _ENTRY.size + sum(header[12:15])
            if end > len(block):
                break
            count += 1
            budget.count_members(count)
            yield _entry(header, block[begin + _ENTRY.size : end], before)
            begin = end
        if not begin:
            raise damaged_archive()
        at += begin
        remaining -= begin


def decoded_name(raw: bytes, flags: int) -> str:
    """The name of an entry. Many packers write UTF-8 without saying so; the format then has code page 437.
    ValueError when it says UTF-8 and is not.
    """
    raw = raw.split(b"\0", 1)[0]
    if flags & _UTF8:
        return raw.decode()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp437")


def _entry(header: tuple[int, ...], variable: bytes, before: int) -> ZipEntry:
    """An entry of its fixed and its variable fields; there are `before` bytes before the archive."""
    version, flags, method, crc32 = header[3], header[5], header[6], header[9]
    packed_size, size, name_length, extra_length = header[10:14]
    mode, offset = header[17:19]
    if version > _NEWEST_VERSION:
        raise damaged_archive()
    try:
        name = decoded_name(variable[:name_length], flags)
    except ValueError as error:
        raise damaged_archive() from error
    extra = variable[name_length : name_length + extra_length]
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if 4 + length > len(extra):
            raise damaged_archive()
        if kind == _ZIP64:
            try:
                size, packed_size, offset = _zip64_sizes(extra[4 : 4 + length], size, packed_size, offset)
            except struct.error as error:
                raise damaged_archive() from error
        extra = extra[4 + length :]
    offset += before
    if offset < 0:
        raise damaged_archive()
    return ZipEntry(name, flags, method, crc32, packed_size, size, mode, offset)


def _zip64_sizes(field: bytes, size: int, packed_size: int, offset: int) -> tuple[int, int, int]:
    """The field has, in this order, those that do not fit into 32 bits (section 4.5.3)."""
    if size in (_MOST_32, _MOST_64):
        (size,) = struct.unpack_from("<Q", field)
        field = field[8:]
    if packed_size == _MOST_32:
        (packed_size,) = struct.unpack_from("<Q", field)
        field = field[8:]
    if offset == _MOST_32:
        (offset,) = struct.unpack_from("<Q", field)
    return size, packed_size, offset


def _find_directory(file: IO[bytes]) -> tuple[int, int, int]:
    """Size of the central directory, how many bytes stand before the archive, and how many entries it states:
    the directory is taken to end where the end record begins. The file is left at its first byte.
    """
    size = file.seek(0, 2)
    tail_at = max(0, size - _END.size - _LONGEST_COMMENT)
    file.seek(tail_at)
    tail = file.read()
    end = tail.rfind(_END_SIGNATURE)
    if end < 0 or len(tail) - end < _END.size:
        raise damaged_archive()
    end_at = tail_at + end
    directory_bytes: int
    stated_at: int
    entries: int
    entries, directory_bytes, stated_at = _END.unpack_from(tail, end)[4:7]
    if end_at >= _END64_LOCATOR.size + _END64.size:
        file.seek(end_at - _END64_LOCATOR.size)
        if file.read(4) == b"PK\x06\x07":
            end_at -= _END64_LOCATOR.size + _END64.size
            file.seek(end_at)
            record = file.read(_END64.size)
            if record[:4] != b"PK\x06\x06":
                raise damaged_archive()
            entries, directory_bytes, stated_at = _END64.unpack(record)[7:10]
    if directory_bytes > end_at:
        raise damaged_archive()
    begin = end_at - directory_bytes
    file.seek(begin)
    return directory_bytes, begin - stated_at, entries
