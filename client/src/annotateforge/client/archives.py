"""What `import` sends: an archive as it is, or a folder packed on the way, without a copy on the disk."""

import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from annotateforge.client.errors import ClientError

_CHUNK = 512 * 1024
_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True)
class Archive:
    """An archive to be sent once."""

    size: int
    """Bytes in all."""
    chunks: Iterator[bytes]
    """The bytes in order, half a MiB at most at a time. ClientError when a file cannot be read."""
    left_out: list[str] = field(default_factory=list)
    """What of a folder is neither file nor folder, such as a link to nothing."""


@contextmanager
def archive_of(source: Path) -> Iterator[Archive]:
    """Open an archive file, or list a folder's files to be packed as a tar.

    Links are followed, each folder once. Names that begin with a dot are left out: they belong to tools, not
    to the data. ClientError when it cannot be read, or a folder holds no file.
    """
    with _readable(source):
        folder = _packed(source) if source.is_dir() else None
        file = None if folder else source.open("rb")
    if folder is not None:
        yield folder
    elif file is not None:
        with file:
            yield Archive(os.fstat(file.fileno()).st_size, _read(file, source))


def _packed(folder: Path) -> Archive:
    left_out: list[str] = []
    entries = [(path, _header(path, folder)) for path in _files(folder, left_out)]
    if not entries:
        raise ClientError(f"{folder} holds no files, so there is nothing to import.")
    size = sum(len(header) + _padded(count) for _, (header, count) in entries) + 2 * _BLOCK
    return Archive(size, _tar([(path, header, count) for path, (header, count) in entries]), left_out)


def _files(folder: Path, left_out: list[str]) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    for directory, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
        found = os.stat(directory)
        if (found.st_dev, found.st_ino) in seen:
            folders.clear()
            continue
        seen.add((found.st_dev, found.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(directory, name)
            if name.startswith("."):
                continue
            if path.is_file():
                yield path
            else:
                left_out.append(str(path.relative_to(folder)))


def _raise(error: OSError) -> None:
    raise error


def _header(path: Path, folder: Path) -> tuple[bytes, int]:
    """The tar header of a file, and the file's size. What is the machine's own (owner, times) is left out."""
    name = os.fsencode(path.relative_to(folder).as_posix()).decode(errors="replace")
    entry = tarfile.TarInfo(name)
    entry.size = path.stat().st_size
    return entry.tobuf(tarfile.PAX_FORMAT, "utf-8"), entry.size


def _tar(entries: list[tuple[Path, bytes, int]]) -> Iterator[bytes]:
    for path, header, size in entries:
        yield header
        sent = 0
        with _readable(path), path.open("rb") as file:
            for chunk in _read(file, path):
                yield chunk
                sent += len(chunk)
        if sent != size:
            raise ClientError(f"{path} changed while it was sent; nothing was imported. Try again.")
        yield bytes(_padded(size) - size)
    yield bytes(2 * _BLOCK)


def _read(file: IO[bytes], path: Path) -> Iterator[bytes]:
    with _readable(path):
        while chunk := file.read(_CHUNK):
            yield chunk


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ClientError(f"{error.filename or path} cannot be read: {error.strerror or error}.") from error


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
