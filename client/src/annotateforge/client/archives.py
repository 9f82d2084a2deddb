"""What `import` sends: an archive as it is, or a folder packed on the way."""

import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from annotateforge.client.errors import ClientError

_CHUNK = 512 * 1024


@dataclass(frozen=True)
class Archive:
    """Bytes of an archive that can be sent once."""

    size: int
    file: IO[bytes]

    def chunks(self) -> Iterator[bytes]:
        """The bytes in order, half a MiB at a time."""
        while chunk := self.file.read(_CHUNK):
            yield chunk


@contextmanager
def archive_of(source: Path) -> Iterator[Archive]:
    """Open an archive file, or pack a folder's regular files into a temporary tar.

    Links inside a folder are left out: the server would refuse them. ClientError when it cannot be read.
    """
    try:
        if source.is_dir():
            with tempfile.TemporaryFile() as file:
                _pack(source, file)
                yield _from_start(file)
        else:
            with source.open("rb") as file:
                yield _from_start(file)
    except OSError as error:
        raise ClientError(f"{error.filename or source} cannot be read: {error.strerror}.") from error


def _pack(folder: Path, file: IO[bytes]) -> None:
    with tarfile.open(fileobj=file, mode="w") as archive:
        for directory, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                path = Path(directory, name)
                if path.is_file() and not path.is_symlink():
                    archive.add(path, arcname=str(path.relative_to(folder)), recursive=False)


def _from_start(file: IO[bytes]) -> Archive:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return Archive(size, file)
