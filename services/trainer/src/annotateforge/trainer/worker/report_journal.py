"""Reports that wait for the trainer, in a file: memory holds one batch of them, however long the trainer is
away, and what was appended outlives the worker.

A record is the length of a serialised Report and its CRC-32, four bytes each and big-endian, and the report.
Nothing is forced to the disk: a killed process loses nothing that it has written. A machine that loses power
may lose the last records; then the states of these epochs are not taken either, and they are trained again.
"""

import struct
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

import structlog

from annotateforge.api.trainer.v1.worker_service_pb2 import Report

_HEAD = struct.Struct(">II")
_LARGEST = 16 * 1024 * 1024
"""Bytes of a report above which a record is taken for torn."""

log = structlog.get_logger()


class JournalDamaged(Exception):
    """Somebody else has changed the file, or the disk has."""


class ReportJournal:
    """The reports of one attempt that the trainer has not accepted yet, in their order.

    What cannot be written, because the disk is full, waits in memory behind the rest.
    """

    def __init__(self) -> None:
        """In memory alone, until `keep_in`."""
        self._file: BinaryIO | None = None
        self._begin = 0
        self._end = 0
        self._in_file = 0
        self._in_memory: deque[Report] = deque()
        self._ends: list[tuple[int, int]] = []
        self.last_number = 0
        """Number of the newest report that was ever appended here."""

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """What a worker that was killed has left behind: whole records, up to the first torn one."""
        journal = cls()
        if not path.is_file():
            return journal
        journal._file = path.open("r+b", buffering=0)
        for report, end in journal._records(0, path.stat().st_size):
            journal._end = end
            journal._in_file += 1
            journal.last_number = report.number
        journal._file.truncate(journal._end)
        return journal

    def keep_in(self, path: Path) -> None:
        """Begin a new file; call it once, before anything is appended."""
        self._file = path.open("w+b", buffering=0)

    @property
    def waiting(self) -> int:
        """How many are not accepted yet."""
        return self._in_file + len(self._in_memory)

    def append(self, report: Report) -> None:
        """Add the next one."""
        self.last_number = report.number
        if self._file is None or self._in_memory or not self._written(report):
            self._in_memory.append(report)

    def batch(self, most: int, most_bytes: int) -> list[Report]:
        """The oldest ones, at most so many and about so many bytes, but at least one if there is one.

        JournalDamaged when the oldest one is not as it was written.
        """
        batch: list[Report] = []
        self._ends = []
        size = 0
        for report, end in self._records(self._begin, self._end):
            batch.append(report)
            self._ends.append((report.number, end))
            size = end - self._begin
            if len(batch) == most or size >= most_bytes:
                return batch
        if len(batch) < self._in_file:
            # What is in memory must not come before what cannot be read.
            if not batch:
                raise JournalDamaged(f"of {self._in_file} reports on the disk the oldest cannot be read")
            return batch
        for report in self._in_memory:
            batch.append(report)
            size += report.ByteSize()
            if len(batch) == most or size >= most_bytes:
                break
        return batch

    def forget(self, through: int) -> int:
        """Of the last batch, drop those up to this number, which are accepted; how many there were."""
        before = self.waiting
        for number, end in self._ends:
            if number > through:
                break
            self._begin = end
            self._in_file -= 1
        self._ends = []
        if self._in_file == 0:
            self._start_anew()
            while self._in_memory and self._in_memory[0].number <= through:
                self._in_memory.popleft()
        return before - self.waiting

    def close(self) -> None:
        """Let go of the file, and leave it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _written(self, report: Report) -> bool:
        assert self._file is not None
        payload = report.SerializeToString()
        record = _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        try:
            self._file.seek(self._end)
            if self._file.write(record) == len(record):
                self._end += len(record)
                self._in_file += 1
                return True
        except OSError as error:
            log.warning("a report waits in memory, since it cannot be written", error=str(error))
        # What was written of it is overwritten by the next one, and is no whole record.
        return False

    def _records(self, begin: int, end: int) -> Iterator[tuple[Report, int]]:
        """Reports between two offsets, each with the offset after it; ends before one that is not whole."""
        while self._file is not None and begin < end:
            self._file.seek(begin)
            head = self._file.read(_HEAD.size) or b""
            if len(head) < _HEAD.size:
                return
            length, checksum = _HEAD.unpack(head)
            if length == 0:
                # No report is empty, and the CRC-32 of nothing is 0: this is a tail of zeros, which a machine
                # that lost power leaves where the file had grown and the bytes had not come.
                return
            payload = (self._file.read(length) or b"") if length <= _LARGEST else b""
            if len(payload) < length or zlib.crc32(payload) != checksum:
                return
            begin += _HEAD.size + length
            yield Report.FromString(payload), begin

    def _start_anew(self) -> None:
        self._begin = self._end = 0
        if self._file is not None:
            self._file.truncate(0)
