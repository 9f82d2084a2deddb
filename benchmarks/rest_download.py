"""What a download over REST costs: an archive through the gateway against a static file of the same bytes.

The static file is sent by Starlette's FileResponse on the gateway's own HTTP server, with the same options,
in a process of its own; the archive comes from the dataset service over gRPC. They take turns; what is
printed are medians over the rounds.

    python -m benchmarks.rest_download [--rounds N] [--copies N]
"""

import argparse
import asyncio
import statistics
import time

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.gateway.http_server import http_server
from annotateforge.runtime.telemetry import configure_logging
from benchmarks import _blood_cells as cells
from benchmarks import _gateway

MODULE = "benchmarks.rest_download"
WAYS = ("gateway", "static")


async def serve_static(path: str) -> None:
    """Send a file whatever is asked for."""

    async def send(request: Request) -> FileResponse:
        return FileResponse(path)

    async with http_server(Starlette(routes=[Route("/{path:path}", send)]), "127.0.0.1:0") as address:
        await cells.tell_and_wait(address)


async def download(address: str, path: str, size: int) -> float:
    """GiB a second of one download."""
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection(*address.rsplit(":", 1), limit=1 << 20)
    head = f"GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {cells.token()}\r\n\r\n"
    writer.write(head.encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    left = size
    while left:
        chunk = await reader.read(1 << 20)
        assert chunk
        left -= len(chunk)
    seconds = time.perf_counter() - started
    writer.close()
    return size / 2**30 / seconds


async def measure(rounds: int, copies: int) -> None:
    speeds: dict[str, list[float]] = {way: [] for way in WAYS}
    async with (
        cells.scratch() as folder,
        cells.dataset_service(MODULE, folder) as (service, _, service_address),
        _gateway.gateway(MODULE, service_address) as (gateway, process),
    ):
        dataset = await cells.prepare(service, await cells.import_cells(service, copies))
        file = folder / "archive.zip"
        with file.open("wb") as target:
            async for message in service.DownloadArchive(api.DownloadArchiveRequest(dataset_id=dataset.id)):
                target.write(message.chunk)
        path = f"/api/v1/datasets/{dataset.id}/archive"
        async with cells.process(MODULE, "--role", "static", "--folder", str(file)) as (static, _):
            addresses = {"gateway": gateway, "static": static}
            for number in range(rounds + 1):
                # Nobody is first in every round; round 0 only warms up.
                for way in WAYS if number % 2 else WAYS[::-1]:
                    speed = await download(addresses[way], path, dataset.archive_size_bytes)
                    if number:
                        speeds[way].append(speed)
        memory = process.memory_info().rss / 2**20
    print(cells.machine())
    print(f"{dataset.total_images:,} images, {dataset.archive_size_bytes / 2**20:,.0f} MiB")
    for way in WAYS:
        print(f"{way:8} {statistics.median(speeds[way]):5.2f} GiB/s")
    pairs = zip(speeds["gateway"], speeds["static"], strict=True)
    print(f"gateway / static: {statistics.median(our / their for our, their in pairs):.2f} of the speed")
    print(f"the gateway holds {memory:.0f} MiB of memory at the end")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--copies", type=int, default=14, help="how often the 364 images are there")
    parser.add_argument("--role", choices=["service", "gateway", "static"], help=argparse.SUPPRESS)
    parser.add_argument("--service", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    configure_logging("benchmark", "json", "error")
    cells.require_data()
    if arguments.role == "service":
        uvloop.run(cells.serve(arguments.service, arguments.folder))
    elif arguments.role == "gateway":
        uvloop.run(_gateway.serve(arguments.service))
    elif arguments.role == "static":
        uvloop.run(serve_static(arguments.folder))
    else:
        uvloop.run(measure(arguments.rounds, arguments.copies))


if __name__ == "__main__":
    main()
