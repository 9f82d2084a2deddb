"""Brings what a data set consists of from the dataset service: its list of files, images and texts."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from itertools import islice

from annotateforge.api.dataset.v1.dataset_pb2 import Dataset
from annotateforge.api.dataset.v1.dataset_service_pb2 import (
    DownloadBlobsRequest,
    DownloadTextsRequest,
    GetManifestRequest,
)
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.trainer.worker.content import persistently, unstalled
from annotateforge.trainer.worker.dataset_files import DatasetFile, DatasetFiles
from annotateforge.trainer.worker.failures import ContentDamaged

MOST_IMAGES = 10_000
"""Images that are asked for at once, as many as the service takes."""
MOST_TEXTS = 100_000
"""Texts that are asked for at once."""

Progress = Callable[[int, int], None]
"""Told bytes that have come and bytes in all."""


class DatasetDownload:
    """One data set on its way. Streams that break or stall are opened again for what is lacking.

    Its methods raise DomainError when the service will not give it, and ContentDamaged when it gives
    something else.
    """

    def __init__(self, dataset: Dataset, stub: DatasetServiceStub, progress: Progress) -> None:
        self._dataset = dataset
        self._stub = stub
        self._progress = progress
        self._what = f"data set {dataset.id}"
        self._done = 0
        self.total = 0
        """Bytes of images and texts that will be brought."""

    async def files(self) -> DatasetFiles:
        """The list of all files."""
        request = GetManifestRequest(dataset_id=self._dataset.id)
        found: list[DatasetFile] = []
        labels_sha256 = ""
        complete = False

        async def pages() -> AsyncGenerator[None]:
            nonlocal labels_sha256, complete
            found.clear()
            async with contextlib.aclosing(unstalled(self._stub.GetManifest(request))) as messages:
                async for message in messages:
                    labels_sha256 = message.labels_sha256 or labels_sha256
                    found.extend(
                        DatasetFile(each.name, each.size_bytes, each.crc32, each.sha256)
                        for each in message.entries
                    )
                    yield
            # The service ends the stream of a list that is not complete with an error.
            complete = True

        async for _ in persistently(f"list of {self._what}", pages, lambda: complete):
            pass
        files = DatasetFiles(found, labels_sha256)
        files.check(self._dataset.total_images)
        return files

    async def images(self, sizes: Mapping[str, int]) -> AsyncGenerator[list[tuple[str, bytes]]]:
        """Images by digest, given with their sizes, in batches as they come; whether their bytes have that
        digest is not looked at.
        """
        left = dict(sizes)

        async def batches() -> AsyncGenerator[list[tuple[str, bytes]]]:
            asked: Mapping[str, int] = {}
            while left and asked.keys().isdisjoint(left):
                asked = dict(islice(left.items(), MOST_IMAGES))
                request = DownloadBlobsRequest(dataset_id=self._dataset.id, sha256=asked, joined=True)
                cutter, names = Cutter(list(asked.values())), iter(asked)
                async with contextlib.aclosing(unstalled(self._stub.DownloadBlobs(request))) as messages:
                    async for message in messages:
                        batch = [(next(names), content) for content in cutter.feed(message.chunk)]
                        for sha256, content in batch:
                            del left[sha256]
                            self._tell(len(content))
                        yield batch

        found = persistently(f"images of {self._what}", batches, lambda: not left)
        async with contextlib.aclosing(found) as all_batches:
            async for batch in all_batches:
                yield batch

    async def texts(self, sizes: Mapping[int, int]) -> dict[int, bytes]:
        """Texts by their positions, given with their sizes, ascending."""
        found: dict[int, bytes] = {}
        left = dict(sizes)

        async def pieces() -> AsyncGenerator[None]:
            asked: Mapping[int, int] = {}
            while left and asked.keys().isdisjoint(left):
                asked = dict(islice(left.items(), MOST_TEXTS))
                request = DownloadTextsRequest(dataset_id=self._dataset.id, positions=asked)
                cutter, positions = Cutter(list(asked.values())), iter(asked)
                async with contextlib.aclosing(unstalled(self._stub.DownloadTexts(request))) as messages:
                    async for message in messages:
                        for content in cutter.feed(message.chunk):
                            position = next(positions)
                            found[position] = content
                            del left[position]
                            self._tell(len(content))
                        yield
                # Of files that are empty nothing comes.
                if not cutter.unfinished:
                    for position in positions:
                        found[position] = b""
                        del left[position]

        async for _ in persistently(f"texts of {self._what}", pieces, lambda: not left):
            pass
        return found

    def _tell(self, size: int) -> None:
        self._done += size
        self._progress(self._done, self.total)


class Cutter:
    """Cuts files of known sizes out of one stream of bytes."""

    def __init__(self, sizes: list[int]) -> None:
        self._sizes = sizes
        self._next = 0
        self._parts: list[bytes] = []
        self._held = 0

    @property
    def unfinished(self) -> bool:
        """Whether bytes are still to come."""
        return any(self._sizes[self._next :])

    def feed(self, chunk: bytes) -> list[bytes]:
        """The files that are complete with the next bytes. ContentDamaged when more come than there are."""
        self._parts.append(chunk)
        self._held += len(chunk)
        sizes = self._sizes
        if self._next < len(sizes) and self._held < sizes[self._next]:
            return []
        data, at, files = b"".join(self._parts), 0, []
        while self._next < len(sizes) and at + sizes[self._next] <= len(data):
            files.append(data[at : at + sizes[self._next]])
            at += sizes[self._next]
            self._next += 1
        if self._next == len(sizes) and at < len(data):
            raise ContentDamaged("more bytes came than were asked for")
        self._parts, self._held = [data[at:]], len(data) - at
        return files
