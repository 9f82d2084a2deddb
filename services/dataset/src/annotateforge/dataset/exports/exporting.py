"""Exporting: the labels of a project are written once into a file without name, which gives the layout; then
the zip is put together while it is sent.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from typing import IO
from uuid import UUID

from annotateforge.dataset.annotations import Annotation
from annotateforge.dataset.exports.export_format import ExportFormat
from annotateforge.dataset.exports.layout import Layout
from annotateforge.dataset.exports.names import ExportNames
from annotateforge.dataset.images import Image, ImageFilter
from annotateforge.dataset.imports.image_table import IMAGE_TABLE, write_image_table
from annotateforge.dataset.imports.opening import Spool
from annotateforge.dataset.store.image_lists import list_images
from annotateforge.dataset.store.images import annotations_of_images, classes_of_project
from annotateforge.dataset.store.projects import get_project
from annotateforge.dataset.streaming import read_blob
from annotateforge.runtime.blobs import CHUNK, BlobStore
from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import DeadlineExceeded

_PAGE = 200
_LONGEST_SECONDS = 600.0
"""For writing the labels, not for sending."""


class Export:
    """A project as a zip, laid out."""

    def __init__(self, layout: Layout, pack: IO[bytes], blobs: BlobStore) -> None:
        self.layout = layout
        self._pack = pack
        self._blobs = blobs

    async def stream(self, begin: int, end: int) -> AsyncIterator[bytes]:
        """The bytes `begin` to `end` of the zip, the latter excluded, in chunks of about CHUNK.

        Internal BLOB_MISSING when an image was deleted since.
        """
        waiting: list[bytes] = []
        held = 0
        async for part in self._parts(begin, end):
            waiting.append(part)
            held += len(part)
            if held >= CHUNK:
                yield b"".join(waiting)
                waiting, held = [], 0
        if held:
            yield b"".join(waiting)

    async def _parts(self, begin: int, end: int) -> AsyncIterator[bytes]:
        layout = self.layout
        tail_at = layout.size - len(layout.tail)
        for at, header, size, sha256, pack_at in layout.entries(begin):
            if at >= end:
                return
            if part := header[max(begin - at, 0) : end - at]:
                yield part
            data_at = at + len(header)
            first, last = max(begin - data_at, 0), min(end - data_at, size)
            if first >= last:
                continue
            if sha256:
                async for chunk in read_blob(self._blobs, sha256, first, last - first):
                    yield chunk
            else:
                offset = pack_at + first
                for position in range(offset, offset + last - first, CHUNK):
                    yield await asyncio.to_thread(
                        self._read, position, min(CHUNK, offset + last - first - position)
                    )
        if part := layout.tail[max(begin - tail_at, 0) : max(end - tail_at, 0)]:
            yield part

    def _read(self, offset: int, length: int) -> bytes:
        self._pack.seek(offset)
        return self._pack.read(length)


async def lay_out_export(
    pool: Pool, blobs: BlobStore, spool: Spool, project_id: UUID, kind: type[ExportFormat], opened: ExitStack
) -> Export:
    """Write the labels of a project and lay the zip out; what it needs is closed with `opened`.

    All that is written is of one moment. NotFound PROJECT_NOT_FOUND, ResourceExhausted SPOOL_FULL,
    DeadlineExceeded EXPORT_TOO_SLOW.
    """
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            return await _laid_out(pool, blobs, spool, project_id, kind, opened)
    except TimeoutError as error:
        raise DeadlineExceeded(
            "EXPORT_TOO_SLOW",
            f"Writing the labels took longer than {_LONGEST_SECONDS:g} s and was given up. Try again when the"
            " server has less to do, or split the project.",
        ) from error


async def _laid_out(
    pool: Pool, blobs: BlobStore, spool: Spool, project_id: UUID, kind: type[ExportFormat], opened: ExitStack
) -> Export:
    pack = opened.enter_context(spool.file())
    layout = Layout(pack)
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await get_project(connection, project_id)
        format_ = kind(
            await classes_of_project(connection, project_id), lambda: opened.enter_context(spool.file())
        )
        for name, content in format_.fixed_files():
            layout.add_text(name, iter((content,)))
        names = ExportNames()
        images: list[tuple[str, Image]] = []
        after: str | None = None
        while True:
            page = await list_images(connection, project_id, ImageFilter(), after=after, limit=_PAGE)
            if not page:
                break
            after = page[-1].filename
            labelled = await annotations_of_images(connection, [image.id for image in page])
            placed = [(names.path(image.filename, image.facts.format), image) for image in page]
            images += placed
            files = [(path, image, labelled[image.id]) for path, image in placed]
            await asyncio.to_thread(_write, format_, files, layout, spool)
    await asyncio.to_thread(_finish, format_, images, layout)
    return Export(layout, pack, blobs)


def _write(
    format_: ExportFormat,
    files: Sequence[tuple[str, Image, Sequence[Annotation]]],
    layout: Layout,
    spool: Spool,
) -> None:
    for path, image, annotations in files:
        written = format_.write(path, image, annotations)
        if written is not None:
            name, content = written
            spool.reserve(len(content))
            layout.add_text(name, iter((content,)))


def _finish(format_: ExportFormat, images: Sequence[tuple[str, Image]], layout: Layout) -> None:
    for name, blocks in format_.rest():
        layout.add_text(name, blocks)
    if any(image.image_class or image.group for _, image in images):
        table = write_image_table((f"images/{path}", image) for path, image in images)
        layout.add_text(IMAGE_TABLE, table)
    layout.add_text("README.txt", _notes(format_, len(images)))
    for path, image in images:
        facts = image.facts
        layout.add_image(f"images/{path}", facts.size_bytes, facts.crc32, facts.sha256)
    layout.finish()


def _notes(format_: ExportFormat, images: int) -> Iterator[bytes]:
    yield f"{images} images with labels as {format_.name}.\n".encode()
    yield f"Image classes and groups, where there are any, are in {IMAGE_TABLE}.\n".encode()
    for note, count in format_.notes.items():
        yield f"{count} {note}.\n".encode()
