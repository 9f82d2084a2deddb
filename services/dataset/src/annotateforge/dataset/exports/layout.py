"""The layout of an export: where every byte of its zip is, once all label texts are written."""

import hashlib
import zlib
from array import array
from collections.abc import Iterator
from typing import IO

import numpy as np

from annotateforge.dataset.byte_rows import ByteRows
from annotateforge.dataset.columns import Longs
from annotateforge.dataset.zip_records import central_headers, end_records, local_headers

_BATCH = 1024


class Layout:
    """The entries of a zip of stored files: texts, which lie one after another in a pack, then images, which
    lie in the blob store.
    """

    def __init__(self, pack: IO[bytes]) -> None:
        self._pack = pack
        self.names: list[bytes] = []
        self._sizes = array("q")
        self._crcs = array("Q")
        self._pack_offsets = array("q", [0])
        """Where each text begins in the pack, and where the last one ends; texts come first."""
        self._digests = bytearray()
        self._offsets: Longs = np.zeros(1, np.int64)
        self.tail = b""
        """Central directory and end."""

    def add_text(self, name: str, blocks: Iterator[bytes]) -> None:
        """Append a text to the pack. Blocking. All texts come before the first image."""
        size = crc = 0
        for block in blocks:
            self._pack.write(block)
            size += len(block)
            crc = zlib.crc32(block, crc)
        self._add(name, size, crc)
        self._pack_offsets.append(self._pack_offsets[-1] + size)

    def add_image(self, name: str, size: int, crc32: int, sha256: bytes) -> None:
        """Add an image that lies in the blob store."""
        self._add(name, size, crc32)
        self._digests += sha256

    def finish(self) -> None:
        """Compute all offsets; nothing is added after that."""
        size = np.array(self._sizes, np.int64)
        crc = np.array(self._crcs, np.uint64).astype(np.uint32)
        lengths, tail = [np.zeros(0, np.int64)], []
        for first in range(0, len(self.names), _BATCH):
            part = slice(first, first + _BATCH)
            lengths.append(local_headers(ByteRows.of(self.names[part]), size[part], crc[part]).lengths)
        self._offsets = np.append(0, np.cumsum(np.concatenate(lengths) + size))
        for first in range(0, len(self.names), _BATCH):
            part = slice(first, first + _BATCH)
            names = ByteRows.of(self.names[part])
            tail.append(central_headers(names, size[part], crc[part], self._offsets[:-1][part]).join())
        central = b"".join(tail)
        self.tail = central + end_records(len(self.names), len(central), int(self._offsets[-1]))

    @property
    def size(self) -> int:
        """Bytes of the zip."""
        return int(self._offsets[-1]) + len(self.tail)

    @property
    def etag(self) -> str:
        """A digest of all that the zip is made of."""
        digest = hashlib.sha256(self.tail)
        digest.update(self._digests)
        return digest.hexdigest()

    def entries(self, at: int) -> Iterator[tuple[int, bytes, int, str, int]]:
        """Entries from the one under byte `at` on: where each begins, its local header, its size, the
        SHA-256 of its blob, empty for a text, and where a text begins in the pack.
        """
        first = max(int(np.searchsorted(self._offsets, at, side="right")) - 1, 0)
        for begin in range(first, len(self.names), _BATCH):
            end = min(begin + _BATCH, len(self.names))
            size = np.array(self._sizes[begin:end], np.int64)
            crc = np.array(self._crcs[begin:end], np.uint64).astype(np.uint32)
            headers = local_headers(ByteRows.of(self.names[begin:end]), size, crc).split()
            for number, header in enumerate(headers, start=begin):
                blob = (number - len(self._pack_offsets) + 1) * 32
                sha256 = "" if blob < 0 else self._digests[blob : blob + 32].hex()
                pack_at = self._pack_offsets[number] if blob < 0 else 0
                yield int(self._offsets[number]), header, self._sizes[number], sha256, pack_at

    def _add(self, name: str, size: int, crc32: int) -> None:
        self.names.append(name.encode())
        self._sizes.append(size)
        self._crcs.append(crc32)
