"""ZIP archives (PKWARE APPNOTE 6.3.10), read with zipfile after its directory has been checked."""

import stat
import struct
import zipfile
from collections.abc import Iterable
from typing import IO

from annotateforge.dataset.imports.containers import (
    DECODER_ERRORS,
    Container,
    Member,
    MemberNames,
    UnpackBudget,
    damaged_archive,
    link_in_archive,
)
from annotateforge.runtime.errors import InvalidArgument

_END_SIGNATURE = b"PK\x05\x06"
_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY_SIGNATURE = b"PK\x01\x02"
_ENTRY_BYTES = 46
_LOCAL_HEADER_BYTES = 30
_LONGEST_COMMENT = 65_535
_READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_BYTES_PER_ENTRY = 1024
"""A directory with more bytes an entry than this on the whole is made to fill memory."""


class ZipContainer(Container):
    """A ZIP archive."""

    def __init__(self, file: IO[bytes], budget: UnpackBudget) -> None:
        super().__init__(budget)
        _count_entries(file, budget)
        try:
            self._zip = zipfile.ZipFile(file)
        except (*DECODER_ERRORS, struct.error) as error:
            raise damaged_archive() from error
        self._entries = self._zip.infolist()
        names = MemberNames()
        self.members = []
        for key, entry in enumerate(self._entries):
            name = _decoded_name(entry)
            if name.replace("\\", "/").strip("/.") == "":
                continue
            name = names.check(name)
            _check_entry(entry, name)
            if not entry.is_dir() and not entry.filename.endswith("\\"):
                self.members.append(Member(name, entry.file_size, key))
        budget.allow(sum(member.size for member in self.members))
        _check_overlaps(self._entries)

    def _open(self, member: Member) -> IO[bytes]:
        return self._zip.open(self._entries[member.key])


def _count_entries(file: IO[bytes], budget: UnpackBudget) -> None:
    """Count the directory's entries before zipfile makes an object of each, whatever number the archive
    states.
    """
    directory_bytes = _directory_bytes(file)
    if directory_bytes > budget.limits.members * _BYTES_PER_ENTRY:
        budget.count_members(budget.limits.members + 1)
    # zipfile takes the directory to end where the end record begins, which allows for bytes before the
    # archive.
    remaining = directory_bytes
    count = 0
    while remaining >= _ENTRY_BYTES:
        header = file.read(_ENTRY_BYTES)
        if len(header) < _ENTRY_BYTES or header[:4] != _ENTRY_SIGNATURE:
            raise damaged_archive()
        variable = sum(struct.unpack_from("<3H", header, 28))
        file.seek(variable, 1)
        remaining -= _ENTRY_BYTES + variable
        count += 1
        budget.count_members(count)


def _directory_bytes(file: IO[bytes]) -> int:
    """Size of the central directory; the file is left at its first byte."""
    size = file.seek(0, 2)
    tail_at = max(0, size - _END.size - _LONGEST_COMMENT)
    file.seek(tail_at)
    tail = file.read()
    end = tail.rfind(_END_SIGNATURE)
    if end < 0 or len(tail) - end < _END.size:
        raise damaged_archive()
    end_at = tail_at + end
    directory_bytes: int = _END.unpack_from(tail, end)[5]
    if end_at >= _END64_LOCATOR.size + _END64.size:
        file.seek(end_at - _END64_LOCATOR.size)
        if file.read(4) == b"PK\x06\x07":
            end_at -= _END64_LOCATOR.size + _END64.size
            file.seek(end_at)
            record = file.read(_END64.size)
            if record[:4] != b"PK\x06\x06":
                raise damaged_archive()
            directory_bytes = _END64.unpack(record)[8]
    if directory_bytes > end_at:
        raise damaged_archive()
    file.seek(end_at - directory_bytes)
    return directory_bytes


def _decoded_name(entry: zipfile.ZipInfo) -> str:
    """The name of an entry. Many packers write UTF-8 without saying so; zipfile then takes it for code page
    437.
    """
    if entry.flag_bits & 0x800:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return entry.filename


def _check_entry(entry: zipfile.ZipInfo, name: str) -> None:
    if entry.flag_bits & 0x1:
        raise InvalidArgument(
            "ARCHIVE_ENCRYPTED",
            f"The archive was refused: {name!r} is encrypted. Pack it again without a password.",
            metadata={"file": name},
        )
    mode = entry.external_attr >> 16
    # Only the file-type bits of Unix packers say anything; others leave them zero.
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise link_in_archive(name, "symbolic link" if stat.S_ISLNK(mode) else "device or other special file")
    if entry.compress_type not in _READABLE:
        raise InvalidArgument(
            "ARCHIVE_COMPRESSION_UNSUPPORTED",
            f"The archive was refused: {name!r} is packed with the method {entry.compress_type}."
            " Pack it again with the usual one (deflate), or stored.",
            metadata={"file": name},
        )


def _check_overlaps(entries: Iterable[zipfile.ZipInfo]) -> None:
    """Refuse entries that share bytes: that is how a small archive unpacks to a huge one (D. Fifield, USENIX
    WOOT 2019).
    """
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise InvalidArgument(
                "ARCHIVE_ENTRIES_OVERLAP",
                f"The archive was refused: {entry.filename!r} shares bytes with another entry. Pack the"
                " folder again.",
                metadata={"file": entry.filename},
            )
        end = entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size
