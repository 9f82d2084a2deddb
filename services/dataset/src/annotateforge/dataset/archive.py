"""Archives: the YOLO zip of a data set as a pure function of its manifest; where every byte is, and what it
is.

An archive is never stored. Its size and all offsets follow from the manifest, so that any range can be
planned at once and put together from the blobs under it. docs/archive-format.md describes the layout.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from annotateforge.dataset.columns import FORMAT_CODES, Longs
from annotateforge.dataset.images import ImageFormat
from annotateforge.dataset.labels import data_yaml
from annotateforge.dataset.manifest import NAME_BYTES, VAL, Manifest
from annotateforge.dataset.spec import Task
from annotateforge.dataset.zip_records import (
    central_header,
    central_lengths,
    end_records,
    local_header,
    local_lengths,
)

_EXTENSIONS = {
    FORMAT_CODES[ImageFormat.JPEG]: "jpg",
    FORMAT_CODES[ImageFormat.PNG]: "png",
    FORMAT_CODES[ImageFormat.BMP]: "bmp",
    FORMAT_CODES[ImageFormat.TIFF]: "tif",
    FORMAT_CODES[ImageFormat.WEBP]: "webp",
}
_SIDES = ("train", "val")
_BATCH = 1024
"""Entries that are written out at once."""
_LONGEST_FOLDER = 60


class Entry(NamedTuple):
    """A file of the archive, or a folder: then the name ends with a slash."""

    name: bytes
    size: int
    crc32: int
    offset: int
    """Where the local header begins."""
    data_offset: int
    """Where the file's bytes begin."""
    inline: bytes | None = None
    """The bytes where they follow from the manifest itself."""
    image: str = ""
    """For an image, SHA-256 of the blob that it is, in hexadecimal."""
    label_offset: int = 0
    """For a label file, where it begins in the label pack."""


class Span(NamedTuple):
    """Consecutive bytes of the archive: written here, a part of an image, or a part of the label pack."""

    length: int
    inline: bytes | None = None
    image: str = ""
    """SHA-256 of the image's blob in hexadecimal; empty for the others."""
    offset: int = 0
    """First byte in the blob."""
    whole: bool = False
    """Whether the span is a whole image."""


@dataclass(frozen=True, slots=True)
class Archive:
    """The layout of a data set's archive."""

    manifest: Manifest
    fixed: tuple[tuple[bytes, bytes], ...]
    """Name and bytes of the entries that come before labels and images."""
    class_folders: tuple[str, ...]
    """For classify, the name of each class's folder."""
    offset: Longs
    """Where the local header of each entry begins; at the end, where the central directory does."""
    data_offset: Longs
    """Where the bytes of each entry begin."""
    central_offset: Longs
    """Where each entry's header in the central directory begins; at the end, where the directory ends."""
    end: bytes
    """The records after the central directory."""

    @property
    def size(self) -> int:
        """Bytes of the archive."""
        return int(self.central_offset[-1]) + len(self.end)

    @property
    def memory(self) -> int:
        """Bytes that the layout takes, about."""
        return len(self.manifest.data) + 3 * self.offset.nbytes

    def __len__(self) -> int:
        return len(self.data_offset)

    def entries(self, first: int, last: int) -> Iterator[Entry]:
        """Entries `first` to `last`, the latter excluded, in the order of the archive."""
        for index in range(first, min(last, len(self.fixed))):
            name, data = self.fixed[index]
            offset, data_offset = int(self.offset[index]), int(self.data_offset[index])
            yield Entry(name, len(data), zlib.crc32(data), offset, data_offset, inline=data)
        images = len(self.manifest)
        begin = len(self.fixed)
        if self.manifest.task is not Task.CLASSIFY:
            yield from self._files(begin, max(first, begin), min(last, begin + images), labels=True)
            begin += images
        yield from self._files(begin, max(first, begin), min(last, begin + images), labels=False)

    def _files(self, begin: int, first: int, last: int, *, labels: bool) -> Iterator[Entry]:
        """Entries `first` to `last` of those that begin at `begin` and are the labels, or the images, of
        all records.
        """
        if first >= last:
            return
        records = self.manifest.records[first - begin : last - begin]
        digests = records["sha256"].tobytes().hex()
        columns = [
            records[name].tolist()
            for name in (
                ("label_size", "label_crc32", "label_offset") if labels else ("size", "crc32", "format")
            )
        ]
        rows = zip(
            *columns,
            records["copy"].tolist(),
            records["side"].tolist(),
            records["class_id"].tolist(),
            self.offset[first:last].tolist(),
            self.data_offset[first:last].tolist(),
            strict=True,
        )
        for number, (size, crc32, third, copy, side, class_id, offset, data_offset) in enumerate(rows):
            digest = digests[64 * number : 64 * number + 64]
            stem = digest[: 2 * NAME_BYTES] + (f"_{copy}" if copy else "")
            if labels:
                name = f"labels/{_SIDES[side]}/{stem}.txt"
                yield Entry(name.encode(), size, crc32, offset, data_offset, label_offset=third)
            else:
                in_class = self.manifest.task is Task.CLASSIFY
                folder = f"/{self.class_folders[class_id]}" if in_class else ""
                name = f"{'' if in_class else 'images/'}{_SIDES[side]}{folder}/{stem}.{_EXTENSIONS[third]}"
                yield Entry(name.encode(), size, crc32, offset, data_offset, image=digest)

    def plan(self, begin: int, end: int) -> Iterator[Span]:
        """What the bytes `begin` to `end`, the latter excluded, are made of, in order and without a gap."""
        central = int(self.offset[-1])
        first = max(int(np.searchsorted(self.offset, begin, side="right")) - 1, 0)
        while first < len(self) and int(self.offset[first]) < end:
            for entry in self.entries(first, first + _BATCH):
                header = local_header(entry.name, entry.size, entry.crc32)
                yield from _cut(header, entry.offset, begin, end)
                if entry.inline is not None:
                    yield from _cut(entry.inline, entry.data_offset, begin, end)
                    continue
                start = max(begin, entry.data_offset)
                length = min(end, entry.data_offset + entry.size) - start
                if length > 0:
                    offset = entry.label_offset + start - entry.data_offset
                    yield Span(length, None, entry.image, offset, bool(entry.image) and length == entry.size)
            first += _BATCH
        first = max(int(np.searchsorted(self.central_offset, max(begin, central), side="right")) - 1, 0)
        while first < len(self) and int(self.central_offset[first]) < end:
            headers = b"".join(
                central_header(entry.name, entry.size, entry.crc32, entry.offset)
                for entry in self.entries(first, first + _BATCH)
            )
            yield from _cut(headers, int(self.central_offset[first]), begin, end)
            first += _BATCH
        yield from _cut(self.end, int(self.central_offset[-1]), begin, end)


