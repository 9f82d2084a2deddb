"""Archives: the YOLO zip of a data set as a pure function of its manifest: where every byte is, and what it
is.

An archive is never stored. Its size and all offsets follow from the manifest, so that any range can be
planned at once and put together from the blobs under it. docs/archive-format.md describes the layout.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.archive_names import SIDES, FileNames
from annotateforge.dataset.byte_rows import ByteRows
from annotateforge.dataset.columns import Integers, Longs
from annotateforge.dataset.labels import data_yaml
from annotateforge.dataset.manifest import Manifest, Records
from annotateforge.dataset.spec import Task
from annotateforge.dataset.zip_records import (
    central_headers,
    central_lengths,
    end_records,
    local_headers,
    local_lengths,
)
from annotateforge.runtime.blobs import DIGEST_BYTES, hexadecimal

LARGE = 4 * 1024 * 1024
"""Bytes beyond which an image is planned for itself, and of label files that are planned together."""
_BATCH = 1024
"""Entries that are written out at once."""
_MOST_KEPT = 8 * 1024 * 1024
"""Bytes of an archive's headers up to which they are kept."""
_OBJECT = 48
"""Bytes of memory that each header takes beside its own."""


class Entry(NamedTuple):
    """A file of the archive, or a folder: then the name ends with a slash."""

    name: str
    size: int
    """Bytes."""
    crc32: int
    offset: int
    """Where the file's bytes begin in the archive."""
    image: str
    """For an image, SHA-256 of the blob that it is, in hexadecimal; empty for all others."""


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


class LabelFiles(NamedTuple):
    """Consecutive label files, each after what stands before it."""

    headers: Sequence[bytes]
    offset: int
    """Where the first begins in the label pack; there they follow one another."""
    sizes: Sequence[int]
    """Bytes of each."""


class ImageFiles(NamedTuple):
    """Consecutive images, none of them large, each after what stands before it."""

    headers: Sequence[bytes]
    digests: bytes
    """SHA-256 of each one's blob, 32 bytes each."""
    sizes: Sequence[int]
    """Bytes of each."""


Piece = bytes | Span | LabelFiles | ImageFiles
"""Consecutive bytes of an archive; a Span is a part of one image, or all of a large one."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Consecutive entries of one kind."""

    first: int
    """Index of the first of them in the archive."""
    names: Callable[[], ByteRows]
    """Writes their names."""
    size: Longs
    crc32: npt.NDArray[np.uint32]
    fixed: Sequence[bytes] = ()
    """Their bytes, where they follow from the manifest itself."""
    sha256: bytes = b""
    """For images, their digests, one after another."""
    label_offset: Integers | None = None
    """For label files, where they begin in the label pack."""

    @property
    def images(self) -> Sequence[str]:
        """For images, their digests in hexadecimal."""
        return hexadecimal(self.sha256)

    @property
    def last(self) -> int:
        """Index of the entry after them."""
        return self.first + len(self.size)


@dataclass(frozen=True, slots=True)
class _Files:
    """The entries of an archive: fixed ones, label files, images."""

    manifest: Manifest
    names: FileNames
    fixed: tuple[tuple[bytes, bytes], ...]
    """Name and bytes of the entries that come first."""

    def __len__(self) -> int:
        return self._images_begin + len(self.manifest)

    @property
    def _images_begin(self) -> int:
        labelled = self.manifest.task is not Task.CLASSIFY
        return len(self.fixed) + (len(self.manifest) if labelled else 0)

    def batches(self, first: int, last: int) -> Iterator[_Batch]:
        """Entries `first` to `last`, the latter excluded, in batches that end at the same places whatever
        the first one is.
        """
        fixed, images = len(self.fixed), self._images_begin
        while first < last:
            end = min(self._batch_of(first)[1], last)
            if first < fixed:
                yield self._fixed_batch(first, end)
            elif first < images:
                yield self._label_batch(first, self.manifest.records[first - fixed : end - fixed])
            else:
                yield self._image_batch(first, self.manifest.records[first - images : end - images])
            first = end

    def whole_batches(self, first: int, last: int) -> Iterator[_Batch]:
        """The batches that have entries `first` to `last`, the latter excluded, with what else they have."""
        if first < last:
            yield from self.batches(self._batch_of(first)[0], self._batch_of(last - 1)[1])

    def _batch_of(self, entry: int) -> tuple[int, int]:
        """The first entry of the batch that an entry is in, and the one after its last."""
        sections = (0, len(self.fixed), self._images_begin, len(self))
        begin, end = next(each for each in pairwise(sections) if entry < each[1])
        first = entry - (entry - begin) % _BATCH
        return first, min(first + _BATCH, end)

    def lengths(self) -> tuple[Longs, Longs]:
        """Bytes of each entry and of its name, which are not written for that: they would take tens of bytes
        of memory for each, and most of the time.
        """
        records, empty = self.manifest.records, np.zeros(0, np.int64)
        labelled = self.manifest.task is not Task.CLASSIFY
        size = (
            np.array([len(content) for _, content in self.fixed], np.int64),
            records["label_size"].astype(np.int64) if labelled else empty,
            records["size"].astype(np.int64),
        )
        name_length = (
            np.array([len(name) for name, _ in self.fixed], np.int64),
            self.names.label_lengths(records) if labelled else empty,
            self.names.image_lengths(records),
        )
        return np.concatenate(size), np.concatenate(name_length)

    def _fixed_batch(self, first: int, end: int) -> _Batch:
        names, contents = zip(*self.fixed[first:end], strict=True)
        size = np.array([len(content) for content in contents], np.int64)
        crc32 = np.array([zlib.crc32(content) for content in contents], np.uint32)
        return _Batch(first, partial(ByteRows.of, names), size, crc32, fixed=contents)

    def _label_batch(self, first: int, records: Records) -> _Batch:
        names, size = partial(self.names.of_labels, records), records["label_size"].astype(np.int64)
        return _Batch(first, names, size, records["label_crc32"], label_offset=records["label_offset"])

    def _image_batch(self, first: int, records: Records) -> _Batch:
        names, size = partial(self.names.of_images, records), records["size"].astype(np.int64)
        return _Batch(first, names, size, records["crc32"], sha256=records["sha256"].tobytes())


