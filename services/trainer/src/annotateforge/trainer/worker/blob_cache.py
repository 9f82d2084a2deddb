"""Blobs on the worker's disk, each once under its SHA-256.

Nothing is under such a name before all its bytes have been written and were right, however a process dies.
Bytes are not forced to the disk for that: what a machine that crashed may have lost is noticed because a
blob is hashed again before it is linked into a folder for the first time since the machine started.
"""

import contextlib
import errno
import hashlib
import os
import shutil
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
        self._folder = folder
        self._incoming = incoming
        self._made: set[Path] = set()

    def path(self, sha256: str) -> Path:
        """Where a blob is, or would be."""
        return self._folder / sha256[:2] / sha256

    def write(self, blobs: Iterable[tuple[str, bytes]]) -> None:
        """Keep blobs. ContentDamaged when the bytes are not those of the digest."""
        for sha256, content in blobs:
            if hashlib.sha256(content).hexdigest() != sha256:
                raise ContentDamaged(f"the bytes of the blob {sha256} do not have that digest")
            target = self.path(sha256)
            if target.parent not in self._made:
                target.parent.mkdir(parents=True, exist_ok=True)
                self._made.add(target.parent)
            incoming = self._incoming / sha256
            try:
                write_sealed(incoming, content)
                os.rename(incoming, target)
            except BaseException:
                incoming.unlink(missing_ok=True)
                raise

    def read(self, sha256: str) -> bytes | None:
        """A blob's bytes; None when it is not there or not as it was."""
        try:
            content = self.path(sha256).read_bytes()
        except FileNotFoundError:
            return None
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def lacking(self, blobs: Mapping[str, int]) -> dict[str, int]:
        """Those of some blobs, given with their sizes, that are not there; damaged ones are removed."""
        lacking = {}
        for sha256, size in blobs.items():
            if not self._is_sound(sha256, size):
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

    def put(self, sha256: str, target: Path) -> None:
        """Make `target`, which is not there, the blob's file under another name, or a copy where the file
        system has no such links.
        """
        source = self.path(sha256)
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            shutil.copyfile(source, target)
            seal(target)

    def sizes(self) -> dict[str, int]:
        """Bytes of each blob that is there."""
        sizes = {}
        for parent in self._folder.iterdir() if self._folder.is_dir() else ():
            with os.scandir(parent) as entries:
                for entry in entries:
                    sizes[entry.name] = entry.stat().st_size
        return sizes

    def remove(self, blobs: Collection[str]) -> None:
        """Remove blobs; those that are not there are passed over."""
        for sha256 in blobs:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(sha256))


def write_sealed(path: Path, content: bytes) -> None:
    """Write a file and seal it; one that was there is replaced."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with open(path, "xb", buffering=0) as file:
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]
    seal(path)


def seal(path: Path) -> None:
    """Say that a file is complete."""
    os.chmod(path, _READ_ONLY)
    os.utime(path, ns=(SEALED, SEALED))


def is_sealed(path: str, size: int) -> bool:
    """Whether a file is there in its size, and nobody has written to it since it was sealed."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return found.st_size == size and found.st_mtime_ns == SEALED
