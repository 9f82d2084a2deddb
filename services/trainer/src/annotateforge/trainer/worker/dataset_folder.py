"""The folder of a data set as ultralytics sees it: links to blobs, and texts, put together file by file."""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from zlib import crc32

from annotateforge.trainer.worker.blob_cache import BlobCache, is_sealed, write_sealed
from annotateforge.trainer.worker.dataset_files import DatasetFile, DatasetFiles
from annotateforge.trainer.worker.failures import ContentDamaged


def unsound(folder: Path, files: DatasetFiles) -> list[DatasetFile]:
    """Files and folders that are missing or that somebody has changed, such as images that ultralytics has
    restored.
    """
    root = f"{folder}/"
    return [
        file
        for file in files.files
        if not (os.path.isdir(root + file.name) if file.is_folder else is_sealed(root + file.name, file.size))
    ]


def put_together(folder: Path, files: DatasetFiles, blobs: BlobCache) -> None:
    """Put all files that are missing or changed in their places. Whatever else is there, such as the caches
    of ultralytics, stays. ContentDamaged when the blob of the texts is not as it was.
    """
    texts = blobs.read(files.texts_sha256)
    if texts is None:
        raise ContentDamaged(f"the texts of the data set, {files.texts_sha256}, are damaged on the disk")
    contents = dict(zip((file.name for file in files.texts.values()), cut(texts, files), strict=True))
    lacking = unsound(folder, files) if folder.exists() else files.files
    made: set[str] = set()
    for file in lacking:
        path = f"{folder}/{file.name}"
        parent = path.rpartition("/")[0]
        if parent not in made:
            os.makedirs(parent, exist_ok=True)
            made.add(parent)
        if file.is_folder:
            continue
        try:
            _put(file, path, blobs, contents)
        except FileExistsError:
            _clear(path)
            _put(file, path, blobs, contents)


def _put(file: DatasetFile, path: str, blobs: BlobCache, contents: Mapping[str, bytes]) -> None:
    if file.sha256:
        blobs.put(file.sha256, path)
    else:
        write_sealed(path, contents[file.name])


def cut(texts: bytes, files: DatasetFiles) -> Iterator[bytes]:
    """The single texts of a data set. ContentDamaged when one of them has not its size or CRC-32."""
    at = 0
    for file in files.texts.values():
        text = texts[at : at + file.size]
        at += file.size
        if len(text) != file.size or crc32(text) != file.crc32:
            raise ContentDamaged(f"the bytes of {file.name} do not have its CRC-32")
        yield text
    if at != len(texts):
        raise ContentDamaged(f"the texts of the data set have {len(texts)} bytes and should have {at}")


def own_bytes(folder: Path) -> int:
    """Bytes in a folder that are nowhere else: texts, copies, and what a training has put there, such as
    decoded images.
    """
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.stat(os.path.join(parent, name), follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                size += found.st_size
    return size


def _clear(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
