"""A project of 100,000 images with 1,000,000 annotations: what each thing that people wait for takes, and
the memory of every process meanwhile.

The images are small JPEGs, no two alike, and come in as a YOLO archive by ImportArchive, so that rows, blobs
and fingerprints are those that production would have. Service, gateway and Postgres are processes of their
own.

    python -m benchmarks.scale [--images N] [--folder KEPT]

With --folder, the project is built there once and measured again by later runs.
"""

import argparse
import asyncio
import contextlib
import io
import statistics
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from PIL import Image

from annotateforge.api.dataset.v1 import dataset_pb2, image_pb2
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.annotation_pb2 import AnnotationType
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.runtime.telemetry import configure_logging
from benchmarks import _blood_cells as cells
from benchmarks import _gateway
from benchmarks._memory import Peak

MODULE = "benchmarks.scale"
CLASSES = tuple(f"class {number}" for number in range(20))
PER_IMAGE = 10
SIDE = 64
REPEATS = 7


def write_archive(target: Path, images: int) -> None:
    """A YOLO archive of pictures of soft random patches: as unlike one another as photographs are."""
    random = np.random.default_rng(1)
    with zipfile.ZipFile(target, "w") as archive:
        names = "".join(f"  {number}: {name}\n" for number, name in enumerate(CLASSES))
        archive.writestr("data.yaml", f"train: images\nnames:\n{names}")
        for number in range(images):
            patches = random.integers(0, 256, (8, 8, 3), np.uint8)
            picture = Image.fromarray(patches).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            content = io.BytesIO()
            picture.save(content, "JPEG", quality=50)
            # The last class is rare, and it is only where lists end.
            last = len(CLASSES) - (number < images * 0.999)
            classes = random.integers(0, last, PER_IMAGE)
            boxes = random.uniform(0.3, 0.7, (PER_IMAGE, 4)) * (1, 1, 0.5, 0.5)
            lines = (
                f"{label} {x:.4f} {y:.4f} {width:.4f} {height:.4f}\n"
                for label, (x, y, width, height) in zip(classes, boxes, strict=True)
            )
            archive.writestr(f"images/{number:06}.jpg", content.getvalue())
            archive.writestr(f"labels/{number:06}.txt", "".join(lines))


async def build(client: DatasetServiceStub, images: int) -> str:
    """The project, new or as an earlier run has left it; its id."""
    found = (await client.ListProjects(api.ListProjectsRequest(name="scale"))).projects
    if found:
        return str(found[0].id)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scale.zip"
        write_archive(path, images)
        project = (await client.CreateProject(api.CreateProjectRequest(name="scale"))).project

        async def parts() -> AsyncIterator[api.ImportArchiveRequest]:
            yield api.ImportArchiveRequest(header=api.ImportArchiveHeader(project_id=project.id))
            with path.open("rb") as file:
                while chunk := file.read(1 << 19):
                    yield api.ImportArchiveRequest(chunk=chunk)

        started = time.perf_counter()
        report = (await client.ImportArchive(parts(), timeout=1800)).report
        seconds = time.perf_counter() - started
    assert report.images_added == images, report
    print(f"import: {images:,} images with {report.annotations_added:,} annotations in {seconds:.1f} s")
    return str(project.id)


def tell(what: str, seconds: float, bar: float) -> None:
    """Print a figure beside its bar."""
    unit, factor = ("s ", 1.0) if bar >= 1 else ("ms", 1000.0)
    word = "" if seconds < bar else "   MISSED"
    print(f"{what:52} {seconds * factor:8.2f} {unit}   bar {bar * factor:g} {unit}{word}", flush=True)


