"""Blobs on the worker's disk, each once under its SHA-256.

Nothing is under such a name before all its bytes have been written and were right, however a process dies.
Bytes are not forced to the disk for that: what a machine that crashed may have lost is noticed because a
blob is hashed again before it is linked into a folder for the first time since the machine started.
"""

import contextlib
import errno
import hashlib
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from annotateforge.trainer.worker.failures import ContentDamaged

SEALED = 315_532_800 * 10**9
"""Time of change of all that was written here whole, in ns: 1980-01-01. Whoever writes into such a file,
which nobody should, breaks the seal."""
_READ_ONLY = 0o444
_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS)
_BLOCK = 1 << 20


class BlobCache:
    """A folder of blobs."""

    def __init__(self, folder: Path, incoming: Path) -> None:
        """`incoming` is a folder of the same file system for files that are being written."""
        # Texts: with many small files, what is done around a system call would take most of the time.
        self._folder = str(folder)
        self._incoming = str(incoming)
        self._made: set[str] = set()

    def path(self, sha256: str) -> str:
        """Where a blob is, or would be."""
        return f"{self._folder}/{sha256[:2]}/{sha256}"

    def write(self, blobs: Iterable[tuple[str, bytes]]) -> None:
        """Keep blobs. ContentDamaged when the bytes are not those of the digest."""
        for sha256, content in blobs:
            if hashlib.sha256(content).hexdigest() != sha256:
                raise ContentDamaged(f"the bytes of the blob {sha256} do not have that digest")
            target, incoming = self.path(sha256), f"{self._incoming}/{sha256}"
            parent = target[: -len(sha256)]
            if parent not in self._made:
                os.makedirs(parent, exist_ok=True)
                self._made.add(parent)
            try:
                self._put(incoming, target, content)
            except FileNotFoundError:
                # Somebody has emptied the cache while it is in use.
                os.makedirs(self._incoming, exist_ok=True)
                os.makedirs(parent, exist_ok=True)
                self._put(incoming, target, content)

    def _put(self, incoming: str, target: str, content: bytes) -> None:
        try:
            write_sealed(incoming, content)
            os.rename(incoming, target)
        except BaseException:
            _discard(incoming)
            raise

    def read(self, sha256: str) -> bytes | None:
        """A blob's bytes; None when it is not there or not as it was."""
        try:
            with open(self.path(sha256), "rb", buffering=0) as file:
                content = file.readall()
        except FileNotFoundError:
            return None
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def lacking(self, blobs: Mapping[str, int]) -> dict[str, int]:
        """Those of some blobs, given with their sizes, that are not there; damaged ones are removed."""
        there = self._names()
        lacking = {}
        for sha256, size in blobs.items():
            if sha256 not in there:
                lacking[sha256] = size
            elif not self._is_sound(sha256, size):
                self.remove([sha256])
                lacking[sha256] = size
        return lacking

    def _is_sound(self, sha256: str, size: int) -> bool:
        try:
            with open(self.path(sha256), "rb", buffering=0) as file:
                found = os.fstat(file.fileno())
                if found.st_size != size or found.st_mtime_ns != SEALED:
                    return False
                if size <= _BLOCK:
                    return hashlib.sha256(file.read()).hexdigest() == sha256
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except FileNotFoundError:
            return False

    def put(self, sha256: str, target: str) -> None:
        """Make `target` the blob's file under another name, or a copy where the file system has no such
        links. FileExistsError when it is there.
        """
        source = self.path(sha256)
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with open(source, "rb", buffering=0) as file:
                write_sealed(target, file.readall())

    def sizes(self) -> dict[str, int]:
        """Bytes of each blob that is there."""
        return {sha256: os.stat(self.path(sha256)).st_size for sha256 in self._names()}

    def _names(self) -> set[str]:
        return {name for _, _, names in os.walk(self._folder) for name in names}

    def remove(self, blobs: Collection[str]) -> None:
        """Remove blobs; those that are not there are passed over."""
        for sha256 in blobs:
            _discard(self.path(sha256))


def write_sealed(path: str, content: bytes) -> None:
    """Write a new file and seal it. FileExistsError when it is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _READ_ONLY)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.utime(descriptor, ns=(SEALED, SEALED))
    finally:
        os.close(descriptor)


def is_sealed(path: str, size: int) -> bool:
    """Whether a file is there in its size, and nobody has written to it since it was sealed."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return found.st_size == size and found.st_mtime_ns == SEALED


def _discard(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
