"""The images of data sets side by side in the blob store, in the order in which archives have them."""

import asyncio
from collections import deque
from contextlib import AbstractAsyncContextManager

from annotateforge.dataset.manifest import Manifest
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.heap import trim_heap
from annotateforge.runtime.sweep import Sweep

_EVERY = 3600.0
"""Seconds; nothing comes without waking it."""
_PAUSE = 1.0
"""Seconds before it begins: who opens an archive waits for its first bytes."""
_MOST_WAITING = 16
"""Data sets that wait; of more, those that have waited longest are left as they are."""


class Arranger:
    """Has the store lay the images of data sets in order, one data set after another in the background. All
    data sets have their images by digest, so that what is in order for one is so for others.
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        # The digests of each one's images, one after another.
        self._waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._sweep = Sweep("arranging of images", self._more, _EVERY)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Arrange for the time of the context."""
        return self._sweep.running()

    def later(self, manifest: Manifest) -> None:
        """Arrange the images of a data set soon. What is in order already is left alone."""
        digests = manifest.records["sha256"].tobytes()
        # Data sets of the same images differ in their splits.
        if digests not in self._waiting:
            self._waiting.append(digests)
        asyncio.get_running_loop().call_later(_PAUSE, self._sweep.wake)

    async def _more(self) -> bool:
        if self._waiting:
            digests = await asyncio.to_thread(_in_hexadecimal, self._waiting.popleft())
            await self._blobs.arrange(digests)
            del digests
            # Some ten megabytes for 100,000 images, which nobody needs before the next data set.
            await asyncio.to_thread(trim_heap)
        return bool(self._waiting)


def _in_hexadecimal(digests: bytes) -> list[str]:
    digits = digests.hex()
    return [digits[at : at + 64] for at in range(0, len(digits), 64)]
