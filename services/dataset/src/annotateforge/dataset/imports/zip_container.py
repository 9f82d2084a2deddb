"""ZIP archives (PKWARE APPNOTE 6.3.10), of whose entries only what is needed to read them is kept."""

import io
import stat
import struct
import zipfile
import zlib
from typing import IO, NoReturn, cast

import numpy as np

from annotateforge.dataset.images import clean_filename
from annotateforge.dataset.imports.containers import (
    BLOCK_BYTES,
    DECODER_ERRORS,
    Container,
    MemberNames,
    Section,
    UnpackBudget,
    damaged_archive,
    link_in_archive,
)
from annotateforge.dataset.imports.members import Member, Members
from annotateforge.dataset.imports.zip_directory import ZipEntry, decoded_name, zip_entries
from annotateforge.runtime.errors import InvalidArgument

_LOCAL = struct.Struct("<4s2B4HL2L2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED, _PATCHED, _STRONGLY_ENCRYPTED = 1, 1 << 5, 1 << 6
_READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_SMALL = 1 << 20
"""Bytes up to which a packed file is unpacked at once, which takes a fraction of the time."""
_ENTRY = np.dtype(
    [
        ("offset", "u8"),
        ("packed_size", "u8"),
        ("size", "u8"),
        ("crc32", "u4"),
        ("method", "u2"),
        ("flags", "u2"),
    ]
)
_GROWN_BY = 4096
_MOST_BYTES = 1 << 62
"""No file has as many."""


class ZipContainer(Container):
    """A ZIP archive."""

    def __init__(self, file: IO[bytes], budget: UnpackBudget) -> None:
        super().__init__(budget)
        self._file = file
        self.members = Members()
        names = MemberNames()
        found: list[tuple[int, ...]] = []
        parts = []
        total = 0
        for number, entry in enumerate(zip_entries(file, budget)):
            if max(entry.offset, entry.packed_size) >= _MOST_BYTES:
                raise damaged_archive()
            found.append(
                (entry.offset, entry.packed_size, entry.size, entry.crc32, entry.method, entry.flags)
            )
            if len(found) == _GROWN_BY:
                parts.append(np.array(found, _ENTRY))
                found = []
            if entry.name.replace("\\", "/").strip("/.") == "":
                continue
            name = names.check(entry.name)
            _check_entry(entry, name)
            if not entry.is_folder:
                self.members.append(name, entry.size, number)
                total += entry.size
        budget.allow(total)
        self._entries = np.concatenate([*parts, np.array(found, _ENTRY)])
        self._check_overlaps()

    def read(self, member: Member, most_bytes: int) -> bytes | None:
        _, packed_size, size, crc32, method, _ = self._entries[member.key].item()
        is_stored = method == zipfile.ZIP_STORED and packed_size == size
        is_small = method == zipfile.ZIP_DEFLATED and max(size, packed_size) <= _SMALL
        # What is stored is read at once at any size: it takes no more than the archive itself has.
        if size > most_bytes or not (is_stored or is_small):
            return super().read(member, most_bytes)
        try:
            self._file.seek(self._find_data(member))
            content = self._file.read(packed_size)
            if not is_stored:
                content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size + 1)
            self._budget.spend(len(content))
            if len(content) != size or zlib.crc32(content) != crc32:
                raise zipfile.BadZipFile("these are not the bytes that were packed")
        except DECODER_ERRORS as error:
            raise damaged_archive(member.name) from error
        return content

    def _open(self, member: Member) -> IO[bytes]:
        _, packed_size, size, crc32, method, flags = self._entries[member.key].item()
        data = Section(self._file, self._find_data(member), packed_size)
        # What it reads of an entry; the rest has been checked.
        entry = zipfile.ZipInfo(member.name)
        entry.compress_size, entry.file_size = packed_size, size
        entry.CRC, entry.compress_type, entry.flag_bits = crc32, method, flags
        packed = io.BufferedReader(data, BLOCK_BYTES)
        return cast(IO[bytes], zipfile.ZipExtFile(packed, "r", entry, None, True))

    def _find_data(self, member: Member) -> int:
        """Where the bytes of a member begin, after its local header, which has to say the same. Raises
        DECODER_ERRORS.
        """
        offset, *_, flags = self._entries[member.key].item()
        if flags & (_PATCHED | _STRONGLY_ENCRYPTED):
            raise NotImplementedError("patched or strongly encrypted")
        self._file.seek(offset)
        header = self._file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or header[:4] != _LOCAL_SIGNATURE:
            raise zipfile.BadZipFile("no local header")
        fields = _LOCAL.unpack(header)
        name_length, extra_length = fields[10:]
        name = self._file.read(name_length)
        if name != member.name.encode() and clean_filename(decoded_name(name, fields[3])) != member.name:
            raise zipfile.BadZipFile("the local header has another name")
        begin: int = offset + _LOCAL.size + name_length + extra_length
        return begin

    def _check_overlaps(self) -> None:
        """Refuse entries that share bytes: that is how a small archive unpacks to a huge one (D. Fifield,
        USENIX WOOT 2019).
        """
        order = np.argsort(self._entries["offset"], kind="stable")
        begin = self._entries["offset"][order]
        packed_size = self._entries["packed_size"][order]
        end = begin + np.uint64(_LOCAL.size) + packed_size
        shared = np.flatnonzero(end[:-1] > begin[1:])
        if len(shared):
            self._refuse_overlap(int(order[shared[0] + 1]))

    def _refuse_overlap(self, number: int) -> NoReturn:
        name = next(
            entry.name for at, entry in enumerate(zip_entries(self._file, self._budget)) if at == number
        )
        raise InvalidArgument(
            "ARCHIVE_ENTRIES_OVERLAP",
            f"The archive was refused: {name!r} shares bytes with another entry. Pack the folder again.",
            metadata={"file": name},
        )


def _check_entry(entry: ZipEntry, name: str) -> None:
    if entry.flags & _ENCRYPTED:
        raise InvalidArgument(
            "ARCHIVE_ENCRYPTED",
            f"The archive was refused: {name!r} is encrypted. Pack it again without a password.",
            metadata={"file": name},
        )
    mode = entry.mode >> 16
    # Only the file-type bits of Unix packers say anything; others leave them zero.
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise link_in_archive(name, "symbolic link" if stat.S_ISLNK(mode) else "device or other special file")
    if entry.method not in _READABLE:
        raise InvalidArgument(
            "ARCHIVE_COMPRESSION_UNSUPPORTED",
            f"The archive was refused: {name!r} is packed with the method {entry.method}."
            " Pack it again with the usual one (deflate), or stored.",
            metadata={"file": name},
        )
