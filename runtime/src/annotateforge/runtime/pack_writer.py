"""Writing blobs to the end of a pack. One flush serves all who wait for one."""

import contextlib
import os
import threading
import zlib
from collections.abc import Sequence

from annotateforge.runtime.pack_files import (
    PUT,
    RECORD_BYTES,
    Buffer,
    Pack,
    flush_bytes,
    pwrite,
    read_records,
    write_record,
)
from annotateforge.runtime.pack_index import PackIndex


class _Batch:
    """Blobs that one caller has written and whose flush is still to come."""

    def __init__(self, records: bytes) -> None:
        self.records = records
        self.settled = False
        self.error: OSError | None = None


class PackWriter:
    """The end of a pack that its process owns."""

    def __init__(self, pack: Pack, index: PackIndex) -> None:
        """The blobs that are put are noted in `index`."""
        self.pack = pack
        self.end = pack.end
        """Where the next blob's record comes."""
        self.retired = False
        """Whether nothing more is appended, because it was told so or because the disk has failed."""
        self._error: OSError | None = None
        self._index = index
        self._appending = threading.Lock()
        self._flushing = threading.Lock()
        self._waiting: list[_Batch] = []

    def put(self, blobs: Sequence[tuple[bytes, Buffer]]) -> bool:
        """Store blobs (digest, data); they are on the disk and in the index when it returns. False when it is
        retired; OSError, and none of them counts.
        """
        batch = self._append(blobs)
        if batch is None:
            return False
        with self._flushing:
            if not batch.settled:
                self._settle()
        if batch.error is not None:
            raise OSError(batch.error.errno, os.strerror(batch.error.errno or 0)) from batch.error
        return True

    def retire(self) -> None:
        """Settle what has been appended, and give the pack up."""
        with self._appending:
            self.retired = True
        with self._flushing:
            self._settle()
        if self._error is None:
            self.pack.disown()

    def _append(self, blobs: Sequence[tuple[bytes, Buffer]]) -> _Batch | None:
        checks = [zlib.crc32(data) for _, data in blobs]
        with self._appending:
            if self.retired:
                return None
            end, records, parts = self.end, [], []
            for (digest, data), crc32 in zip(blobs, checks, strict=True):
                record = write_record(PUT, digest, end + RECORD_BYTES, len(data), crc32)
                end += RECORD_BYTES + len(data)
                records.append(record)
                parts += [record, data]
            # Where it fails half-way, the next batch is written over it.
            pwrite(self.pack.descriptor, parts, self.end)
            self.end = end
            batch = _Batch(b"".join(records))
            self._waiting.append(batch)
            return batch

    def _settle(self) -> None:
        """Flush all that wait, then put their records into the index, in the order in which they are in the
        pack: a process that dies leaves no gap.
        """
        with self._appending:
            batches, self._waiting = self._waiting, []
        if not batches:
            return
        records = b"".join([batch.records for batch in batches])
        if self._error is None:
            is_flushed = False
            try:
                flush_bytes(self.pack.descriptor)
                is_flushed = True
                with self.pack.changing():
                    self._index.learn(self.pack)
                    self.pack.allot(len(records))
                    self.pack.append_records(records, flush=False)
                    self._index.note(self.pack, read_records(records))
            except OSError as error:
                self._fail(error, is_flushed=is_flushed)
        for batch in batches:
            batch.error, batch.settled = self._error, True

    def _fail(self, error: OSError, *, is_flushed: bool) -> None:
        """Nothing more comes from this writer: the pack ends before what could not be settled.

        What the kernel could not write it does not try again, so that without the flush it is not known what
        the disk holds: the pack stays owned, and nobody fills it on.
        """
        with self._appending:
            self.retired, self._error = True, error
            with contextlib.suppress(OSError), self.pack.changing():
                # Of the records some may be in the index, where others have seen them: their bytes stay.
                self._index.learn(self.pack)
                os.ftruncate(self.pack.descriptor, self.pack.end)
                if is_flushed:
                    self.pack.disown()
