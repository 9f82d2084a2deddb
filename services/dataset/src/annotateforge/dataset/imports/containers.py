"""Containers: the archives that imports read, behind one interface, whoever packed them.

Nothing that an archive says about itself is believed: members are counted and their paths checked before any
work, and what is unpacked is counted while it is read.
"""

import io
import lzma
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from annotateforge.dataset.images import clean_filename
from annotateforge.dataset.imports.members import Member, Members
from annotateforge.runtime.errors import InvalidArgument, ResourceExhausted

BLOCK_BYTES = 1 << 18
DECODER_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
)
"""What the standard library raises over bytes that are not what they should be."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may be, whatever it says about itself."""

    members: int
    """Most files and folders."""
    unpacked_bytes: int
    """Most bytes that are unpacked from it."""
    ratio: int
    """Most unpacked bytes per byte of the archive."""
    free_bytes: int = 64 << 20
    """Unpacked bytes up to which the ratio does not matter: small text packs very well."""


class UnpackBudget:
    """Counts what has been unpacked of one archive; ResourceExhausted ARCHIVE_BOMB when it is more than the
    limits allow.
    """

    def __init__(self, limits: ArchiveLimits, archive_bytes: int) -> None:
        self.limits = limits
        self.archive_bytes = archive_bytes
        self._most = min(limits.unpacked_bytes, max(limits.free_bytes, limits.ratio * archive_bytes))
        self._spent = 0

    def spend(self, count: int) -> None:
        """Take note of bytes that were unpacked."""
        self._spent += count
        self.allow(self._spent)

    def allow(self, total: int) -> None:
        """Check that an archive may unpack to `total` bytes."""
        if total > self._most:
            raise ResourceExhausted(
                "ARCHIVE_BOMB",
                f"The archive of {self.archive_bytes:,} bytes unpacks to more than the {self._most:,} bytes"
                " that are allowed"
                " and was refused. Split it into several archives, and leave out what is not an image or a"
                " label.",
            )

    def count_members(self, count: int) -> None:
        """Check that an archive may have `count` files and folders. ResourceExhausted
        ARCHIVE_TOO_MANY_FILES.
        """
        if count > self.limits.members:
            raise ResourceExhausted(
                "ARCHIVE_TOO_MANY_FILES",
                f"The archive has more than the {self.limits.members:,} files and folders that are allowed."
                " Split it into several archives.",
            )


class Container(ABC):
    """An opened archive. Blocking, and for one thread at a time: call it in a worker thread."""

    members: Members
    """Its regular files in the order in which the archive lists them."""

    def __init__(self, budget: UnpackBudget) -> None:
        self._budget = budget

    @abstractmethod
    def _open(self, member: Member) -> IO[bytes]:
        """The bytes of a member, not counted."""

    def blocks(self, member: Member) -> Iterator[bytes]:
        """The bytes of a member in blocks, counted while they are read.

        InvalidArgument ARCHIVE_DAMAGED when they are not those that were packed, ResourceExhausted
        ARCHIVE_BOMB when they are too many.
        """
        try:
            with self._open(member) as file:
                while block := file.read(BLOCK_BYTES):
                    self._budget.spend(len(block))
                    yield block
        except DECODER_ERRORS as error:
            raise damaged_archive(member.name) from error

    def read(self, member: Member, most_bytes: int) -> bytes | None:
        """All bytes of a member, or None when there are more than `most_bytes`. Raises as `blocks` does."""
        if member.size > most_bytes:
            return None
        content = bytearray()
        for block in self.blocks(member):
            content += block
            if len(content) > most_bytes:
                return None
        return bytes(content)


class Section(io.RawIOBase):
    """A range of an archive, read from its own position. EOFError when the archive ends within it."""

    def __init__(self, file: IO[bytes], offset: int, size: int) -> None:
        self._file = file
        self._at = offset
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._at)
        content = self._file.read(min(len(buffer), self._left))
        if not content and self._left:
            raise EOFError("the archive ends within a file")
        buffer[: len(content)] = content
        self._at += len(content)
        self._left -= len(content)
        return len(content)


class MemberNames:
    """The paths of an archive's members, each checked as it comes."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def check(self, name: str) -> str:
        """The path in the form in which it is kept. InvalidArgument ARCHIVE_PATH_UNSAFE or
        ARCHIVE_NAME_REPEATED.
        """
        try:
            cleaned = clean_filename(name)
        except ValueError as error:
            shown = name[:200].encode("ascii", "backslashreplace").decode()
            raise InvalidArgument(
                "ARCHIVE_PATH_UNSAFE",
                f"The archive was refused: the path {shown!r} {error}. Pack the folder again with relative"
                " paths.",
                metadata={"file": shown},
            ) from error
        if cleaned in self._seen:
            raise InvalidArgument(
                "ARCHIVE_NAME_REPEATED",
                f"The archive was refused: it holds {cleaned!r} more than once. Pack the folder again into"
                " a new archive.",
                metadata={"file": cleaned},
            )
        self._seen.add(cleaned)
        return cleaned


def damaged_archive(name: str = "") -> InvalidArgument:
    """The archive, or one of its members, is not what was packed."""
    where = f" at {name!r}" if name else ""
    return InvalidArgument(
        "ARCHIVE_DAMAGED",
        f"The archive is cut short or damaged{where}. Check it on your side (unzip -t, tar -tf) and send it"
        " again.",
        metadata={"file": name} if name else None,
    )


def link_in_archive(name: str, kind: str) -> InvalidArgument:
    """A member is something else than a file or a folder."""
    return InvalidArgument(
        "ARCHIVE_ENTRY_FORBIDDEN",
        f"The archive was refused: {name!r} is a {kind}, and only files and folders are taken."
        " Pack it again with links replaced by the files they point to (tar --dereference"
        " --hard-dereference, or zip without -y).",
        metadata={"file": name},
    )
