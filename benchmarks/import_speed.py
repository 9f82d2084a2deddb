"""What an import costs: ImportArchive against reading, hashing and header-checking the same images in a
process pool.

- import: a VOC zip, uploaded over gRPC, until its images and annotations can be seen;
- after the upload: the part of it after the last byte was sent. Reading, too, finds its files on the disk;
- reading: a pool of as many processes as there are cores reads the images from a folder, computes SHA-256 and
  CRC-32 and has Pillow read the header. It stores nothing and reads no label.

They take turns. Only the first import of an archive counts: later ones find the blobs there. Also printed
is the most memory that the service had. With `--image-kilobytes` the images are photographs of that size
instead, without labels.

    python -m benchmarks.import_speed [--rounds N] [--copies N [N ...]] [--image-kilobytes N [--images N]]
"""

import argparse
import asyncio
import hashlib
import io
import os
import statistics
import time
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import uvloop
from PIL import Image

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.runtime.telemetry import configure_logging
from benchmarks import _blood_cells as cells
from benchmarks._memory import Peak

MODULE = "benchmarks.import_speed"


def look_at(paths: Sequence[str]) -> int:
    """Read, hash and check some images; answers their bytes."""
    size = 0
    for path in paths:
        content = Path(path).read_bytes()
        hashlib.sha256(content).digest()
        zlib.crc32(content)
        with Image.open(path) as picture:
            assert picture.size
        size += len(content)
    return size


def photographs(count: int, kilobytes: int) -> Iterator[tuple[str, bytes, str]]:
    """Name, JPEG of about that size and no label; all the same picture, and no two files are equal."""
    content, side = b"", 256
    while len(content) < kilobytes * 1024:
        target = io.BytesIO()
        # Noise that is smooth over some pixels: much to encode, as in photographs, but not nothing else.
        picture = Image.effect_noise((side // 2, side // 2), 90).resize((side, side)).convert("RGB")
        picture.save(target, "JPEG", quality=90)
        content = target.getvalue()
        side += 64
    for number in range(count):
        yield f"{number:05}", cells.with_comment(content, f"copy {number}"), ""


def write(folder: Path, archive: Path, images: Iterable[tuple[str, bytes, str]]) -> tuple[list[str], int]:
    """The images as files, and all with their labels as a zip, one at a time."""
    paths, size = [], 0
    folder.mkdir()
    with zipfile.ZipFile(archive, "w") as target:
        for name, content, label in images:
            path = folder / f"{name}.jpg"
            path.write_bytes(content)
            paths.append(str(path))
            size += len(content)
            target.writestr(f"images/{name}.jpg", content)
            if label:
                target.writestr(f"annotations/{name}.xml", label)
    return paths, size


class Took(NamedTuple):
    """Seconds of an import."""

    total: float
    after_upload: float
    """From the moment when gRPC had taken the last byte."""


async def import_archive(client: DatasetServiceStub, archive: Path, name: str) -> Took:
    """Import an archive into a new project."""
    project = (await client.CreateProject(api.CreateProjectRequest(name=name))).project

    uploaded = 0.0

    async def parts() -> AsyncIterator[api.ImportArchiveRequest]:
        nonlocal uploaded
        yield api.ImportArchiveRequest(header=api.ImportArchiveHeader(project_id=project.id))
        with archive.open("rb") as file:
            while chunk := file.read(1 << 19):
                yield api.ImportArchiveRequest(chunk=chunk)
        # Asked for more, gRPC has written the last message.
        uploaded = time.perf_counter()

    started = time.perf_counter()
    report = (await client.ImportArchive(parts(), timeout=1800)).report
    ended = time.perf_counter()
    assert report.images_added, report
    return Took(ended - started, ended - uploaded)


async def read(pool: ProcessPoolExecutor, paths: Sequence[str], size: int) -> float:
    """Seconds in which all processes of the pool read the images."""
    cores = os.cpu_count() or 1
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    work = [loop.run_in_executor(pool, look_at, paths[first::cores]) for first in range(cores)]
    assert sum(await asyncio.gather(*work)) == size
    return time.perf_counter() - started


async def measure(rounds: int, images: Iterable[tuple[str, bytes, str]], pool: ProcessPoolExecutor) -> None:
    ours: list[Took] = []
    theirs: list[float] = []
    async with cells.scratch() as folder, cells.dataset_service(MODULE, folder) as (client, process, _):
        archive = folder / "cells.zip"
        paths, size = write(folder / "images", archive, images)
        # Only now do the processes start, and import what they need.
        await read(pool, paths, size)
        async with Peak({"service": process}) as peak:
            for number in range(rounds):
                for way in ("import", "reading") if number % 2 else ("reading", "import"):
                    if way == "import":
                        # Later rounds find the blobs there, and only the first one stores them.
                        ours.append(await import_archive(client, archive, f"round {number}"))
                        continue
                    theirs.append(await read(pool, paths, size))
    first, bare = ours[0], statistics.median(theirs)
    print(f"{len(paths):,} images, {size / 2**20:,.0f} MiB")
    for what, took in (
        ("import", first.total),
        ("after the upload", first.after_upload),
        ("import again", statistics.median(took.total for took in ours[1:] or ours)),
        ("reading", bare),
    ):
        speed = f"{len(paths) / took:8,.0f} images/s   {size / 2**20 / took:6.0f} MiB/s"
        print(f"{what:16} {took:7.2f} s   {speed}")
    print(f"import / reading: {bare / first.total:.3f} of the speed; the most memory: {peak}")
    print(f"after the upload / reading: {bare / first.after_upload:.3f} of the speed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--copies", type=int, nargs="+", default=[14], help="how often the 364 images are there; 140 is 1 GiB"
    )
    parser.add_argument(
        "--image-kilobytes", type=int, default=0, help="import photographs of this size instead"
    )
    parser.add_argument("--images", type=int, default=200, help="how many photographs")
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
    # Before this process has threads.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        if arguments.image_kilobytes:
            images = photographs(arguments.images, arguments.image_kilobytes)
            uvloop.run(measure(arguments.rounds, images, pool))
            return
        for copies in arguments.copies:
            uvloop.run(measure(arguments.rounds, cells.copies(copies), pool))


if __name__ == "__main__":
    main()
