"""What it costs a worker to bring a data set: by manifest and blobs into its cache, against the archive.

- cache: the list of files, the images and the labels that are lacking, links to them (the worker's way);
- archive: the archive, unpacked while it streams in, every file's CRC-32 checked.

Both begin with nothing and end with a folder that ultralytics can train on. Then one image in a hundred is
replaced by another one, and both bring the data set again. They take turns, and nothing is deleted before
the end; what is printed are medians over the rounds. The bytes are those on the line, counted by a relay in
a pass of its own.

    python -m benchmarks.dataset_fetch [--rounds N] [--copies N [N ...]]
"""

import argparse
import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import uvloop

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.annotation_pb2 import Annotation, Box
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.dataset.v1.image_pb2 import Image
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.telemetry import configure_logging
from annotateforge.trainer.worker.datasets import DatasetCache
from benchmarks import _blood_cells as cells
from benchmarks._unpacking import Unpacker

ROOMY = 10**12
WAYS = ("archive", "cache")


async def by_archive(client: DatasetServiceStub, dataset: dataset_pb2.Dataset, folder: Path) -> None:
    """Download and unpack, in a thread one chunk behind the download."""
    target = folder / dataset.digest
    target.mkdir(parents=True)
    with Unpacker(target) as unpacker:
        running = None
        async for message in client.DownloadArchive(api.DownloadArchiveRequest(dataset_id=dataset.id)):
            if running is not None:
                await running
            running = asyncio.create_task(asyncio.to_thread(unpacker.feed, message.chunk))
        assert running is not None
        await running
        unpacker.finish()


async def by_cache(client: DatasetServiceStub, dataset: dataset_pb2.Dataset, folder: Path) -> None:
    """What a worker does, beginning with what its folder holds."""
    await DatasetCache(folder, ROOMY).bring(dataset, client, lambda *_: None)


BRING: dict[str, Callable[[DatasetServiceStub, dataset_pb2.Dataset, Path], Awaitable[None]]] = {
    "archive": by_archive,
    "cache": by_cache,
}


async def change(client: DatasetServiceStub, project_id: str) -> int:
    """Replace every hundredth image; how many."""
    images: list[Image] = []
    token = ""
    while True:
        page = await client.ListImages(
            api.ListImagesRequest(project_id=project_id, page_size=1000, page_token=token)
        )
        images += page.images
        token = page.next_page_token
        if not token:
            break
    gone = images[::100][: max(1, len(images) // 100)]
    await client.DeleteImages(
        api.DeleteImagesRequest(project_id=project_id, image_ids=[image.id for image in gone])
    )
    contents = [content for _, content, _ in cells.copies(1)][: len(gone)]

    async def parts() -> AsyncIterator[api.UploadImagesRequest]:
        for number, content in enumerate(contents):
            header = api.UploadImagesHeader(project_id=project_id, filename=f"new {number}.jpg")
            yield api.UploadImagesRequest(header=header)
            comment = f"new {number}".encode()
            yield api.UploadImagesRequest(
                chunk=content[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + content[2:]
            )

    for image in (await client.UploadImages(parts())).images:
        boxes = [
            Annotation(class_label="RBC", box=Box(x_min=x, y_min=x, x_max=x + 90, y_max=x + 80))
            for x in range(0, 240, 20)
        ]
        await client.SetAnnotations(api.SetAnnotationsRequest(image_id=image.id, annotations=boxes))
    return len(contents)


class Relay:
    """Passes connections on to a service and counts what it answers."""

    def __init__(self, target: str) -> None:
        self._host, _, self._port = target.rpartition(":")
        self.answered = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        there, back = await asyncio.open_connection(self._host, int(self._port))
        await asyncio.gather(
            self._pass_on(reader, back, count=False), self._pass_on(there, writer, count=True)
        )

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, count: bool
    ) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
            self.answered += len(data) if count else 0
        writer.close()


@contextlib.asynccontextmanager
async def counting(address: str) -> AsyncIterator[tuple[DatasetServiceStub, Relay]]:
    """A client whose line is counted."""
    relay = Relay(address)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with open_channel(f"127.0.0.1:{port}", cells.token, deadline=600) as channel:
        yield DatasetServiceStub(channel), relay
    server.close()


async def take_turns(
    client: DatasetServiceStub, dataset: dataset_pb2.Dataset, folders: dict[str, list[Path]]
) -> dict[str, list[float]]:
    """Seconds of both ways in every round; who is first changes from round to round."""
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(len(folders["cache"])):
        for way in WAYS if number % 2 else reversed(WAYS):
            started = time.perf_counter()
            await BRING[way](client, dataset, folders[way][number])
            taken[way].append(time.perf_counter() - started)
    return taken


def tell(what: str, taken: dict[str, list[float]]) -> None:
    # Round 0 only warms up.
    archive, cache = (taken[way][1:] for way in WAYS)
    ratio = statistics.median(one / other for one, other in zip(archive, cache, strict=True))
    print(
        f"{what}: archive {statistics.median(archive):.2f} s, cache {statistics.median(cache):.2f} s,"
        f" archive / cache: {ratio:.2f}"
    )


async def measure(rounds: int, copies: int) -> None:
    async with (
        cells.scratch() as folder,
        cells.dataset_service("benchmarks.dataset_fetch", folder) as (client, process, _),
    ):
        address = f"127.0.0.1:{process.net_connections('tcp')[0].laddr.port}"
        project_id = await cells.import_cells(client, copies)
        first = await cells.prepare(client, project_id)
        folders = {way: [folder / f"{way}-{number}" for number in range(rounds + 1)] for way in WAYS}
        print(f"{first.total_images:,} images, an archive of {first.archive_size_bytes / 2**20:.1f} MiB")
        tell("from nothing", await take_turns(client, first, folders))
        replaced = await change(client, project_id)
        changed = await cells.prepare(client, project_id)
        assert changed.digest != first.digest
        tell(f"with {replaced} images replaced", await take_turns(client, changed, folders))
        unchanged = statistics.median(await again(client, changed, folders["cache"]))
        print(f"unchanged: cache {unchanged:.3f} s")
        async with counting(address) as (counted, relay):
            received = []
            for dataset in (first, changed):
                before = relay.answered
                await by_cache(counted, dataset, folder / "counted")
                received.append(relay.answered - before)
        whole = changed.archive_size_bytes
        print(
            f"bytes received: {received[0]:,} from nothing ({received[0] / whole:.2%} of the archive),"
            f" {received[1]:,} with {replaced} images replaced ({received[1] / whole:.2%})"
        )


async def again(client: DatasetServiceStub, dataset: dataset_pb2.Dataset, folders: list[Path]) -> list[float]:
    """Seconds to find that everything is there."""
    taken = []
    for folder in folders:
        started = time.perf_counter()
        await by_cache(client, dataset, folder)
        taken.append(time.perf_counter() - started)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--copies", type=int, nargs="+", default=[1, 14], help="how often the 364 images are there"
    )
    parser.add_argument("--role", choices=["service"], help=argparse.SUPPRESS)
    parser.add_argument("--service", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    configure_logging("benchmark", "json", "error")
    cells.require_data()
    if arguments.role == "service":
        uvloop.run(cells.serve(arguments.service, arguments.folder))
        return
    print(cells.machine())
    for copies in arguments.copies:
        uvloop.run(measure(arguments.rounds, copies))


if __name__ == "__main__":
    main()
