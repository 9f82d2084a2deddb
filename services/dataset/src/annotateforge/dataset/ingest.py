"""Ingest: from the bytes of images to stored blobs and the facts about them."""

from collections.abc import Sequence

from annotateforge.dataset.images import ImageFacts, ImageRefused
from annotateforge.dataset.inspector import Inspected, Inspector
from annotateforge.dataset.store.fingerprints import put_fingerprints
from annotateforge.runtime.blob_claims import Claims
from annotateforge.runtime.blobs import BlobStore

BATCH_IMAGES = 512
BATCH_BYTES = 8 * 1024**2
"""A batch is taken in when it has as many images or bytes: enough for one claim and one flush to pay off."""


class Ingest:
    """Takes images in, batch by batch, for one upload or import."""

    def __init__(
        self, inspector: Inspector, blobs: BlobStore, claims: Claims, *, fingerprint_later: bool = False
    ) -> None:
        """With `fingerprint_later`, images that need not be decoded to be taken are left to `Backfill`."""
        self._inspector = inspector
        self._blobs = blobs
        self._claims = claims
        self._fingerprint_later = fingerprint_later

    async def take(self, images: Sequence[bytes]) -> list[ImageFacts | ImageRefused]:
        """Inspect encoded images and store those that are taken; for each its facts, or why it is refused.

        What is stored stays claimed until the claims are given back.
        """
        inspected = await self.inspect(images)
        await self.claim(inspected)
        return await self.store(inspected)

    async def inspect(self, images: Sequence[bytes]) -> list[Inspected | ImageRefused]:
        """Each encoded image as it can be taken, or why it is refused."""
        return await self._inspector.inspect(images, fingerprint_later=self._fingerprint_later)

    async def claim(self, inspected: Sequence[Inspected | ImageRefused]) -> None:
        """Claim what was inspected; it stays claimed until the claims are given back."""
        taken = [each.facts for each in inspected if isinstance(each, Inspected)]
        if taken:
            await self._claims.claim([(facts.sha256, facts.size_bytes) for facts in taken])
            await self._keep_fingerprints(taken)

    async def store(self, inspected: Sequence[Inspected | ImageRefused]) -> list[ImageFacts | ImageRefused]:
        """Store what was inspected and claimed."""
        # One entry per digest: an archive may hold the same picture many times.
        taken = {each.facts.sha256: each.data for each in inspected if isinstance(each, Inspected)}
        if taken:
            await self._blobs.put_many([(digest.hex(), data) for digest, data in taken.items()])
        return [each.facts if isinstance(each, Inspected) else each for each in inspected]

    async def _keep_fingerprints(self, taken: Sequence[ImageFacts]) -> None:
        """They belong to the claimed blobs and go with them, also when the ingest comes to nothing."""
        found = {facts.sha256: facts.fingerprint for facts in taken if facts.fingerprint is not None}
        if found:
            async with self._claims.pool.acquire() as connection:
                await put_fingerprints(connection, list(found.items()))
