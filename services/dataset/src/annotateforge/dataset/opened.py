"""Archives that were asked for lately, kept laid out."""

import asyncio
from collections import OrderedDict

from annotateforge.dataset.archive import Archive, lay_out
from annotateforge.dataset.arranging import Arranger
from annotateforge.dataset.manifest import read_manifest
from annotateforge.dataset.streaming import blob_missing
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.errors import NotFound

_MOST_BYTES = 32 * 1024**2
_LOAD_TIMEOUT = 120.0


class OpenedArchives:
    """Lays archives out and keeps those used last, up to so many bytes of memory."""

    def __init__(self, blobs: BlobStore, arranger: Arranger, most_bytes: int = _MOST_BYTES) -> None:
        self._blobs = blobs
        self._arranger = arranger
        self._most_bytes = most_bytes
        self._archives: OrderedDict[bytes, Archive] = OrderedDict()
        self._bytes = 0
        # One at a time: callers who come for the same archive find it when it is their turn.
        self._loading = asyncio.Lock()

    async def open(self, digest: bytes) -> Archive:
        """The archive of the manifest of that digest. Internal BLOB_MISSING when it is not there or
        damaged.
        """
        if archive := self._recall(digest):
            return archive
        async with self._loading:
            if archive := self._recall(digest):
                return archive
            archive = await self._load(digest)
            # It is arranged again, because whoever froze it may have died before.
            self.keep(archive)
            return archive

    def keep(self, archive: Archive) -> None:
        """Keep an archive that is laid out, for whoever asks for it next, and have its images arranged."""
        self._arranger.later(archive.manifest)
        digest = archive.manifest.digest
        if (former := self._archives.pop(digest, None)) is not None:
            self._bytes -= former.memory
        self._archives[digest] = archive
        self._bytes += archive.memory
        while self._bytes > self._most_bytes and len(self._archives) > 1:
            _, oldest = self._archives.popitem(last=False)
            self._bytes -= oldest.memory

    def _recall(self, digest: bytes) -> Archive | None:
        archive = self._archives.get(digest)
        if archive is not None:
            self._archives.move_to_end(digest)
        return archive

    async def _load(self, digest: bytes) -> Archive:
        try:
            async with asyncio.timeout(_LOAD_TIMEOUT):
                data = await self._blobs.get(digest.hex())
        except NotFound as error:
            raise blob_missing(digest.hex(), "is not there") from error
        archive = await asyncio.to_thread(_lay_out, data, digest)
        if archive is None:
            raise blob_missing(digest.hex(), "is damaged")
        return archive


def _lay_out(data: bytes, digest: bytes) -> Archive | None:
    try:
        manifest = read_manifest(data)
    except ValueError:
        return None
    return lay_out(manifest) if manifest.digest == digest else None
