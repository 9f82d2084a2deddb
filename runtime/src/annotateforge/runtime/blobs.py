"""Content-addressed bytes: images, checkpoints and weights, kept under the SHA-256 of what they hold.

A blob never changes, so a key that exists is complete and right, and putting it again does nothing.
"""

import hashlib
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from annotateforge.runtime.errors import InvalidArgument, NotFound, ResourceExhausted

CHUNK = 512 * 1024
"""Bytes of a chunk of a stream: what gRPC carries fastest over loopback."""
BATCH_BYTES = 4 * 1024 * 1024
"""Bytes after which a batch of blobs is handed on."""
BATCH_BLOBS = 64
"""Most blobs of a batch."""
DIGEST_BYTES = 32
"""Bytes of a SHA-256."""

Buffer = bytes | memoryview

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """What is known of bytes that were stored while they came."""

    sha256: str
    """64 lower-case hexadecimal digits."""
    size_bytes: int
    crc32: int
    """As in ZIP."""


class BlobStore(ABC):
    """Where blobs are kept. Every `sha256` is 64 lower-case hexadecimal digits.

    Reading what is not there raises NotFound BLOB_NOT_FOUND; a store that does not answer, Unavailable
    STORE_UNAVAILABLE; a full disk, ResourceExhausted STORE_FULL. A writer that stops half-way leaves no blob.
    Deleting a blob while another caller puts the same bytes is for the callers to keep apart.
    """

    @staticmethod
    def open(url: str) -> "BlobStore":
        """The store behind `file:///folder` or `s3://bucket/prefix`. ValueError for any other address."""
        # Each kind brings what only it needs.
        parts = urlsplit(url)
        if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
            from annotateforge.runtime.local_blobs import LocalBlobs

            return LocalBlobs(Path(unquote(parts.path)))
        if parts.scheme == "s3" and parts.netloc:
            from annotateforge.runtime.bucket_blobs import BucketBlobs

            return BucketBlobs.of_s3(url)
        raise ValueError(f"{url!r} is no blob store; it is file:///folder or s3://bucket/prefix")

    @abstractmethod
    async def put_many(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        """Store several (sha256, data); when it returns all of them will outlast a crash of the machine."""

    async def put_bytes(self, data: bytes, sha256: str) -> None:
        """Store `data`, whose digest the caller has computed; does nothing when it is there already."""
        await self.put_many([(sha256, data)])

    @abstractmethod
    async def put_file(self, path: Path, sha256: str) -> None:
        """Store a copy of a file, whose digest the caller has computed."""

    async def put_stream(self, chunks: AsyncIterable[bytes], *, limit: int) -> StoredBlob:
        """Store bytes as they come, with digest, size and CRC-32 computed on the way; memory does not grow
        with them.

        ResourceExhausted BLOB_TOO_LARGE for more than `limit` bytes; nothing is kept then, nor when `chunks`
        raises.
        """
        digest, crc, size = hashlib.sha256(), 0, 0
        async with self._spool() as spool:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise ResourceExhausted(
                        "BLOB_TOO_LARGE", f"There are more than {limit} bytes, the most that is taken."
                    )
                digest.update(chunk)
                crc = zlib.crc32(chunk, crc)
                await spool.write(chunk)
            stored = StoredBlob(digest.hexdigest(), size, crc)
            await spool.keep(stored.sha256)
        return stored

    @abstractmethod
    def _spool(self) -> AbstractAsyncContextManager["Spool"]:
        """A place for bytes whose digest is not known yet; what was not kept is gone after the context."""

    @abstractmethod
    async def get(self, sha256: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes of a blob, or `length` of them from `offset`, fewer where it ends before."""

    @abstractmethod
    def stream(
        self, sha256: str, offset: int = 0, length: int | None = None, chunk_size: int = CHUNK
    ) -> AsyncIterator[bytes]:
        """The bytes in chunks of `chunk_size`, the last one shorter; holds a few chunks at a time."""

    @abstractmethod
    def read_many(self, digests: Iterable[bytes]) -> AsyncIterator[list[Buffer]]:
        """Whole blobs in the order of `digests`, in batches of up to BATCH_BLOBS or about BATCH_BYTES, with
        one batch read ahead where reading takes time. `digests` have DIGEST_BYTES for each blob, any number
        of them in a row, and are asked for as they are needed.

        For blobs that fit into memory; larger ones are streamed.
        """

    async def arrange(self, digests: Sequence[str]) -> None:  # noqa: B027 - most stores have nothing to do
        """Blobs will be read in this order, perhaps often: a store for which it matters lays them side by
        side. May take as long as writing all of them; ends early, with nothing lost, when it is cancelled.
        """

    @abstractmethod
    async def exists(self, sha256: str) -> bool:
        """Whether the blob is there."""

    @abstractmethod
    async def delete(self, digests: Sequence[str]) -> None:
        """Delete blobs; those that are not there are passed over."""


class Spool(ABC):
    """Bytes on their way into the store."""

    @abstractmethod
    async def write(self, chunk: bytes) -> None:
        """Append bytes."""

    @abstractmethod
    async def keep(self, sha256: str) -> None:
        """Turn what was written into the blob of this digest."""


def hexadecimal(digests: bytes | bytearray) -> list[str]:
    """Digests of DIGEST_BYTES each, as the store takes single ones."""
    digits = digests.hex()
    return [digits[at : at + 2 * DIGEST_BYTES] for at in range(0, len(digits), 2 * DIGEST_BYTES)]


def blob_key(sha256: str) -> str:
    """Path of a blob inside the store: `sha256/<first two digits>/<digest>`. InvalidArgument
    INVALID_DIGEST.
    """
    if not _SHA256.fullmatch(sha256):
        raise InvalidArgument("INVALID_DIGEST", "A digest is a SHA-256 in 64 lower-case hexadecimal digits.")
    return f"sha256/{sha256[:2]}/{sha256}"


def not_found(sha256: str) -> NotFound:
    """The error for a blob that is not there."""
    return NotFound("BLOB_NOT_FOUND", "The stored bytes are no longer there.", metadata={"sha256": sha256})
