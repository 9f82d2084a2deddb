"""Blood cells (BCCD) for benchmarks: as a VOC archive, and a dataset service of its own process that holds
them.

Not a benchmark: `make bench` runs the files whose names begin with a letter.
"""

import asyncio
import contextlib
import gc
import io
import os
import platform
import shutil
import sys
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
from pydantic import SecretStr

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.dataset.app import running
from annotateforge.dataset.settings import Settings
from annotateforge.local.postgres import embedded_postgres
from annotateforge.runtime.auth import Role, issue_token
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.heap import keep_heap

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "detect_bccd_voc"
CLASSES = ("RBC", "WBC", "Platelets")
SECRET = "a secret for the benchmark, of more than 32 bytes"


def require_data() -> None:
    """Leave with a message where the images are not there."""
    if not FOLDER.is_dir():
        print(f"Skipped: this benchmark needs the blood cells of {FOLDER}.")
        raise SystemExit(0)


def machine() -> str:
    """What the figures were measured on."""
    memory = psutil.virtual_memory().total / 1024**3
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
    )


def copies(count: int) -> Iterator[tuple[str, bytes, str]]:
    """Name, JPEG and VOC annotation of every image, `count` times under new names; no two JPEGs are equal."""
    for number in range(count):
        for path in sorted((FOLDER / "images").glob("*.jpg")):
            name = f"{number:02}_{path.stem}"
            content = path.read_bytes()
            if number:
                content = with_comment(content, f"copy {number}")
            label = (FOLDER / "annotations" / f"{path.stem}.xml").read_text().replace(path.stem, name)
            yield name, content, label


def with_comment(jpeg: bytes, text: str) -> bytes:
    """The same picture in other bytes: with a comment after its start."""
    comment = text.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + jpeg[2:]


def voc_archive(count: int) -> bytes:
    """A zip of images and annotations."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content, label in copies(count):
            archive.writestr(f"images/{name}.jpg", content)
            archive.writestr(f"annotations/{name}.xml", label)
    return target.getvalue()


async def serve(database_url: str, folder: str) -> None:
    """Run the dataset service as production does; tells its address and waits for the end of standard
    input.
    """
    # As runtime.process does it for every process.
    keep_heap()
    settings = Settings(
        listen="127.0.0.1:0",
        secret=SecretStr(SECRET),
        database_url=database_url,
        store_url=(Path(folder) / "blobs").as_uri(),
        dataset_spool_folder=Path(folder),
    )
    async with running(settings) as app:
        await tell_and_wait(app.address)


async def tell_and_wait(address: str) -> None:
    """Tell the address on standard output and wait for the end of standard input."""
    # As runtime.process does it for every process.
    gc.collect()
    gc.freeze()
    print(address, flush=True)
    told = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), told.set)
    await told.wait()


@contextlib.asynccontextmanager
async def process(module: str, *arguments: str) -> AsyncIterator[tuple[str, psutil.Process]]:
    """A process of a benchmark's own in another role: its address and itself."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        async with asyncio.timeout(60):
            address = (await child.stdout.readline()).decode().strip()
        if not address:
            raise RuntimeError(f"{module} {arguments[0]} did not start.")
        yield address, psutil.Process(child.pid)
    finally:
        child.stdin.close()
        async with asyncio.timeout(20):
            await child.wait()


@contextlib.asynccontextmanager
async def scratch() -> AsyncIterator[Path]:
    """A folder that is deleted at the end; nothing in it is before, as that slows file systems down."""
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def dataset_service(
    module: str, folder: Path
) -> AsyncIterator[tuple[DatasetServiceStub, psutil.Process, str]]:
    """A client of a dataset service on an embedded Postgres, its process and its address; `module` calls
    `serve` for the role "service".
    """
    roles = ("--role", "service", "--folder", str(folder), "--service")
    async with (
        embedded_postgres(folder / "postgres") as database_url,
        process(module, *roles, database_url) as (address, child),
        open_channel(address, token, deadline=600) as channel,
    ):
        yield DatasetServiceStub(channel), child, address


def token() -> str:
    """A token for everything that a benchmark does."""
    return issue_token(SECRET, Role.EDITOR, "benchmark", timedelta(hours=1))


async def import_cells(client: DatasetServiceStub, count: int) -> str:
    """A project of the images, `count` times; its id."""
    project = (await client.CreateProject(api.CreateProjectRequest(name=f"{count} times"))).project
    archive = voc_archive(count)

    async def parts() -> AsyncIterator[api.ImportArchiveRequest]:
        yield api.ImportArchiveRequest(header=api.ImportArchiveHeader(project_id=project.id))
        for at in range(0, len(archive), 1 << 19):
            yield api.ImportArchiveRequest(chunk=archive[at : at + (1 << 19)])

    report = (await client.ImportArchive(parts())).report
    assert report.images_added == count * len(list((FOLDER / "images").glob("*.jpg"))), report
    return str(project.id)


async def prepare(client: DatasetServiceStub, project_id: str, seed: int = 42) -> dataset_pb2.Dataset:
    """A data set of all classes."""
    spec = dataset_pb2.DatasetSpec(
        project_ids=[project_id],
        task_type=dataset_pb2.TASK_TYPE_DETECT,
        classes=CLASSES,
        split=dataset_pb2.Split(seed=seed),
    )
    dataset = None
    async for message in client.PrepareDataset(api.PrepareDatasetRequest(spec=spec)):
        if message.WhichOneof("part") == "dataset":
            dataset = message.dataset
    assert dataset is not None
    return dataset
