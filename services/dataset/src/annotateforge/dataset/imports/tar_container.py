"""tar archives, plain or packed with gzip, read through an index of where each file's bytes lie."""

import gzip
import io
import tarfile
from collections.abc import Callable
from typing import IO, Any

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

_LONGEST_EXTENSION = 1 << 20
"""Bytes of an extended header, which tarfile reads into memory as a whole, and of all global ones, which it
keeps.
"""
_MOST_EXTENSIONS = 16
"""Extended headers of one member, each of which tarfile reads inside the one before."""
_EXTENSIONS = frozenset(
    (
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    )
)


class TarContainer(Container):
    """A tar archive (POSIX.1-2001 and GNU)."""

    def __init__(self, file: IO[bytes], budget: UnpackBudget) -> None:
        super().__init__(budget)
        self._file = file
        self.members = Members()
        names = MemberNames()
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        try:
            with _Archive.open(fileobj=file, mode="r:", tarinfo=_Entry, errors="surrogateescape") as archive:
                count = 0
                while (entry := archive.next()) is not None:
                    # tarfile keeps what it has seen, which nobody needs here.
                    archive.members = []  # type: ignore[attr-defined]  # its own idiom for reading without end
                    archive.extensions = 0
                    count += 1
                    budget.count_members(count)
                    if entry.size < 0 or entry.offset_data + (entry.size if entry.isreg() else 0) > size:
                        raise damaged_archive(entry.name)
                    self._add(entry, names)
                file.seek(archive.offset)
                # tarfile takes a damaged or missing header for the end; only a block of zeros is one.
                if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                    raise damaged_archive()
        except DECODER_ERRORS as error:
            raise damaged_archive() from error

    def _add(self, entry: tarfile.TarInfo, names: MemberNames) -> None:
        name = _decoded_name(entry.name)
        if name.strip("/.") == "" and entry.isdir():
            return
        name = names.check(name)
        if entry.isdir():
            return
        if not entry.isreg() or entry.issparse():
            raise link_in_archive(name, _kind(entry))
        self.members.append(name, entry.size, entry.offset_data)

    def _open(self, member: Member) -> IO[bytes]:
        return io.BufferedReader(Section(self._file, member.key, member.size), BLOCK_BYTES)


def unpack_gzip(
    file: IO[bytes], target: IO[bytes], budget: UnpackBudget, reserve: Callable[[int], None]
) -> None:
    """Unpack a gzip file into `target`, counted against the budget; `reserve` is told of bytes before they
    are written.

    InvalidArgument ARCHIVE_DAMAGED, ResourceExhausted ARCHIVE_BOMB, and what `reserve` raises.
    """
    file.seek(0)
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as packed:
            while block := packed.read(BLOCK_BYTES):
                budget.allow(target.tell() + len(block))
                reserve(len(block))
                target.write(block)
    except DECODER_ERRORS as error:
        raise damaged_archive() from error


class _Archive(tarfile.TarFile):
    """An archive that counts its extended headers."""

    extensions = 0
    """How many came since the last member."""
    global_bytes = 0
    """Bytes of those that hold for the whole archive."""


class _Entry(tarfile.TarInfo):
    """A header; extensions that would make tarfile fill the memory or the stack are refused."""

    def _proc_member(self, archive: Any) -> Any:
        if self.type in _EXTENSIONS:
            archive.extensions += 1
            if self.type == tarfile.XGLTYPE:
                archive.global_bytes += self.size
            if (
                not 0 <= self.size <= _LONGEST_EXTENSION
                or archive.extensions > _MOST_EXTENSIONS
                or archive.global_bytes > _LONGEST_EXTENSION
            ):
                raise tarfile.ReadError("extended headers of unreasonable size or number")
        return super()._proc_member(archive)  # type: ignore[misc]  # the hook that tarfile documents for subclasses


def _decoded_name(name: str) -> str:
    """A name whose bytes are no UTF-8 is taken for Latin-1."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape").decode("latin-1")
    return name


def _kind(entry: tarfile.TarInfo) -> str:
    if entry.issym():
        return "symbolic link"
    if entry.islnk():
        return "hard link"
    if entry.issparse():
        return "sparse file"
    return "device or other special file"
