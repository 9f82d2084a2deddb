"""One pack: a file that holds many small blobs, each after a record of 64 bytes, and its index, a file of the
same records alone and of records of blobs that were deleted.

The bytes of a blob have reached the disk before its record is in the index, and a record of a deletion has
before the blob's room is given back. So everything in the index is there, and whoever has read from a pack
and finds no new deletion in its index afterwards has read what was written. The index itself is flushed at
deletions only: whoever owns a pack next finds the records that it lacks in the pack.

A process owns a pack, and nobody else appends to it, as long as it holds the lock (flock) of the file. The
lock of the index is held while something is appended to that.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import structlog

PACK = ".pack"
INDEX = ".index"

_MAGIC = b"AFP1"
PUT, DELETED = 1, 2
_RECORD = struct.Struct("<4sI32sQII")
_CHECK = struct.Struct("<I4x")
RECORD = np.dtype(
    [
        ("magic", "S4"),
        ("kind", "<u4"),
        ("digest", "S32"),
        ("offset", "<u8"),
        ("size", "<u4"),
        ("crc32", "<u4"),
        ("check", "<u4"),
        ("padding", "V4"),
    ]
)
"""One blob that was put or deleted: its SHA-256, where its bytes begin in the pack, how many there are, their
CRC-32, and the CRC-32 of the record up to there."""
RECORD_BYTES = RECORD.itemsize
_MOST_PARTS = 1000
"""Buffers that one system call writes; the kernel takes 1,024."""
_KEEP_SIZE = 0x01
_PUNCH_HOLE_KEEP_SIZE = 0x03
_DELETIONS_BYTES = 64 * 1024
"""Bytes of an index that are kept free for records of deletions: 1,024 of them."""

Records = npt.NDArray[np.void]
Buffer = bytes | memoryview

log = structlog.get_logger()


def write_record(kind: int, digest: bytes, offset: int, size: int, crc32: int) -> bytes:
    """A record, see RECORD."""
    record = _RECORD.pack(_MAGIC, kind, digest, offset, size, crc32)
    return record + _CHECK.pack(zlib.crc32(record))


def read_records(data: bytes) -> Records:
    """The records at the beginning of some bytes, up to the first that is not whole."""
    records, right = _checked(data)
    return records if right.all() else records[: int(np.argmin(right))]


def _right_records(data: bytes) -> Records:
    """All records in some bytes that are whole."""
    records, right = _checked(data)
    return records[right]


def _checked(data: bytes) -> tuple[Records, npt.NDArray[np.bool_]]:
    """What may be records, and which are."""
    records = np.frombuffer(data, RECORD, count=len(data) // RECORD_BYTES)
    checked = _RECORD.size
    view = memoryview(data)
    starts = range(0, len(records) * RECORD_BYTES, RECORD_BYTES)
    checks = np.fromiter((zlib.crc32(view[at : at + checked]) for at in starts), np.uint32, len(records))
    return records, (records["check"] == checks) & (records["magic"] == _MAGIC)


def _end_of(records: Records, end: int) -> int:
    """Where the last blob of these records ends, or `end` where that comes later."""
    put = records[records["kind"] == PUT]
    return max(end, int((put["offset"] + put["size"]).max())) if len(put) else end


class Pack:
    """The open files of one pack. They are closed once nobody refers to it any more, so that no thread ever
    reads from another file under the same descriptor.
    """

    def __init__(self, path: Path, number: int, descriptor: int | None = None) -> None:
        """Open a pack, whose index is made where it is missing. FileNotFoundError when it has gone."""
        self.path = path
        self.number = number
        """Its number in this process."""
        self.end = 0
        """Where its last known blob ends."""
        self.deletions = 0
        """Twice how often blobs of it were deleted, as far as this process has seen; one more while it takes
        that over, when those blobs are still found where they were.
        """
        self.owned = False
        """Whether this object holds the lock of the file."""
        self._read = 0
        """Bytes of the index that were read."""
        self._allotted = 0
        """Bytes of the index for which this object has made sure that there is room on the disk."""
        self.lock = threading.RLock()
        """Held while the index is read or appended to, and until what it says has been taken over."""
        self._index = -1
        self.descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC) if descriptor is None else descriptor
        index = path.with_suffix(INDEX)
        self._index = os.open(index, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def __del__(self) -> None:
        for descriptor in (getattr(self, "descriptor", -1), getattr(self, "_index", -1)):
            if descriptor >= 0:
                os.close(descriptor)

    def own(self) -> bool:
        """Take the lock of the file, unless somebody else has it, or the file has gone."""
        with self.lock:
            if self.owned or not _lock_now(self.descriptor):
                return False
            if os.fstat(self.descriptor).st_nlink == 0:
                return False
            self.owned = True
            return True

    def disown(self) -> None:
        """Give the lock of the file up."""
        with self.lock:
            self.owned = False
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """The lock of the index, for this thread of this process alone."""
        with self.lock:
            fcntl.flock(self._index, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._index, fcntl.LOCK_UN)

    def has_news(self) -> bool:
        """Whether the index has more than was read of it."""
        return os.fstat(self._index).st_size > self._read

    def has_gone(self) -> bool:
        """Whether somebody has removed the pack."""
        return os.fstat(self.descriptor).st_nlink == 0

    def news(self) -> Records:
        """The records that the index has got since the last time. To be called under `lock`."""
        size = os.fstat(self._index).st_size - self._read
        records = read_records(_pread(self._index, size, self._read))
        self._note(records)
        return records

    def _note(self, records: Records) -> None:
        self.end = _end_of(records, self.end)
        # First: who finds no news has the deletions counted.
        self.deletions += bool((records["kind"] != PUT).any())
        self._read += len(records) * RECORD_BYTES

    def allot(self, size: int) -> None:
        """See that the index can take so many bytes of records, and those of deletions behind them: on a disk
        that is full room is made by deleting. To be called while `changing` and after `news`, before bytes of
        blobs are put for good. OSError when the disk has no such room.
        """
        wanted = self._read + size + _DELETIONS_BYTES
        if wanted > self._allotted:
            _fallocated(self._index, _KEEP_SIZE, self._read, wanted + _DELETIONS_BYTES - self._read)
            self._allotted = wanted + _DELETIONS_BYTES

    def append_records(self, records: bytes, *, flush: bool) -> None:
        """Append records to the index. To be called while `changing` and after `news`."""
        if len(self._rest()):
            raise OSError(errno.EIO, f"a record of {self.path} is spoilt; the next start mends it")
        self._cut_index()
        pwrite(self._index, [records], self._read)
        if flush:
            flush_bytes(self._index)
        self._note(np.frombuffer(records, RECORD))

    def _rest(self) -> Records:
        """The records that stand behind one that is spoilt."""
        behind = os.fstat(self._index).st_size - self._read
        return _right_records(_pread(self._index, behind, self._read))

    def _cut_index(self) -> None:
        """Cut off what a machine that crashed has left: a record behind it would never be read, and readers
        would take it for news.
        """
        if self.has_news():
            os.ftruncate(self._index, self._read)
            self._allotted = 0

    def recover(self) -> Records:
        """Find the blobs that are whole and that the index lacks, put them into it, and cut off the rest of
        both; answers the records that are new in it. For the owner, to be called while `changing` and after
        `news`.
        """
        is_spoilt = self.has_news()
        # Bytes of it may have been given back since: the pack alone does not tell it.
        rest = self._rest()
        found = self._scan(self.end)
        rest = rest[(rest["kind"] != PUT) | ~np.isin(rest["offset"], found["offset"])]
        known = np.concatenate([found, rest])
        more = self._scan(_end_of(known, self.end))
        recovered: Records = np.concatenate([known, more])
        if is_spoilt:
            recovered = np.concatenate([recovered, self._lost(recovered)])
        end = _end_of(recovered, self.end)
        if os.fstat(self.descriptor).st_size > end:
            os.ftruncate(self.descriptor, end)
        self._cut_index()
        if len(recovered):
            flush_bytes(self.descriptor)
            self.append_records(recovered.tobytes(), flush=bool((recovered["kind"] != PUT).any()))
        return recovered

    def _lost(self, recovered: Records) -> Records:
        """Deletions of the blobs whose bytes are not what was put. What cannot be read any more of an index
        may have been the deletion of any of them, whose room was given back.
        """
        known = np.concatenate([read_records(_pread(self._index, self._read, 0)), recovered])
        put = known[known["kind"] == PUT]
        put = put[~np.isin(put["offset"], known["offset"][known["kind"] != PUT])]
        records = b""
        for _, _, digest, offset, size, crc32, *_ in put.tolist():
            if zlib.crc32(_pread(self.descriptor, size, offset)) != crc32:
                name = digest.ljust(32, b"\0")
                # Deleted, or else spoilt itself: it is better missed than read.
                log.warning("bytes are not those that were put, and count as deleted", sha256=name.hex())
                records += write_record(DELETED, name, offset, size, 0)
        return np.frombuffer(records, RECORD)

    def _scan(self, end: int) -> Records:
        """The records of the blobs that lie whole beside each other from a place on."""
        found = [np.zeros(0, RECORD)]
        while len(record := read_records(_pread(self.descriptor, RECORD_BYTES, end))):
            length = int(record["size"][0])
            if int(record["offset"][0]) != end + RECORD_BYTES:
                break
            data = _pread(self.descriptor, length, end + RECORD_BYTES)
            if len(data) < length or zlib.crc32(data) != int(record["crc32"][0]):
                break
            found.append(record)
            end += RECORD_BYTES + length
        return np.concatenate(found)

    def allocated(self) -> int:
        """Bytes that the pack takes on the disk."""
        return os.fstat(self.descriptor).st_blocks * 512

    def free(self, begin: int, end: int) -> bool:
        """Give the room of dead bytes back, as far as whole blocks of the disk lie in it. False where the
        file system cannot.
        """
        if begin >= end or _punch(self.descriptor, begin, end - begin):
            return True
        log.warning(
            "the file system cannot give back parts of files; the room of deleted images comes back only"
            " when all of a pack are deleted",
            pack=str(self.path),
        )
        return False

    def remove(self) -> None:
        """Remove the files, of which nothing is needed any more. For the owner."""
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(INDEX).unlink(missing_ok=True)


def make_pack(temporary: Path, path: Path, number: int) -> Pack:
    """A new pack, which is owned before anybody sees it."""
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.rename(temporary, path)
    except BaseException:
        os.close(descriptor)
        temporary.unlink(missing_ok=True)
        raise
    pack = Pack(path, number, descriptor)
    pack.owned = True
    return pack


def pwrite(descriptor: int, parts: Sequence[Buffer], offset: int) -> None:
    """Write all of some bytes at a place of a file."""
    for first in range(0, len(parts), _MOST_PARTS):
        waiting = list(parts[first : first + _MOST_PARTS])
        while waiting:
            written = os.pwritev(descriptor, waiting, offset)
            offset += written
            # Nearly always all of them.
            while waiting and written >= len(waiting[0]):
                written -= len(waiting.pop(0))
            if waiting:
                waiting[0] = memoryview(waiting[0])[written:]


def _pread(descriptor: int, size: int, offset: int) -> bytes:
    """The bytes at a place of a file, fewer where it ends."""
    found = b""
    while size > len(found) and (more := os.pread(descriptor, size - len(found), offset + len(found))):
        found += more
    return found


def flush_bytes(descriptor: int) -> None:
    """Wait until what was written has reached the disk, and the size of the file."""
    # macOS has no fdatasync.
    getattr(os, "fdatasync", os.fsync)(descriptor)


def _lock_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _punch(descriptor: int, offset: int, length: int) -> bool:
    """Give blocks of a file back; they read as zeros. False where the file system cannot."""
    return _fallocated(descriptor, _PUNCH_HOLE_KEEP_SIZE, offset, length)


def _fallocated(descriptor: int, mode: int, offset: int, length: int) -> bool:
    """fallocate(2); False where the file system cannot."""
    if (fallocate := _fallocate()) is None:
        return False
    if fallocate(descriptor, mode, offset, length) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EOPNOTSUPP, errno.ENOSYS):
        return False
    raise OSError(number, os.strerror(number))


@cache
def _fallocate() -> "ctypes._NamedFuncPointer | None":
    function: ctypes._NamedFuncPointer | None = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
    if function is not None:
        function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
        function.restype = ctypes.c_int
    return function
