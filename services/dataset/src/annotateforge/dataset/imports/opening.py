"""Opening: tells by its first bytes what kind of archive a file is, whatever it is called."""

import shutil
import tarfile
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from annotateforge.dataset.imports.containers import ArchiveLimits, Container, UnpackBudget
from annotateforge.dataset.imports.tar_container import TarContainer, unpack_gzip
from annotateforge.dataset.imports.zip_container import ZipContainer
from annotateforge.runtime.errors import InvalidArgument, ResourceExhausted

_HEAD_BYTES = 512
_OTHERS = (
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!", "RAR"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"MSCF", "CAB"),
)


class Spool:
    """A folder for what an import keeps on the disk. Its files have no name, so nothing is left when the
    process dies.
    """

    _CHECK_EVERY = 64 << 20

    def __init__(self, folder: Path, keep_free_bytes: int) -> None:
        self._folder = folder
        self._keep_free_bytes = keep_free_bytes
        self._unchecked = self._CHECK_EVERY

    def file(self) -> IO[bytes]:
        """A new file for writing and reading; close it to be rid of it."""
        return tempfile.TemporaryFile(dir=self._folder)

    def reserve(self, count: int) -> None:
        """Check, before `count` bytes are written, that the disk keeps its reserve. ResourceExhausted
        SPOOL_FULL.
        """
        self._unchecked += count
        if self._unchecked < self._CHECK_EVERY:
            return
        if shutil.disk_usage(self._folder).free < self._keep_free_bytes + self._CHECK_EVERY:
            raise ResourceExhausted(
                "SPOOL_FULL",
                "The server has no room left for an archive of this size. Free space on it, or split the"
                " archive.",
            )
        self._unchecked = 0


def open_container(file: IO[bytes], limits: ArchiveLimits, spool: Spool, opened: ExitStack) -> Container:
    """Open an archive: zip, tar, or tar packed with gzip. Blocking. What it needs is closed with `opened`.

    Raises InvalidArgument ARCHIVE_EMPTY, NOT_AN_ARCHIVE, ARCHIVE_FORMAT_UNSUPPORTED, ARCHIVE_DAMAGED and what
    the checks of its members raise; ResourceExhausted ARCHIVE_BOMB, ARCHIVE_TOO_MANY_FILES, SPOOL_FULL.
    """
    file.seek(0, 2)
    size = file.tell()
    if size == 0:
        raise InvalidArgument(
            "ARCHIVE_EMPTY", "The archive has no bytes. Send a zip, tar or tar.gz archive as the body."
        )
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    budget = UnpackBudget(limits, size)
    if head.startswith(b"\x1f\x8b"):
        unpacked = opened.enter_context(spool.file())
        unpack_gzip(file, unpacked, budget, spool.reserve)
        unpacked_size = unpacked.seek(0, 2)
        unpacked.seek(0)
        if not _is_tar(unpacked.read(_HEAD_BYTES), unpacked_size):
            raise _not_an_archive("It is packed with gzip, but there is no tar archive inside.")
        return TarContainer(unpacked, budget)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return ZipContainer(file, budget)
    if _is_tar(head, size):
        return TarContainer(file, budget)
    for magic, name in _OTHERS:
        if head.startswith(magic):
            raise InvalidArgument(
                "ARCHIVE_FORMAT_UNSUPPORTED",
                f"The archive is a {name} archive. Pack it as zip, tar or tar.gz.",
            )
    raise _not_an_archive("Its bytes are those of none.")


def _is_tar(head: bytes, size: int) -> bool:
    """Whether a file of `size` bytes begins with the header of a tar member: its checksum says so, also where
    the old format has no magic; or is the one record of zeros that tar makes of nothing. More zeros are what
    is left of a file whose bytes were lost.
    """
    if head == bytes(_HEAD_BYTES):
        return size <= tarfile.RECORDSIZE
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def _not_an_archive(why: str) -> InvalidArgument:
    return InvalidArgument(
        "NOT_AN_ARCHIVE", f"What was sent is no archive. {why} Send a zip, tar or tar.gz archive."
    )
