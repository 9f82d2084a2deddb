"""What the dataset service reads from the environment."""

import os
import tempfile
from pathlib import Path
from typing import Annotated

from pydantic import Field

from annotateforge.dataset.images import ImageLimits
from annotateforge.dataset.imports.containers import ArchiveLimits
from annotateforge.runtime.settings import DatabaseSettings, ServiceSettings, StoreSettings

_GIB = 1024**3


class Settings(DatabaseSettings, StoreSettings, ServiceSettings):
    """Settings of the dataset service; the limits keep one caller from taking the machine."""

    dataset_most_image_bytes: Annotated[int, Field(ge=1)] = 128 * 1024**2
    """Most bytes of one image."""
    dataset_most_image_pixels: Annotated[int, Field(ge=1)] = 100_000_000
    """Most pixels of one image."""
    dataset_image_threads: Annotated[int, Field(ge=1, le=256)] = min(4, os.cpu_count() or 1)
    """Threads that decode images, and as many processes that do so for fingerprints; each may need the memory
    of the largest image, decoded.
    """
    dataset_most_upload_images: Annotated[int, Field(ge=1, le=20_000)] = 10_000
    """Most images of one upload; more are imported as an archive."""
    dataset_most_archive_bytes: Annotated[int, Field(ge=1)] = 50 * _GIB
    """Most bytes of an archive."""
    dataset_most_archive_files: Annotated[int, Field(ge=1)] = 500_000
    """Most files and folders of an archive; an import needs about 400 bytes of memory for each."""
    dataset_most_unpacked_bytes: Annotated[int, Field(ge=1)] = 200 * _GIB
    """Most bytes that are unpacked from one archive."""
    dataset_most_unpack_ratio: Annotated[int, Field(ge=1)] = 200
    """Most bytes that are unpacked per byte of an archive, beyond the first 64 MiB."""
    dataset_spool_folder: Path = Path(tempfile.gettempdir())
    """Where archives are kept while they are imported."""
    dataset_keep_free_bytes: Annotated[int, Field(ge=0)] = _GIB
    """Bytes that stay free on that disk."""
    dataset_concurrent_imports: Annotated[int, Field(ge=1, le=100)] = 2
    """Imports that are worked on at the same time, if half of the database connections suffice; others
    wait.
    """
    dataset_import_seconds: Annotated[float, Field(gt=0)] = 6 * 3600.0
    """Seconds that an import may take, its upload and its wait included."""
    dataset_stall_seconds: Annotated[float, Field(gt=0)] = 120.0
    """Seconds without a byte after which an upload is given up."""

    @property
    def import_turns(self) -> int:
        """Imports at the same time: each holds one connection all the while and takes a second one now and
        then.
        """
        return max(1, min(self.dataset_concurrent_imports, self.database_pool_size // 2))

    @property
    def image_limits(self) -> ImageLimits:
        """Largest image that is taken."""
        return ImageLimits(self.dataset_most_image_bytes, self.dataset_most_image_pixels)

    @property
    def archive_limits(self) -> ArchiveLimits:
        """What an archive may be."""
        return ArchiveLimits(
            members=self.dataset_most_archive_files,
            unpacked_bytes=self.dataset_most_unpacked_bytes,
            ratio=self.dataset_most_unpack_ratio,
        )
