"""Runs the decoding of images in threads of its own, so that no other work of the service waits behind it."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

from annotateforge.dataset.conversion import convert, is_convertible
from annotateforge.dataset.decoding import DecodingMemory
from annotateforge.dataset.images import ImageFacts, ImageFormat, ImageLimits, ImageRefused
from annotateforge.dataset.inspection import inspect
from annotateforge.dataset.thumbnails import draw_thumbnail

T = TypeVar("T")
U = TypeVar("U")

_PIECE_IMAGES = 16
_PIECE_BYTES = 1 << 20
"""A thread takes so many images, or bytes of them, at a time: a hop for each would cost as much as looking at
it, and with many more others would wait."""


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

    async def inspect(
        self, images: Sequence[bytes], *, fingerprint_later: bool = False
    ) -> list["Inspected | ImageRefused"]:
        """Each encoded image as it is taken, or why it cannot be; see inspect in `inspection`."""
        look = partial(self._inspect, fingerprint_later=fingerprint_later)
        return await self._for_each(images, [len(data) for data in images], look)

    async def thumbnail(self, data: bytes, image_format: ImageFormat, size: int) -> bytes:
        """See draw_thumbnail."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, draw_thumbnail, data, image_format, size, self._memory
        )

    async def _for_each(self, images: Sequence[U], sizes: Sequence[int], look: Callable[[U], T]) -> list[T]:
        """What `look` answers for each image, in pieces of these sizes in bytes."""
        loop = asyncio.get_running_loop()
        pieces = await asyncio.gather(
            *(
                loop.run_in_executor(self._threads, _map, look, images[first:last])
                for first, last in _pieces(sizes)
            )
        )
        return [found for piece in pieces for found in piece]

    def _inspect(self, data: bytes, *, fingerprint_later: bool) -> "Inspected | ImageRefused":
        try:
            if len(data) > self.limits.size_bytes or not is_convertible(data):
                return Inspected(
                    inspect(data, self.limits, self._memory, fingerprint_later=fingerprint_later), data
                )
            converted = convert(data, self.limits, self._memory)
            facts = inspect(converted.data, self.limits, self._memory, fingerprint_later=fingerprint_later)
            return Inspected(replace(facts, converted=converted.remark), converted.data)
        except ImageRefused as refusal:
            return refusal


def _map(look: Callable[[U], T], images: Sequence[U]) -> list[T]:
    return [look(image) for image in images]


def _pieces(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last, the latter excluded, of the images that a thread takes at a time."""
    first = count = 0
    for at, size in enumerate(sizes, start=1):
        count += size
        if at - first == _PIECE_IMAGES or count >= _PIECE_BYTES or at == len(sizes):
            yield first, at
            first, count = at, 0


@contextlib.contextmanager
def inspecting(limits: ImageLimits, threads: int) -> Iterator[Inspector]:
    """An inspector for the time of the context; what it has begun is finished before the context ends."""
    with ThreadPoolExecutor(threads, thread_name_prefix="image") as executor:
        try:
            yield Inspector(limits, executor)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
