"""Unpacks a ZIP archive of stored entries while it streams in, checking every file's size and CRC-32.

The format is the part of PKWARE APPNOTE 6.3.10 that the dataset service writes: entries stored, sizes and
CRC-32 in the local headers (ZIP64 where needed), names in UTF-8, folders ending with a slash.
"""

import struct
import zlib
from io import BufferedWriter
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Self

from annotateforge.trainer.worker.failures import ContentDamaged

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_ENTRY, _DIRECTORY = b"PK\3\4", b"PK\1\2"
_EMPTY_END = (b"PK\5\6", b"PK\6\6")
_ENCRYPTED, _DESCRIPTOR = 1, 1 << 3
_STORED = 0
_MOST_32 = 0xFFFFFFFF
_ZIP64 = 1


class PackedFile(NamedTuple):
    """A file of the archive."""

    name: str
    """Path inside the archive."""
    size: int
    crc32: int


class Unpacker:
    """Takes an archive's bytes in pieces of any size and writes its files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: set[Path] = set()
        self._head = bytearray()
        self._file: PackedFile | None = None
        self._out: BufferedWriter | None = None
        self._left = 0
        self._crc32 = 0
        self._in_directory = False
        self.files: list[PackedFile] = []
        """What has been written, in the order of the archive."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._out is not None:
            self._out.close()

    def feed(self, data: bytes) -> None:
        """Take the next bytes. ContentDamaged when they are no such archive; OSError when writing fails."""
        rest = memoryview(data)
        while rest and not self._in_directory:
            rest = self._fill_file(rest) if self._file is not None else self._fill_head(rest)

    def finish(self) -> None:
        """Say that all bytes have come. ContentDamaged when files are still missing."""
        if self._file is not None or not self._in_directory:
            raise ContentDamaged("the archive ends in the middle of a file")

    def _fill_head(self, data: memoryview) -> memoryview:
        wanted = self._head_size()
        taken = data[: wanted - len(self._head)]
        self._head += taken
        if len(self._head) >= 4:
            signature = bytes(self._head[:4])
            if signature == _DIRECTORY or signature in _EMPTY_END:
                self._in_directory = True
                return data[len(data) :]
            if signature != _ENTRY:
                raise ContentDamaged("the archive has no file where one should begin")
        if len(self._head) == self._head_size():
            file = _read_head(bytes(self._head))
            self._head.clear()
            self._begin(file)
        return data[len(taken) :]

    def _head_size(self) -> int:
        if len(self._head) < _LOCAL.size:
            return _LOCAL.size
        *_, name_length, extra_length = _LOCAL.unpack_from(self._head)
        return _LOCAL.size + int(name_length) + int(extra_length)

    def _begin(self, file: PackedFile) -> None:
        path = self._folder / _safe(file.name)
        folder = path if file.name.endswith("/") else path.parent
        if folder not in self._made:
            folder.mkdir(parents=True, exist_ok=True)
            self._made.add(folder)
        if file.name.endswith("/"):
            return
        self._file, self._left, self._crc32 = file, file.size, 0
        self._out = path.open("xb")
        if not self._left:
            self._end()

    def _fill_file(self, data: memoryview) -> memoryview:
        assert self._out is not None
        taken = data[: self._left]
        self._out.write(taken)
        self._crc32 = zlib.crc32(taken, self._crc32)
        self._left -= len(taken)
        if not self._left:
            self._end()
        return data[len(taken) :]

    def _end(self) -> None:
        assert self._file is not None
        assert self._out is not None
        self._out.close()
        if self._crc32 != self._file.crc32:
            raise ContentDamaged(f"the bytes of {self._file.name} do not have its CRC-32")
        self.files.append(self._file)
        self._file = self._out = None


def _read_head(head: bytes) -> PackedFile:
    _, _, flags, method, _, _, crc32, size, full_size, name_length, _ = _LOCAL.unpack_from(head)
    name_bytes, extra = head[_LOCAL.size :][:name_length], head[_LOCAL.size + name_length :]
    try:
        name = name_bytes.decode()
    except UnicodeDecodeError as error:
        raise ContentDamaged("the archive has a file whose name is not UTF-8") from error
    if flags & (_ENCRYPTED | _DESCRIPTOR) or method != _STORED:
        raise ContentDamaged(f"{name} is not stored plainly in the archive")
    if size == _MOST_32:
        size = full_size = _zip64_size(name, extra)
    if size != full_size:
        raise ContentDamaged(f"{name} has two sizes in the archive")
    return PackedFile(name, size, crc32)


def _zip64_size(name: str, extra: bytes) -> int:
    """The size in the ZIP64 field, which holds the full and the stored one; section 4.5.3."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == _ZIP64 and length >= 16 and len(extra) >= 20:
            full_size, size = struct.unpack_from("<QQ", extra, 4)
            if full_size == size:
                return int(size)
        extra = extra[4 + length :]
    raise ContentDamaged(f"{name} has no size in the archive")


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\\" in name or "\0" in name:
        raise ContentDamaged(f"the archive has a file of the name {name!r}")
    return path