class _Headers(NamedTuple):
    """Headers that were written, by the first entry of their batch."""

    local: dict[int, Sequence[bytes]]
    central: dict[int, bytes]


@dataclass(frozen=True, slots=True)
class Archive:
    """The layout of a data set's archive: fixed entries, label files, images, central directory, end."""

    manifest: Manifest
    files: _Files
    offset: Longs
    """Where the local header of each entry begins; at the end, where the central directory does."""
    data_offset: Longs
    """Where the bytes of each entry begin."""
    central_offset: Longs
    """Where each entry's header in the central directory begins; at the end, where the directory ends."""
    end: bytes
    """The records after the central directory."""
    headers: int
    """Bytes of memory that all headers take, about."""
    _kept: _Headers = field(default_factory=lambda: _Headers({}, {}), repr=False, compare=False)

    @property
    def size(self) -> int:
        """Bytes of the archive."""
        return int(self.central_offset[-1]) + len(self.end)

    @property
    def memory(self) -> int:
        """Bytes that the layout takes, about."""
        return len(self.manifest.data) + 3 * self.offset.nbytes + (self.headers if self._keeps else 0)

    @property
    def _keeps(self) -> bool:
        """Whether headers are kept once they are written, for whoever fetches the archive next."""
        return self.headers <= _MOST_KEPT

    def __len__(self) -> int:
        return len(self.data_offset)

    def entries(self, first: int, last: int) -> Iterator[Entry]:
        """Entries `first` to `last`, the latter excluded, in the order of the archive."""
        for batch in self.files.batches(first, min(last, len(self))):
            names = (name.decode() for name in batch.names().split())
            offset = self.data_offset[batch.first : batch.last].tolist()
            images = batch.images or [""] * len(offset)
            columns = (names, batch.size.tolist(), batch.crc32.tolist(), offset, images)
            yield from map(Entry._make, zip(*columns, strict=True))

    def plan(self, begin: int, end: int) -> Iterator[Piece]:
        """What the bytes `begin` to `end`, the latter excluded, are made of, in order and without a gap.

        Files that lie in the range whole come many at a time: an archive has so many small ones that whatever
        is done for each of them counts.
        """
        first, last = self._under(self.offset, begin, end)
        for batch in self.files.whole_batches(first, last):
            here = max(first - batch.first, 0), min(last, batch.last) - batch.first
            yield from self._plan_files(batch, *here, begin, end)
        for batch in self.files.whole_batches(*self._under(self.central_offset, begin, end)):
            yield from _cut(self._central(batch), int(self.central_offset[batch.first]), begin, end)
        yield from _cut(self.end, int(self.central_offset[-1]), begin, end)

    def text(self, position: int) -> Span | None:
        """The file at a position of the archive whole, if it is no image and no folder."""
        fixed = self.files.fixed
        labels = len(self.manifest) if self.manifest.task is not Task.CLASSIFY else 0
        if 0 <= position < len(fixed) and not fixed[position][0].endswith(b"/"):
            return Span(len(fixed[position][1]), fixed[position][1])
        if len(fixed) <= position < len(fixed) + labels:
            record = self.manifest.records[position - len(fixed)]
            return Span(int(record["label_size"]), None, "", int(record["label_offset"]))
        return None

    def _under(self, offset: Longs, begin: int, end: int) -> tuple[int, int]:
        """The first entry of which the range touches what begins at `offset`, and the one after the last."""
        first = int(np.searchsorted(offset, begin, side="right")) - 1
        last = int(np.searchsorted(offset, end, side="left"))
        return max(first, 0), min(last, len(self))

    def _local(self, batch: _Batch) -> Sequence[bytes]:
        """The local headers of a whole batch."""
        headers = self._kept.local.get(batch.first)
        if headers is None:
            headers = local_headers(batch.names(), batch.size, batch.crc32).split()
            if self._keeps:
                self._kept.local[batch.first] = headers
        return headers

    def _central(self, batch: _Batch) -> bytes:
        """The headers of a whole batch in the central directory."""
        headers = self._kept.central.get(batch.first)
        if headers is None:
            offset = self.offset[batch.first : batch.last]
            headers = central_headers(batch.names(), batch.size, batch.crc32, offset).join()
            if self._keeps:
                self._kept.central[batch.first] = headers
        return headers

    def _plan_files(self, batch: _Batch, first: int, last: int, begin: int, end: int) -> Iterator[Piece]:
        """Local headers and bytes of the entries `first` to `last`, the latter excluded, of a batch."""
        headers = self._local(batch)
        offset = self.offset[batch.first : batch.last + 1]
        alone = (offset[:-1] < begin) | (offset[1:] > end)
        if batch.sha256:
            alone |= batch.size > LARGE
        at = first
        for number in (*(np.flatnonzero(alone[first:last]) + first).tolist(), last):
            if at < number:
                yield from _together(batch, headers, at, number)
            if number < last:
                yield from self._plan_file(batch, number, headers[number], begin, end)
            at = number + 1

    def _plan_file(self, batch: _Batch, number: int, header: bytes, begin: int, end: int) -> Iterator[Piece]:
        """What the range has of one entry."""
        yield from _cut(header, int(self.offset[batch.first + number]), begin, end)
        data_at, size = int(self.data_offset[batch.first + number]), int(batch.size[number])
        start = max(begin - data_at, 0)
        length = min(end - data_at, size) - start
        if length <= 0:
            return
        if batch.sha256:
            digest = batch.sha256[DIGEST_BYTES * number : DIGEST_BYTES * (number + 1)].hex()
            yield Span(length, None, digest, start, length == size)
        elif batch.label_offset is not None:
            yield LabelFiles([b""], int(batch.label_offset[number]) + start, [length])
        else:
            yield batch.fixed[number][start : start + length]


