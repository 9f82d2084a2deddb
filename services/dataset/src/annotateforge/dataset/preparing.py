"""Preparing data sets: read the projects, freeze what is there, keep the result once."""

import asyncio
import contextlib
from dataclasses import dataclass

import asyncpg
import structlog

from annotateforge.dataset.archive import lay_out
from annotateforge.dataset.backfill import Backfill
from annotateforge.dataset.columns import Annotations, Images, Look
from annotateforge.dataset.datasets import (
    Dataset,
    NewDataset,
    dataset_invalid,
    freezing_key,
    identity,
)
from annotateforge.dataset.examination import examine, missing_classes
from annotateforge.dataset.freezing import Frozen, freeze
from annotateforge.dataset.health import HealthReport
from annotateforge.dataset.labelling import label
from annotateforge.dataset.opened import OpenedArchives
from annotateforge.dataset.projects import project_not_found
from annotateforge.dataset.spec import DatasetSpec, Strategy
from annotateforge.dataset.store import columns, datasets
from annotateforge.runtime.blob_claims import claiming
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import Aborted
from annotateforge.runtime.heap import trim_heap
from annotateforge.runtime.ids import new_id

_AT_ONCE = 2
"""Specs that are frozen at the same time: each takes a core, a connection and a few hundred megabytes for
100,000 images with a million annotations."""
_TRIES = 3
_PUT_TIMEOUT = 600.0
_CHECK_WAITS = 10.0
"""Seconds for which a check waits for fingerprints on which only findings depend."""

Snapshot = tuple[Images, Annotations, bytes]
"""Images and annotations of the projects of a spec, and the key of their freezing."""

log = structlog.get_logger()


@dataclass(slots=True)
class Progress:
    """How far preparing is; whoever shows it looks at it from time to time."""

    stage: str = "waiting for other data sets"
    images_done: int = 0
    images_total: int = 0

    def begin(self, stage: str, images_total: int = 0) -> None:
        """A new stage begins."""
        self.stage, self.images_done, self.images_total = stage, 0, images_total

    def reach(self, images_done: int) -> None:
        """So many images are done."""
        self.images_done = images_done


