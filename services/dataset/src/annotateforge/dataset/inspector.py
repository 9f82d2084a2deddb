"""Runs the decoding of images in threads of its own, so that no other work of the service waits behind it."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

from annotateforge.dataset.conversion import convert, is_convertible
from annotateforge.dataset.decoding import DecodingMemory
from annotateforge.dataset.images import ImageFacts, ImageFormat, ImageLimits, ImageRefused
from annotateforge.dataset.inspection import inspect, look_again
from annotateforge.dataset.thumbnails import draw_thumbnail


class Inspected(NamedTuple):
    """An image that can be taken."""

    facts: ImageFacts
    data: bytes
    """Its bytes as they are kept: as they came, unless it was converted."""


class Inspector:
    """Decodes images in a few threads; Pillow lets go of the interpreter while it does."""

    def __init__(self, limits: ImageLimits, threads: ThreadPoolExecutor) -> None:
        self.limits = limits
        self._threads = threads
        self._memory = DecodingMemory()

    async def inspect(self, images: Sequence[bytes]) -> list["Inspected | ImageRefused"]:
        """Each encoded image as it is taken, or why it cannot be."""
        loop = asyncio.get_running_loop()
        return await asyncio.gather(
            *(loop.run_in_executor(self._threads, self._inspect, data) for data in images)
        )

    async def look_again(self, data: bytes, image_format: ImageFormat) -> bytes:
        """See look_again in `inspection`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, look_again, data, image_format, self._memory)

    async def thumbnail(self, data: bytes, image_format: ImageFormat, size: int) -> bytes:
        """See draw_thumbnail."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, draw_thumbnail, data, image_format, size, self._memory
        )

    def _inspect(self, data: bytes) -> "Inspected | ImageRefused":
        try:
            if len(data) > self.limits.size_bytes or not is_convertible(data):
                return Inspected(inspect(data, self.limits, self._memory), data)
            converted = convert(data, self.limits, self._memory)
            facts = inspect(converted.data, self.limits, self._memory)
            return Inspected(replace(facts, converted=converted.remark), converted.data)
        except ImageRefused as refusal:
            return refusal


@contextlib.contextmanager
def inspecting(limits: ImageLimits, threads: int) -> Iterator[Inspector]:
    """An inspector for the time of the context; what it has begun is finished before the context ends."""
    with ThreadPoolExecutor(threads, thread_name_prefix="image") as executor:
        try:
            yield Inspector(limits, executor)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