def lay_out(manifest: Manifest) -> Archive:
    """The archive of a manifest."""
    names = FileNames(manifest)
    prefix = "" if manifest.task is Task.CLASSIFY else "images/"
    sides = SIDES if manifest.test_images else SIDES[:2]
    fixed = [(b"data.yaml", data_yaml({side: f"{prefix}{side}" for side in sides}, manifest.classes))]
    # Also those that have no image: ultralytics numbers classes by the folders that it finds.
    fixed += [(f"{side}/{folder}/".encode(), b"") for side in sides for folder in names.class_folders]
    files = _Files(manifest, names, tuple(fixed))

    size, name_length = files.lengths()
    local = local_lengths(name_length, size)
    offset = np.append(0, np.cumsum(local + size))
    central_offset = offset[-1] + np.append(0, np.cumsum(central_lengths(name_length, size, offset[:-1])))
    central_size = int(central_offset[-1] - offset[-1])
    headers = int(local.sum()) + _OBJECT * len(files) + central_size
    end = end_records(len(files), central_size, int(offset[-1]))
    return Archive(manifest, files, offset, offset[:-1] + local, central_offset, end, headers)


def _together(batch: _Batch, headers: Sequence[bytes], first: int, last: int) -> Iterator[Piece]:
    """Entries `first` to `last`, the latter excluded, that are whole and not large."""
    sizes = batch.size[first:last].tolist()
    if batch.sha256:
        digests = batch.sha256[first * DIGEST_BYTES : last * DIGEST_BYTES]
        yield ImageFiles(headers[first:last], digests, sizes)
    elif batch.label_offset is not None:
        # As many as are read together; one may have megabytes.
        group = np.cumsum(batch.size[first:last]) // LARGE
        cuts = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(sizes)]
        for at, end in pairwise(cuts):
            offset = int(batch.label_offset[first + at])
            yield LabelFiles(headers[first + at : first + end], offset, sizes[at:end])
    else:
        pairs = zip(headers[first:last], batch.fixed[first:last], strict=True)
        yield b"".join([part for pair in pairs for part in pair])


def _cut(data: bytes, at: int, begin: int, end: int) -> Iterator[bytes]:
    """The part of `data`, which stands at `at`, that lies between `begin` and `end`."""
    first, last = max(begin - at, 0), min(end - at, len(data))
    if first < last:
        yield data[first:last]
