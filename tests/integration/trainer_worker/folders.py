"""What is in the folders of data sets, and what should be."""

import io
import zipfile
import zlib
from pathlib import Path

from annotateforge.api.dataset.v1.dataset_pb2 import Dataset, ManifestEntry
from annotateforge.api.dataset.v1.dataset_service_pb2 import DownloadArchiveRequest, GetManifestRequest
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub


async def manifest(service: DatasetServiceStub, dataset: Dataset) -> list[ManifestEntry]:
    """Every file of a data set."""
    pages = service.GetManifest(GetManifestRequest(dataset_id=dataset.id))
    return [entry async for page in pages for entry in page.entries if not entry.name.endswith("/")]


def checksums(folder: Path) -> dict[str, int]:
    """CRC-32 of every file, by its path in the folder."""
    return {
        path.relative_to(folder).as_posix(): zlib.crc32(path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def tree(folder: Path) -> dict[str, bytes | None]:
    """The bytes of every file by its path in the folder; None for folders."""
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
    }


async def unpacked(service: DatasetServiceStub, dataset: Dataset, folder: Path) -> dict[str, bytes | None]:
    """The tree of the data set's archive, unpacked into a folder."""
    archive = io.BytesIO()
    async for message in service.DownloadArchive(DownloadArchiveRequest(dataset_id=dataset.id)):
        archive.write(message.chunk)
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(folder)
    return tree(folder)
