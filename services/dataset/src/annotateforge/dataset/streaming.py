"""Sending archives: bytes of the blobs under a range, read a few megabytes ahead and cut into even chunks."""

import contextlib
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import accumulate, pairwise

import structlog

from annotateforge.dataset.archive import Archive, ImageFiles, LabelFiles, Piece, Span
from annotateforge.runtime.blobs import BATCH_BYTES, CHUNK, DIGEST_BYTES, BlobStore, Buffer, hexadecimal
from annotateforge.runtime.errors import DomainError, Internal, NotFound

_WINDOW = 512
"""Spans that are planned at once."""
_FIRST_TEXTS = 128 * 1024
"""Bytes of texts that are read at first, so that the first bytes leave soon."""
_GAP = 16 * 1024
"""Bytes between two texts that are rather read than the second one sought."""

log = structlog.get_logger()


async def stream_archive(
    archive: Archive, blobs: BlobStore, begin: int, end: int
) -> AsyncIterator[list[Buffer]]:
    """The bytes `begin` to `end` of an archive, the latter excluded, in chunks of CHUNK, the last one
    shorter, each as parts that whoever sends it joins.

    Only blobs under the range are read, and a few megabytes at a time. Internal BLOB_MISSING when one of
    them is not there or not as long as the manifest says.
    """
    waiting: list[Buffer] = []
    async for parts in _parts(archive, blobs, begin, end):
        waiting += parts
        ends = list(accumulate(map(len, waiting)))
        first = start = 0
        while ends and ends[-1] - start >= CHUNK:
            start += CHUNK
            last = bisect_left(ends, start, first)
            chunk = waiting[first : last + 1]
            # Cut before they are joined, so that every byte is copied once.
            if over := ends[last] - start:
                view = memoryview(chunk[-1])
                chunk[-1], waiting[last] = view[:-over], view[-over:]
                first = last
            else:
                first = last + 1
            yield chunk
        del waiting[:first]
    if waiting:
        yield waiting


async def _parts(archive: Archive, blobs: BlobStore, begin: int, end: int) -> AsyncIterator[list[Buffer]]:
    """The parts of a range in order, several at once."""
    plan = archive.plan(begin, end)
    pack = archive.manifest.label_pack.hex()
    piece = next(plan, None)
    first = True
    while piece is not None:
        following: Piece | None = None
        match piece:
            case bytes():
                yield [piece]
            case LabelFiles():
                labels = _LabelRun(piece, plan, _FIRST_TEXTS if first else BATCH_BYTES)
                async for text in labels.read(blobs, pack):
                    yield [text]
                following, first = labels.following, False
            case ImageFiles():
                run = _ImageRun(piece, plan)
                async for parts in run.read(blobs):
                    yield parts
                following = run.following
            case Span():
                async for part in read_blob(blobs, piece.image, piece.offset, piece.length):
                    yield [part]
        piece = following or next(plan, None)


class _LabelRun:
    """Label files in a row, read at once: each reading waits for a thread."""

    def __init__(self, piece: LabelFiles, plan: Iterator[Piece], most_bytes: int) -> None:
        """`most_bytes` of texts, unless the first piece has more."""
        self._pieces = [piece]
        self._length = sum(piece.sizes)
        self.following = next(plan, None)
        """The piece after them; None at the end."""
        while isinstance(self.following, LabelFiles) and self._length < most_bytes:
            self._pieces.append(self.following)
            self._length += sum(self.following.sizes)
            self.following = next(plan, None)

    async def read(self, blobs: BlobStore, pack: str) -> AsyncIterator[bytes]:
        """Headers and texts in turn. They are small: one part is handled faster than thousands, for all that
        it is a copy more.
        """
        text = await read_part(blobs, pack, self._pieces[0].offset, self._length)
        at = 0
        for piece in self._pieces:
            cuts = list(accumulate(piece.sizes, initial=at))
            at = cuts[-1]
            yield b"".join(_beside(piece.headers, [text[begin:end] for begin, end in pairwise(cuts)]))


class _ImageRun:
    """All pieces in a row that are images: read as one, so that what is read ahead does not end with each."""

    def __init__(self, first: ImageFiles, plan: Iterator[Piece]) -> None:
        self.following: Piece | None = None
        """The piece after them; None while there are more, and at the end."""
        self._first = first
        self._plan = plan
        self._headers: list[bytes] = []
        self._sizes: list[int] = []
        self._digests = bytearray()

    def _pull(self) -> Iterator[bytes]:
        """Their digests, as they are needed."""
        piece: Piece | None = self._first
        while isinstance(piece, ImageFiles):
            self._headers += piece.headers
            self._sizes += piece.sizes
            self._digests += piece.digests
            yield piece.digests
            piece = next(self._plan, None)
        self.following = piece

    async def read(self, blobs: BlobStore) -> AsyncIterator[list[Buffer]]:
        """Headers and images in turn."""
        with _missing_blobs():
            async for batch in blobs.read_many(self._pull()):
                count = len(batch)
                _check_sizes(self._digests, self._sizes, batch)
                yield _beside(self._headers[:count], batch)
                del self._headers[:count], self._sizes[:count], self._digests[: count * DIGEST_BYTES]


def _beside(headers: Sequence[bytes], contents: Sequence[Buffer]) -> list[Buffer]:
    """Header, content, header, content, …"""
    parts: list[Buffer] = [b""] * (2 * len(contents))
    parts[::2], parts[1::2] = headers, contents
    return parts


