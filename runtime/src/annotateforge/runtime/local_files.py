"""Files of a local blob store as its threads handle them. A lock keeps a descriptor from being closed, and
its number from being given to another file, while a thread whose caller has gone away still uses it.
"""

import contextlib
import errno
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from annotateforge.runtime.blobs import not_found
from annotateforge.runtime.errors import ResourceExhausted, Unavailable

_SMALL = 64 * 1024


class BlobWriter:
    """A new file under a temporary name, gone when it is closed without having been renamed."""

    def __init__(self, temporary: Path) -> None:
        self._temporary = temporary
        self._lock = threading.Lock()
        self._renamed = False
        self._descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append bytes."""
        with self._lock:
            for chunk in chunks:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[os.write(self._open(), rest) :]

    def rename(self, target: Path) -> None:
        """Give the file its name once its bytes have reached the disk; the name itself does with
        `sync_folder`.
        """
        with self._lock:
            os.fsync(self._open())
            try:
                os.rename(self._temporary, target)
            except FileNotFoundError:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.rename(self._temporary, target)
                sync_folder(target.parent.parent)
            self._renamed = True

    def close(self) -> None:
        """Close the file, and remove it unless it has been renamed."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
            if descriptor >= 0:
                os.close(descriptor)
                if not self._renamed:
                    self._temporary.unlink(missing_ok=True)

    def _open(self) -> int:
        if self._descriptor < 0:
            raise OSError(errno.EBADF, "the file is closed")
        return self._descriptor


class BlobReader:
    """An open blob."""

    def __init__(self, path: Path) -> None:
        """FileNotFoundError when there is none."""
        self._lock = threading.Lock()
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._descriptor).st_size

    def read(self, start: int, stop: int, chunk_size: int) -> list[bytes]:
        """The bytes from `start` to before `stop`, which lie within the blob, in chunks."""
        found = []
        with self._lock:
            while start < stop:
                if self._descriptor < 0:
                    raise OSError(errno.EBADF, "the file is closed")
                chunk = os.pread(self._descriptor, min(chunk_size, stop - start), start)
                if not chunk:
                    raise OSError(errno.EIO, "a blob is shorter than it was")
                found.append(chunk)
                start += len(chunk)
        return found

    def close(self) -> None:
        """Close the file once nobody reads from it any more."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
            if descriptor >= 0:
                os.close(descriptor)


def read_file(path: Path, offset: int, length: int | None) -> bytes:
    """The bytes of a file, or `length` of them from `offset`, fewer where it ends before."""
    with contextlib.closing(BlobReader(path)) as reader:
        end = reader.size if length is None else min(reader.size, offset + length)
        chunks = reader.read(offset, end, max(end - offset, 1))
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def read_whole(path: str) -> bytes:
    """The bytes of a file in as few steps as there can be: of many small ones, the steps around reading take
    most of the time.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Most images are smaller; asking for the size first would be a step more for each of them.
        data = os.read(descriptor, _SMALL)
        if len(data) < _SMALL:
            return data
        # Once more from the beginning, which costs less than putting two parts together.
        size = os.fstat(descriptor).st_size
        data = os.pread(descriptor, size, 0)
        os.lseek(descriptor, len(data), os.SEEK_SET)
        # One read takes at most 2 GiB.
        while len(data) < size and (more := os.read(descriptor, size - len(data))):
            data += more
        return data
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder have reached the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def store_errors(sha256: str | None = None) -> Iterator[None]:
    """The operating system's errors as domain errors; a missing file is the missing blob `sha256` where that
    is given.
    """
    try:
        yield
    except FileNotFoundError as error:
        if sha256 is None:
            raise
        raise not_found(sha256) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ResourceExhausted(
                "STORE_FULL", "The disk of the blob store is full. Make room on it."
            ) from error
        raise Unavailable("STORE_UNAVAILABLE", "The blob store does not answer. Try again soon.") from error
