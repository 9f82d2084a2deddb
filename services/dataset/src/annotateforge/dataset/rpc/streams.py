"""Streams of messages with deadlines: a header begins a content, chunks carry its bytes."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.runtime.blobs import Buffer
from annotateforge.runtime.errors import DeadlineExceeded, InvalidArgument

M = TypeVar("M")


async def messages(incoming: AsyncIterator[M], stall_seconds: float) -> AsyncIterator[M]:
    """The messages of a stream. DeadlineExceeded UPLOAD_STALLED when none comes for so long."""
    arriving = aiter(incoming)
    while True:
        try:
            async with asyncio.timeout(stall_seconds):
                message = await anext(arriving)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise DeadlineExceeded(
                "UPLOAD_STALLED",
                f"Nothing came for {stall_seconds:g} s, so the upload was given up. Send it again.",
            ) from error
        yield message


def chunk_of(part: api.ImportArchiveRequest | api.UploadImagesRequest | memoryview) -> Buffer | None:
    """What a chunk holds, whether it came as a message or in its place (`gets_content`); None for what is no
    chunk.
    """
    if isinstance(part, memoryview):
        return part
    return part.chunk if part.WhichOneof("part") == "chunk" else None


def unexpected_part(description: str) -> InvalidArgument:
    """The error for a stream whose parts do not come in their order."""
    return InvalidArgument.of_field("UNEXPECTED_PART", "part", description)
