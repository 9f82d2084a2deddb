"""What a data set's folder holds: its files as the dataset service lists them, kept on the worker's disk."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import orjson

from annotateforge.trainer.worker.failures import ContentDamaged


class DatasetFile(NamedTuple):
    """A file or folder of a data set."""

    name: str
    """Path inside the data set's folder, with slashes; a folder's ends with one."""
    size: int
    """Bytes."""
    crc32: int
    """As in ZIP."""
    sha256: str
    """Of an image its SHA-256 in hexadecimal; empty for folders and texts, which are data.yaml and labels."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.name.endswith("/")

    @property
    def is_text(self) -> bool:
        """Whether it is data.yaml or a label file."""
        return not self.sha256 and not self.is_folder


@dataclass(frozen=True)
class DatasetFiles:
    """All files of a data set, in the order of its manifest."""

    files: Sequence[DatasetFile]
    labels_sha256: str
    """SHA-256 of all label files one after another, as the service says it."""
    texts_sha256: str = ""
    """SHA-256 of all texts one after another: the name of the blob that holds them; empty before it is
    known.
    """

    @cached_property
    def images(self) -> Mapping[str, int]:
        """Bytes of each image by its SHA-256; each content once."""
        return {file.sha256: file.size for file in self.files if file.sha256}

    @cached_property
    def texts(self) -> Mapping[int, DatasetFile]:
        """The texts by their position in the manifest, ascending."""
        return {number: file for number, file in enumerate(self.files) if file.is_text}

    @property
    def blobs(self) -> frozenset[str]:
        """SHA-256 of every blob that it needs."""
        return frozenset(self.images) | {self.texts_sha256}

    def check(self, images: int) -> None:
        """ContentDamaged when a name would lead out of the folder, or it has not so many images."""
        found = sum(bool(file.sha256) for file in self.files)
        if found != images:
            raise ContentDamaged(f"the manifest lists {found:,} images and should list {images:,}")
        for file in self.files:
            _check_name(file.name)

    def save(self, path: Path, incoming: Path) -> None:
        """Keep it in a file, by way of the file `incoming`."""
        rows = [tuple(file) for file in self.files]
        content = orjson.dumps([self.labels_sha256, self.texts_sha256, rows])
        incoming.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        os.replace(incoming, path)

    @classmethod
    def load(cls, path: Path) -> "DatasetFiles | None":
        """What was kept; None when it is not there or not as it was written."""
        try:
            digest, _, content = path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        if hashlib.sha256(content).hexdigest().encode() != digest:
            return None
        labels_sha256, texts_sha256, files = orjson.loads(content)
        return cls([DatasetFile(*each) for each in files], labels_sha256, texts_sha256)


def _check_name(name: str) -> None:
    parts = name.removesuffix("/").split("/")
    if not {"", ".", ".."}.isdisjoint(parts) or "\\" in name or "\0" in name:
        raise ContentDamaged(f"the data set has a file of the name {name!r}")