class Preparer:
    """Checks and freezes specs."""

    def __init__(self, pool: Pool, blobs: BlobStore, backfill: Backfill, opened: OpenedArchives) -> None:
        self._pool = pool
        self._opened = opened
        self._blobs = blobs
        self._backfill = backfill
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def check(self, spec: DatasetSpec) -> HealthReport:
        """What freezing a spec would give. NotFound PROJECT_NOT_FOUND."""
        async with self._room:
            try:
                _, report, _ = await self._freeze(spec, Progress(), await self._read_for_check(spec))
                return report
            finally:
                await asyncio.to_thread(trim_heap)

    async def prepare(self, spec: DatasetSpec, progress: Progress) -> Dataset:
        """Freeze a spec, or answer the data set that it gave before over the same data.

        NotFound PROJECT_NOT_FOUND, FailedPrecondition DATASET_INVALID, and Aborted DATASET_CHANGING when
        images are deleted faster than they are frozen, or added faster than they are looked at.
        """
        if dataset := await self._recall(spec):
            return dataset
        async with self._room:
            try:
                for _ in range(_TRIES):
                    if dataset := await self._try(spec, progress):
                        return dataset
                    log.info("images went while they were frozen; trying again")
            finally:
                await asyncio.to_thread(trim_heap)
        raise Aborted("DATASET_CHANGING", "Images were deleted while they were frozen. Try again.")

    async def _try(self, spec: DatasetSpec, progress: Progress) -> Dataset | None:
        """Freeze a spec and keep the result; None when one of its images has gone meanwhile."""
        # The findings are kept with the data set, and a grouped split depends on them.
        frozen, report, key = await self._freeze(spec, progress, await self._read_seen(spec, progress))
        if report.errors:
            raise dataset_invalid(spec, report)
        layout = await asyncio.to_thread(lay_out, frozen.manifest)
        new = NewDataset(
            id=new_id(),
            identity=identity(frozen.manifest.digest, spec, report),
            spec=spec,
            report=report,
            digest=frozen.manifest.digest,
            archive_size_bytes=layout.size,
        )
        dataset = await self._keep(new, frozen, progress)
        if dataset is not None:
            async with self._pool.acquire() as connection:
                await datasets.keep_frozen(connection, key, dataset.id)
            # Whoever froze it wants to read it.
            self._opened.keep(layout)
        return dataset

    async def _recall(self, spec: DatasetSpec) -> Dataset | None:
        """The data set that the spec gave before, if its projects have not changed since."""
        async with self._pool.acquire() as connection:
            revisions = await columns.read_revisions(connection, spec)
            return await datasets.find_frozen(connection, freezing_key(spec, revisions))

    async def _read_for_check(self, spec: DatasetSpec) -> Snapshot:
        if spec.split.strategy is Strategy.GROUPED:
            # The split depends on them.
            return await self._read_seen(spec, Progress())
        # What is missing after that is a finding of its own.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CHECK_WAITS):
                await self._look(spec, Progress())
        return await self._read(spec, Progress())

    async def _read_seen(self, spec: DatasetSpec, progress: Progress) -> Snapshot:
        """A snapshot in which all images have a fingerprint. Aborted DATASET_CHANGING when images come faster
        than they are looked at.
        """
        for _ in range(_TRIES):
            await self._look(spec, progress)
            snapshot = await self._read(spec, progress)
            # An import that ended since then leaves images without one.
            if not (snapshot[0].look == Look.PENDING).any():
                return snapshot
            del snapshot
        raise Aborted("DATASET_CHANGING", "Images were added while others were looked at. Try again.")

    async def _look(self, spec: DatasetSpec, progress: Progress) -> None:
        """See that all images of a spec have a fingerprint."""
        progress.begin("looking at images")
        await self._backfill.complete(spec.project_ids, progress.reach)

    async def _freeze(
        self, spec: DatasetSpec, progress: Progress, snapshot: Snapshot
    ) -> tuple[Frozen, HealthReport, bytes]:
        """What a spec gives, its health, and the key of the freezing."""
        images, annotations, key = snapshot
        progress.begin("splitting and writing labels", len(images))
        labelling = await asyncio.to_thread(label, spec, images, annotations)
        # They take most of the memory, and what follows needs it.
        del snapshot, annotations
        frozen = await asyncio.to_thread(freeze, spec, images, labelling)
        labels: list[str] = []
        if missing_classes(frozen, spec):
            async with self._pool.acquire() as connection:
                labels = await columns.read_labels(connection, spec)
        return frozen, await asyncio.to_thread(examine, spec, images, frozen, labels), key

    async def _read(self, spec: DatasetSpec, progress: Progress) -> Snapshot:
        """One snapshot of the projects' images and annotations, and the key that it has."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            if missing := await columns.find_missing_project(connection, spec):
                raise project_not_found(missing)
            key = freezing_key(spec, await columns.read_revisions(connection, spec))
            progress.begin("reading images")
            images = await columns.read_images(connection, spec)
            progress.begin("reading annotations", len(images))
            total = int(images.annotations.sum())

            def read(annotations: int) -> None:
                progress.images_done = len(images) * annotations // max(total, 1)

            return images, await columns.read_annotations(connection, spec, read), key

    async def _keep(self, new: NewDataset, frozen: Frozen, progress: Progress) -> Dataset | None:
        """The data set, new or as it was; None when one of its images has gone meanwhile."""
        async with self._pool.acquire() as connection:
            if dataset := await datasets.find_dataset(connection, new.identity):
                return dataset
        progress.begin("storing", len(frozen.manifest))
        manifest = frozen.manifest
        own = {manifest.digest: manifest.data, manifest.label_pack: frozen.label_pack}
        # As SplitSide in image.proto numbers them.
        sides = (manifest.records["side"].astype(int) + 1).tolist()
        digests = (digest.tobytes() for digest in manifest.records["sha256"])
        needed = sorted({**dict.fromkeys(own), **dict(zip(digests, sides, strict=True))}.items())
        try:
            async with claiming(self._pool) as claims:
                await claims.claim([(digest, len(data)) for digest, data in own.items()])
                async with asyncio.timeout(_PUT_TIMEOUT):
                    await self._blobs.put_many([(digest.hex(), data) for digest, data in own.items()])
                async with self._pool.acquire() as connection, connection.transaction():
                    dataset = await datasets.insert_dataset(connection, new, needed)
                    await claims.give_back(connection)
        except asyncpg.ForeignKeyViolationError:
            return None
        if dataset is None:
            # Another caller froze the same at the same time.
            async with self._pool.acquire() as connection:
                dataset = await datasets.find_dataset(connection, new.identity)
        return dataset