async def _read_images(blobs: BlobStore, spans: Sequence[Span]) -> AsyncIterator[list[Buffer]]:
    """Whole images in the batches in which the store reads them."""
    number = 0
    with _missing_blobs():
        digests = bytes.fromhex("".join(span.image for span in spans))
        async for batch in blobs.read_many([digests]):
            read = spans[number : number + len(batch)]
            _check_sizes(digests[number * DIGEST_BYTES :], [span.length for span in read], batch)
            number += len(batch)
            yield batch


def _check_sizes(digests: bytes | bytearray, sizes: Sequence[int], contents: Sequence[Buffer]) -> None:
    """Check that images are as long as their manifest says; there may be more digests than images."""
    if list(map(len, contents)) == sizes[: len(contents)]:
        return
    for sha256, size, content in zip(hexadecimal(digests), sizes, contents, strict=False):
        if len(content) != size:
            raise blob_missing(sha256, f"has {len(content)} bytes and should have {size}")


@contextlib.contextmanager
def _missing_blobs() -> Iterator[None]:
    """A missing blob as the damage that it is to a data set."""
    try:
        yield
    except NotFound as error:
        raise blob_missing(error.metadata.get("sha256", ""), "is not there") from error


async def stream_images(
    blobs: BlobStore, images: Sequence[tuple[str, int]]
) -> AsyncIterator[tuple[str, bytes, bool]]:
    """Whole images, given by digest and size, one after another: digest, at most CHUNK bytes, and whether
    they are the image's last ones.
    """
    spans = [Span(size, None, sha256, 0, whole=True) for sha256, size in images]
    for first in range(0, len(spans), _WINDOW):
        window = spans[first : first + _WINDOW]
        batches = _read_images(blobs, [span for span in window if _fits(span)])
        read: Iterator[Buffer] = iter(())
        for span in window:
            left = span.length
            if _fits(span):
                data = next(read, None)
                if data is None:
                    read = iter(await anext(batches))
                    data = next(read)
                for at in range(0, left, CHUNK):
                    yield span.image, bytes(data[at : at + CHUNK]), at + CHUNK >= left
            else:
                async for chunk in read_blob(blobs, span.image, 0, span.length):
                    left -= len(chunk)
                    yield span.image, chunk, left == 0


async def join_images(
    blobs: BlobStore, images: Sequence[tuple[str, int]]
) -> AsyncIterator[tuple[bytes, bool]]:
    """Whole images one after another in chunks of at least CHUNK bytes but for the last one, and whether
    it is that.
    """
    waiting: list[bytes] = []
    held = 0
    async for _, chunk, _ in stream_images(blobs, images):
        if held >= CHUNK:
            yield b"".join(waiting), False
            waiting, held = [], 0
        waiting.append(chunk)
        held += len(chunk)
    yield b"".join(waiting), True


async def stream_texts(archive: Archive, blobs: BlobStore, spans: Sequence[Span]) -> AsyncIterator[bytes]:
    """The bytes of files, given by `Archive.text`, one after another in chunks of at most CHUNK."""
    pack = archive.manifest.label_pack.hex()
    at = 0
    while at < len(spans):
        first, size, end = at, 0, at
        # Near ones are read together, and what lies between them too.
        while end < len(spans) and end - first < _WINDOW and size < CHUNK:
            if end > first and _apart(spans[end - 1], spans[end]):
                break
            size += spans[end].length
            end += 1
        run, at = spans[first:end], end
        begin, stop = run[0].offset, run[-1].offset + run[-1].length
        if run[0].inline is not None:
            text = run[0].inline
        else:
            text = await read_part(blobs, pack, begin, stop - begin)
        joined = b"".join([text[span.offset - begin : span.offset - begin + span.length] for span in run])
        for cut in range(0, len(joined), CHUNK):
            yield joined[cut : cut + CHUNK]


def _apart(one: Span, other: Span) -> bool:
    """Whether two texts are not read together."""
    if one.inline is not None or other.inline is not None:
        return True
    return other.offset - (one.offset + one.length) > _GAP


async def read_part(blobs: BlobStore, sha256: str, offset: int, length: int) -> bytes:
    """A part of a blob that a manifest names, at once. Internal BLOB_MISSING when it is not all there."""
    try:
        part = await blobs.get(sha256, offset, length)
    except NotFound as error:
        raise blob_missing(sha256, "is not there") from error
    if len(part) < length:
        raise blob_missing(sha256, f"ends {length - len(part)} bytes too early")
    return part


async def read_blob(blobs: BlobStore, sha256: str, offset: int, length: int) -> AsyncIterator[bytes]:
    """A part of a blob that a manifest names, in chunks. Internal BLOB_MISSING when it is not all there."""
    left = length
    try:
        async for chunk in blobs.stream(sha256, offset, length, CHUNK):
            left -= len(chunk)
            yield chunk
    except NotFound as error:
        raise blob_missing(sha256, "is not there") from error
    if left:
        raise blob_missing(sha256, f"ends {left} bytes too early")


def _fits(span: Span) -> bool:
    """Whether a span is an image that is read whole, together with others."""
    return span.whole and span.length <= BATCH_BYTES


def blob_missing(sha256: str, what: str) -> DomainError:
    """The error for a blob that a data set needs and that cannot be read; also logged."""
    log.error("blob of a data set is damaged", sha256=sha256, problem=what)
    return Internal(
        "BLOB_MISSING",
        f"The data set cannot be read: the stored blob {sha256} {what}."
        " Restore the blob store from a backup, or delete the data set and freeze it again.",
        metadata={"sha256": sha256},
    )
