"""Thumbnails as they are asked for: drawn once, then read from the blob store."""

import hashlib

import asyncpg

from annotateforge.dataset.images import ImageFacts
from annotateforge.dataset.inspector import Inspector
from annotateforge.dataset.store.thumbnails import find_thumbnail, keep_thumbnail
from annotateforge.dataset.thumbnails import thumbnail_etag
from annotateforge.runtime.blob_claims import claiming
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import NotFound

KEPT_SIZES = frozenset((64, 128, 256, 512))
"""Sizes in pixels of which thumbnails are kept; others are drawn each time, or anybody could
fill the store."""


class DrawnThumbnails:
    """Draws thumbnails and keeps them for as long as an image of these bytes is there."""

    def __init__(self, pool: Pool, blobs: BlobStore, inspector: Inspector) -> None:
        self._pool = pool
        self._blobs = blobs
        self._inspector = inspector

    async def get(self, image: ImageFacts, size: int) -> bytes:
        """The JPEG of an image whose longest side is `size` pixels. FailedPrecondition IMAGE_NOT_DRAWABLE."""
        etag = thumbnail_etag(image.sha256, size)
        if size in KEPT_SIZES:
            async with self._pool.acquire() as connection:
                digest = await find_thumbnail(connection, image.sha256, size, etag)
            if digest is not None:
                try:
                    return await self._blobs.get(digest.hex())
                except NotFound:
                    # It only costs drawing it again.
                    pass
        data = await self._blobs.get(image.sha256.hex())
        thumbnail = await self._inspector.thumbnail(data, image.format, size)
        if size in KEPT_SIZES:
            await self._keep(image.sha256, size, etag, thumbnail)
        return thumbnail

    async def _keep(self, source: bytes, size: int, etag: str, thumbnail: bytes) -> None:
        digest = hashlib.sha256(thumbnail).digest()
        try:
            async with claiming(self._pool) as claims:
                await claims.claim([(digest, len(thumbnail))])
                await self._blobs.put_bytes(thumbnail, digest.hex())
                async with self._pool.acquire() as connection, connection.transaction():
                    await keep_thumbnail(connection, source, size, etag, digest)
                    await claims.give_back(connection)
        except asyncpg.ForeignKeyViolationError:
            # The image was deleted while it was drawn; whoever asked still gets what they asked for.
            pass