async def took(ask: Callable[[], Awaitable[Any]], repeats: int = REPEATS) -> float:
    """Median seconds of a call."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        await ask()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def spec(project_id: str, strategy: str, seed: int) -> dataset_pb2.DatasetSpec:
    return dataset_pb2.DatasetSpec(
        project_ids=[project_id],
        task_type=dataset_pb2.TASK_TYPE_DETECT,
        classes=CLASSES,
        split=dataset_pb2.Split(
            seed=seed,
            strategy=dataset_pb2.SplitStrategy.Value(f"SPLIT_STRATEGY_{strategy.upper()}"),
        ),
    )


async def freeze(client: DatasetServiceStub, wanted: dataset_pb2.DatasetSpec) -> dataset_pb2.Dataset:
    dataset = None
    async for message in client.PrepareDataset(api.PrepareDatasetRequest(spec=wanted)):
        if message.WhichOneof("part") == "dataset":
            dataset = message.dataset
    assert dataset is not None
    return dataset


async def measure_lists(client: DatasetServiceStub, project_id: str, dataset_id: str, images: int) -> None:
    """Pages of 50 images: at every depth, with every filter, and where a filter finds next to nothing."""

    async def page(token: str = "", **chosen: Any) -> api.ListImagesResponse:
        return await client.ListImages(
            api.ListImagesRequest(project_id=project_id, page_size=50, page_token=token, **chosen)
        )

    tokens = [""]
    token, pages = "", 0
    deepest = token
    while token := (
        await client.ListImages(
            api.ListImagesRequest(project_id=project_id, page_size=1000, page_token=token)
        )
    ).next_page_token:
        pages += 1
        deepest = token
        if pages * 1000 % (images // 4) == 0:
            tokens.append(token)
    tokens.append(deepest)
    depths = [await took(partial(page, token)) for token in tokens]
    tell(f"list page, slowest of {len(depths)} depths", max(depths), 0.02)
    filters: dict[str, dict[str, Any]] = {
        "annotated": {"annotated": True},
        "not annotated": {"annotated": False},
        "unlabelled": {"unlabelled": True},
        "labelled": {"unlabelled": False},
        "reviewed": {"reviewed": True},
        "not reviewed": {"reviewed": False},
        "class, common": {"class_label": CLASSES[0]},
        "class, rare and last": {"class_label": CLASSES[-1]},
        "class, absent": {"class_label": "nobody has it"},
        "shape, common": {"annotation_type": AnnotationType.ANNOTATION_TYPE_BOX},
        "shape, absent": {"annotation_type": AnnotationType.ANNOTATION_TYPE_POLYGON},
        "name contains, common": {"filename_contains": "images"},
        "name contains, rare": {"filename_contains": "99999"},
        "name contains, absent": {"filename_contains": "nothing"},
        "data set": {"dataset_id": dataset_id},
        "data set's validation": {"dataset_id": dataset_id, "side": image_pb2.SPLIT_SIDE_VAL},
        "data set's test, absent": {"dataset_id": dataset_id, "side": image_pb2.SPLIT_SIDE_TEST},
    }
    for name, problem in image_pb2.ImageProblem.items():
        if problem:
            filters[f"problem: {name.removeprefix('IMAGE_PROBLEM_').lower()}"] = {"problem": problem}
    for name, chosen in filters.items():
        slowest = 0.0
        for token in (tokens[0], tokens[len(tokens) // 2]):
            slowest = max(slowest, await took(partial(page, token, **chosen)))
        tell(f"list page: {name}", slowest, 0.02)


async def stream(client: DatasetServiceStub, dataset: dataset_pb2.Dataset) -> tuple[float, float]:
    """Read an archive to its end; seconds to the first bytes and to the last."""
    started, first, size = time.perf_counter(), 0.0, 0
    async for message in client.DownloadArchive(api.DownloadArchiveRequest(dataset_id=dataset.id)):
        if message.chunk:
            first = first or time.perf_counter() - started
            size += len(message.chunk)
    assert size == dataset.archive_size_bytes
    return first, time.perf_counter() - started


async def download(address: str, dataset: dataset_pb2.Dataset) -> tuple[float, float]:
    """The same over REST."""
    started, first, size = time.perf_counter(), 0.0, 0
    reader, writer = await asyncio.open_connection(*address.rsplit(":", 1), limit=1 << 20)
    path = f"/api/v1/datasets/{dataset.id}/archive"
    writer.write(
        f"GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {cells.token()}\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    while size < dataset.archive_size_bytes:
        chunk = await reader.read(1 << 20)
        assert chunk
        first = first or time.perf_counter() - started
        size += len(chunk)
    writer.close()
    return first, time.perf_counter() - started


async def measure(images: int, folder: Path) -> None:
    async with (
        cells.dataset_service(MODULE, folder) as (client, service, service_address),
        _gateway.gateway(MODULE, service_address) as (address, gateway),
    ):
        processes = {"dataset service": service, "gateway": gateway}
        async with Peak(processes) as peak:
            project_id = await build(client, images)
        print(f"memory while building: {peak}")

        stats = api.GetProjectStatsRequest(project_id=project_id)
        tell("stats page", await took(lambda: client.GetProjectStats(stats)), 0.05)

        seed = int(time.time()) % 1_000_000
        # Fingerprints follow an import in the background; who freezes at once waits for them.
        async with Peak(processes) as peak:
            started = time.perf_counter()
            await freeze(client, spec(project_id, "random", seed - 1))
            seconds = time.perf_counter() - started
        tell("freezing at once, fingerprints included", seconds, 10)
        print(f"memory meanwhile: {peak}")

        for strategy in ("random", "stratified", "grouped"):
            async with Peak(processes) as peak:
                started = time.perf_counter()
                dataset = await freeze(client, spec(project_id, strategy, seed))
                seconds = time.perf_counter() - started
            tell(f"freezing, {strategy}", seconds, 10)
            if strategy == "random":
                first, _ = await stream(client, dataset)
                tell("first bytes of its archive, just frozen", first, 0.1)
                first = statistics.median([(await stream(client, dataset))[0] for _ in range(3)])
                tell("first bytes of its archive, read again", first, 0.1)
            print(f"memory meanwhile: {peak}")
        again = await took(lambda: freeze(client, spec(project_id, "random", seed)), 3)
        tell("freezing the same again", again, 1)
        check = api.CheckDatasetRequest(spec=spec(project_id, "random", seed + 1))
        tell("check", await took(lambda: client.CheckDataset(check), 3), 10)

        dataset = await freeze(client, spec(project_id, "random", seed))
        mebibytes = dataset.archive_size_bytes / 2**20
        async with Peak(processes) as peak:
            _, seconds = await download(address, dataset)
        print(f"archive over REST: {mebibytes:.0f} MiB in {seconds:.2f} s; memory meanwhile: {peak}")
        async with Peak(processes) as peak:
            _, seconds = await stream(client, dataset)
        print(f"archive over gRPC: {mebibytes:.0f} MiB in {seconds:.2f} s; memory meanwhile: {peak}")

        await measure_lists(client, project_id, dataset.id, images)

    # A service that has just started has no archive laid out.
    async with cells.dataset_service(MODULE, folder) as (client, _, _):
        first, _ = await stream(client, dataset)
        tell("first bytes of an archive after a restart", first, 0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--folder", default="", help="build the project here once, and keep it")
    parser.add_argument("--role", choices=["service", "gateway"], help=argparse.SUPPRESS)
    parser.add_argument("--service", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    configure_logging("benchmark", "json", "error")
    if arguments.role == "service":
        uvloop.run(cells.serve(arguments.service, arguments.folder))
    elif arguments.role == "gateway":
        uvloop.run(_gateway.serve(arguments.service))
    else:
        print(cells.machine())
        with kept(arguments.folder) as folder:
            uvloop.run(measure(arguments.images, folder))


@contextlib.contextmanager
def kept(folder: str) -> Iterator[Path]:
    """The folder, or one for this run alone."""
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        yield Path(folder)
    else:
        with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as made:
            yield Path(made)


if __name__ == "__main__":
    main()
