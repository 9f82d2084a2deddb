"""What computing an archive costs: DownloadArchive over loopback gRPC against a bare grpc.aio stream.

- archive: the dataset service, as in production, puts the zip together from manifest and blobs while it
sends; - bare: a grpc.aio server sends the same bytes from memory, in messages and chunks of the same size.

Both are processes of their own, and so is the client. They take turns, so that what else the machine does
meets both; what is printed are medians over the rounds, and the processor time of each server for a download,
which other processes disturb less.

    python -m benchmarks.archive_stream [--rounds N] [--copies N]
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import psutil
import uvloop

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.runtime.blobs import CHUNK
from annotateforge.runtime.telemetry import configure_logging
from benchmarks import _blood_cells as cells

SERVICE = "annotateforge.api.dataset.v1.DatasetService"
WAYS = ("archive", "bare")
AT_ONCE = (1, 8)


@dataclass
class Figures:
    """What was measured of one way, a value per round."""

    gibibytes: list[float] = field(default_factory=list)
    """A second."""
    first: list[float] = field(default_factory=list)
    """Milliseconds to the first bytes."""
    processor: float = 0.0
    """Seconds of a core that the server took in all rounds."""


async def serve_bare(path: str) -> None:
    """Send a file from memory."""
    content = Path(path).read_bytes()

    async def download(
        request: api.DownloadArchiveRequest, context: Any
    ) -> AsyncIterator[api.DownloadArchiveResponse]:
        for at in range(0, len(content), CHUNK):
            yield api.DownloadArchiveResponse(chunk=content[at : at + CHUNK])

    server = grpc.aio.server()
    handler = grpc.unary_stream_rpc_method_handler(
        download,
        request_deserializer=api.DownloadArchiveRequest.FromString,
        response_serializer=api.DownloadArchiveResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"DownloadArchive": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await cells.tell_and_wait(f"127.0.0.1:{port}")
    await server.stop(None)


async def read(client: DatasetServiceStub, dataset: dataset_pb2.Dataset) -> float:
    """Read an archive to its end; answers the seconds to its first bytes."""
    started, first, size = time.perf_counter(), 0.0, 0
    async for message in client.DownloadArchive(api.DownloadArchiveRequest(dataset_id=dataset.id)):
        if length := len(message.chunk):
            first = first or time.perf_counter() - started
            size += length
    assert size == dataset.archive_size_bytes
    return first


async def download(
    client: DatasetServiceStub,
    server: psutil.Process,
    dataset: dataset_pb2.Dataset,
    at_once: int,
    into: Figures | None,
) -> None:
    """Read an archive several times at once."""
    started, worked = time.perf_counter(), _processor(server)
    first = await asyncio.gather(*(read(client, dataset) for _ in range(at_once)))
    if into is not None:
        size = dataset.archive_size_bytes * at_once
        into.gibibytes.append(size / 2**30 / (time.perf_counter() - started))
        into.first.append(statistics.median(first) * 1000)
        into.processor += _processor(server) - worked


def _processor(process: psutil.Process) -> float:
    """Seconds of a core that a process has taken."""
    times = process.cpu_times()
    return times.user + times.system


async def measure(rounds: int, copies: int) -> None:
    module = "benchmarks.archive_stream"
    figures = {(way, at_once): Figures() for way in WAYS for at_once in AT_ONCE}
    async with cells.scratch() as folder, cells.dataset_service(module, folder) as (service, process, _):
        dataset = await cells.prepare(service, await cells.import_cells(service, copies))
        path = folder / "archive.zip"
        with path.open("wb") as file:
            async for message in service.DownloadArchive(api.DownloadArchiveRequest(dataset_id=dataset.id)):
                file.write(message.chunk)
        async with (
            cells.process(module, "--role", "bare", "--folder", str(path)) as (address, bare),
            grpc.aio.insecure_channel(address) as channel,
        ):
            clients = {"archive": (service, process), "bare": (DatasetServiceStub(channel), bare)}
            for number in range(rounds + 1):
                # Nobody is first in every round; round 0 only warms up.
                for at_once in AT_ONCE:
                    for way in WAYS if number % 2 else WAYS[::-1]:
                        into = figures[way, at_once] if number else None
                        await download(*clients[way], dataset, at_once, into)
        memory = process.memory_info().rss / 2**20
    print(cells.machine())
    mebibytes = dataset.archive_size_bytes / 2**20
    print(f"{dataset.total_images:,} images, {mebibytes:,.0f} MiB, chunks of {CHUNK // 1024} KiB")
    for at_once in AT_ONCE:
        print(f"{at_once} at once:")
        for way in WAYS:
            found = figures[way, at_once]
            speed, first = statistics.median(found.gibibytes), statistics.median(found.first)
            taken = 1e6 * found.processor / (rounds * at_once * dataset.total_images)
            print(
                f"  {way:8} {speed:5.2f} GiB/s   first bytes after {first:6.2f} ms"
                f"   {taken:5.1f} µs of a core for each image in the server"
            )
        pairs = zip(figures["archive", at_once].gibibytes, figures["bare", at_once].gibibytes, strict=True)
        print(f"  archive / bare: {statistics.median(our / their for our, their in pairs):.2f} of the speed")
    print(f"the service holds {memory:.0f} MiB of memory at the end")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--copies", type=int, default=14, help="how often the 364 images are there")
    parser.add_argument("--role", choices=["service", "bare"], help=argparse.SUPPRESS)
    parser.add_argument("--service", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    configure_logging("benchmark", "json", "error")
    cells.require_data()
    if arguments.role == "service":
        uvloop.run(cells.serve(arguments.service, arguments.folder))
    elif arguments.role == "bare":
        uvloop.run(serve_bare(arguments.folder))
    else:
        uvloop.run(measure(arguments.rounds, arguments.copies))


if __name__ == "__main__":
    main()