def lay_out(manifest: Manifest) -> Archive:
    """The archive of a manifest."""
    classes = manifest.classes
    folders: tuple[str, ...] = ()
    if manifest.task is Task.CLASSIFY:
        folders = tuple(class_folder(number, label) for number, label in enumerate(classes))
        fixed = [(b"data.yaml", data_yaml("train", "val", classes))]
        # Also those that have no image: ultralytics numbers classes by the folders that it finds.
        fixed += [(f"{side}/{folder}/".encode(), b"") for side in _SIDES for folder in folders]
    else:
        fixed = [(b"data.yaml", data_yaml("images/train", "images/val", classes))]

    records = manifest.records
    stem = 2 * NAME_BYTES + _suffix_lengths(records["copy"])
    side = np.where(records["side"] == VAL, len("val"), len("train"))
    extension = np.zeros(256, np.int64)
    for code, text in _EXTENSIONS.items():
        extension[code] = 1 + len(text)
    names = [np.array([len(name) for name, _ in fixed], np.int64)]
    sizes = [np.array([len(data) for _, data in fixed], np.int64)]
    if manifest.task is Task.CLASSIFY:
        folder = np.array([len(name) for name in folders], np.int64)[records["class_id"]] + 1
        names.append(side + 1 + folder + stem + extension[records["format"]])
    else:
        names.append(len("labels/") + side + 1 + stem + len(".txt"))
        sizes.append(records["label_size"].astype(np.int64))
        names.append(len("images/") + side + 1 + stem + extension[records["format"]])
    sizes.append(records["size"].astype(np.int64))
    name, size = np.concatenate(names), np.concatenate(sizes)

    local = local_lengths(name, size)
    offset = np.append(0, np.cumsum(local + size))
    central = offset[-1] + np.append(0, np.cumsum(central_lengths(name, size, offset[:-1])))
    end = end_records(len(name), int(central[-1] - central[0]), int(central[0]))
    return Archive(manifest, tuple(fixed), folders, offset, offset[:-1] + local, central, end)


def class_folder(class_id: int, label: str) -> str:
    """Name of a class's folder: its position, by which it is sorted, and what of the label any file system
    takes.
    """
    return f"{class_id:03d}-{re.sub('[^A-Za-z0-9_-]+', '_', label)[:_LONGEST_FOLDER]}"


def _suffix_lengths(copy: np.ndarray[tuple[int, ...], np.dtype[np.unsignedinteger[Any]]]) -> Longs:
    digits = np.searchsorted(10 ** np.arange(1, 10), copy, side="right") + 1
    return np.where(copy > 0, 1 + digits, 0).astype(np.int64)


def _cut(data: bytes, at: int, begin: int, end: int) -> Iterator[Span]:
    """The part of `data`, which stands at `at`, that lies between `begin` and `end`."""
    first, last = max(begin - at, 0), min(end - at, len(data))
    if first < last:
        yield Span(last - first, data if last - first == len(data) else data[first:last])
