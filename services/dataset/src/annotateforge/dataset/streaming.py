"""Sending archives: bytes of the blobs under a range, read a few megabytes ahead and cut into even chunks."""

from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice

import structlog

from annotateforge.dataset.archive import Archive, Span
from annotateforge.runtime.blobs import BATCH_BYTES, CHUNK, BlobStore
from annotateforge.runtime.errors import DomainError, Internal, NotFound

_WINDOW = 512
"""Spans that are planned at once."""
_GAP = 16 * 1024
"""Bytes between two texts that are rather read than the second one sought."""

log = structlog.get_logger()


async def stream_archive(archive: Archive, blobs: BlobStore, begin: int, end: int) -> AsyncIterator[bytes]:
    """The bytes `begin` to `end` of an archive, the latter excluded, in chunks of CHUNK, the last one
    shorter.

    Only blobs under the range are read, and a few megabytes at a time. Internal BLOB_MISSING when one of
    them is not there or not as long as the manifest says.
    """
    waiting: list[bytes | memoryview] = []
    held = 0
    async for parts in _parts(archive, blobs, begin, end):
        for part in parts:
            size = len(part)
            if held + size < CHUNK:
                waiting.append(part)
                held += size
                continue
            # Cut before they are joined, so that every byte is copied once.
            view, at = memoryview(part), CHUNK - held
            waiting.append(view[:at])
            yield b"".join(waiting)
            while size - at >= CHUNK:
                yield bytes(view[at : at + CHUNK])
                at += CHUNK
            waiting, held = [view[at:]], size - at
    if held:
        yield b"".join(waiting)


async def _parts(archive: Archive, blobs: BlobStore, begin: int, end: int) -> AsyncIterator[list[bytes]]:
    """The parts of a range in order, several at once."""
    plan = archive.plan(begin, end)
    pack = archive.manifest.label_pack.hex()
    while window := list(islice(plan, _WINDOW)):
        images = _read_images(blobs, [span for span in window if _fits(span)])
        read: Iterator[bytes] = iter(())
        # The label files of a window follow one another in the pack.
        labels = [span for span in window if span.inline is None and not span.image]
        text, text_at = b"", 0
        if labels:
            text_at = labels[0].offset
            length = labels[-1].offset + labels[-1].length - text_at
            text = b"".join([part async for part in read_blob(blobs, pack, text_at, length)])
        parts: list[bytes] = []
        for span in window:
            if span.inline is not None:
                parts.append(span.inline)
            elif not span.image:
                parts.append(text[span.offset - text_at : span.offset - text_at + span.length])
            elif _fits(span):
                image = next(read, None)
                if image is None:
                    yield parts
                    parts = []
                    read = iter(await anext(images))
                    image = next(read)
                parts.append(image)
            else:
                yield parts
                parts = []
                async for part in read_blob(blobs, span.image, span.offset, span.length):
                    yield [part]
        yield parts


async def _read_images(blobs: BlobStore, spans: Sequence[Span]) -> AsyncIterator[list[bytes]]:
    """Whole images in the batches in which the store reads them."""
    number = 0
    try:
        async for batch in blobs.read_many([span.image for span in spans]):
            for span, data in zip(spans[number:], batch, strict=False):
                if len(data) != span.length:
                    raise blob_missing(span.image, f"has {len(data)} bytes and should have {span.length}")
            number += len(batch)
            yield batch
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
        read: Iterator[bytes] = iter(())
        for span in window:
            left = span.length
            if _fits(span):
                data = next(read, None)
                if data is None:
                    read = iter(await anext(batches))
                    data = next(read)
                for at in range(0, left, CHUNK):
                    yield span.image, data[at : at + CHUNK], at + CHUNK >= left
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
            text = b"".join([part async for part in read_blob(blobs, pack, begin, stop - begin)])
        joined = b"".join([text[span.offset - begin : span.offset - begin + span.length] for span in run])
        for cut in range(0, len(joined), CHUNK):
            yield joined[cut : cut + CHUNK]


def _apart(one: Span, other: Span) -> bool:
    """Whether two texts are not read together."""
    if one.inline is not None or other.inline is not None:
        return True
    return other.offset - (one.offset + one.length) > _GAP


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
