"""Preparing data sets: read the projects, freeze what is there, keep the result once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass

import asyncpg
import structlog

from annotateforge.dataset.archive import lay_out
from annotateforge.dataset.backfill import Backfill
from annotateforge.dataset.columns import Images, Longs, Look
from annotateforge.dataset.datasets import (
    Dataset,
    NewDataset,
    dataset_invalid,
    freezing_key,
    identity,
)
from annotateforge.dataset.examination import examine, missing_classes
from annotateforge.dataset.freezing import Frozen, find_alike, freeze
from annotateforge.dataset.health import HealthReport
from annotateforge.dataset.imports.opening import Spool
from annotateforge.dataset.label_pack import MOST_IN_MEMORY, LabelPack
from annotateforge.dataset.labelling import Labeller, Labelling
from annotateforge.dataset.manifest import Manifest
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
"""Specs that are frozen at the same time: each takes up to two cores and a connection."""
_MANY = 20_000
"""Images from which on a spec is frozen alone, but for smaller ones: 100,000 take some 70 MiB."""
_TRIES = 3
_PUT_TIMEOUT = 600.0
_CHECK_WAITS = 10.0
"""Seconds for which a check waits for fingerprints on which only findings depend."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The images of the projects of a spec at one time."""

    images: Images
    labelling: Labelling
    alike: "asyncio.Future[Longs]"
    """Their clusters of near duplicates, which are being found."""
    key: bytes
    """The key of their freezing."""


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

    def __init__(
        self, pool: Pool, blobs: BlobStore, backfill: Backfill, opened: OpenedArchives, spool: Spool
    ) -> None:
        self._pool = pool
        self._opened = opened
        self._spool = spool
        self._blobs = blobs
        self._backfill = backfill
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._large = asyncio.Lock()

    async def check(self, spec: DatasetSpec) -> HealthReport:
        """What freezing a spec would give. NotFound PROJECT_NOT_FOUND."""
        async with self._turn(spec):
            try:
                with closing(LabelPack(self._spool)) as pack:
                    return (await self._freeze(spec, Progress(), await self._read_for_check(spec, pack)))[1]
            finally:
                _trim_later()

    async def prepare(self, spec: DatasetSpec, progress: Progress) -> Dataset:
        """Freeze a spec, or answer the data set that it gave before over the same data.

        NotFound PROJECT_NOT_FOUND, FailedPrecondition DATASET_INVALID, and Aborted DATASET_CHANGING when
        images are deleted faster than they are frozen, or added faster than they are looked at.
        """
        if dataset := await self._recall(spec):
            return dataset
        async with self._turn(spec):
            try:
                for _ in range(_TRIES):
                    with closing(LabelPack(self._spool)) as pack:
                        if dataset := await self._try(spec, progress, pack):
                            return dataset
                    log.info("images went while they were frozen; trying again")
            finally:
                _trim_later()
        raise Aborted("DATASET_CHANGING", "Images were deleted while they were frozen. Try again.")

    @contextlib.asynccontextmanager
    async def _turn(self, spec: DatasetSpec) -> AsyncIterator[None]:
        """Wait for the room that freezing a spec needs, and have it for the time of the context."""
        async with self._pool.acquire() as connection:
            count = await columns.count_images(connection, spec)
        async with AsyncExitStack() as turn:
            # First, so that those who wait for it take no room from others.
            if count >= _MANY:
                await turn.enter_async_context(self._large)
            await turn.enter_async_context(self._room)
            yield

    async def _try(self, spec: DatasetSpec, progress: Progress, pack: LabelPack) -> Dataset | None:
        """Freeze a spec and keep the result; None when one of its images has gone meanwhile."""
        # The findings are kept with the data set, and a grouped split depends on them.
        snapshot = await self._read_seen(spec, progress, pack)
        key = snapshot.key
        frozen, report = await self._freeze(spec, progress, snapshot)
        del snapshot
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
        manifest, labels = frozen.manifest, frozen.label_pack
        del frozen
        dataset = await self._keep(new, key, manifest, labels, progress)
        if dataset is not None:
            # Whoever froze it wants to read it.
            self._opened.keep(layout)
        return dataset

    async def _recall(self, spec: DatasetSpec) -> Dataset | None:
        """The data set that the spec gave before, if its projects have not changed since."""
        async with self._pool.acquire() as connection:
            revisions = await columns.read_revisions(connection, spec)
            return await datasets.find_frozen(connection, freezing_key(spec, revisions))

    async def _read_for_check(self, spec: DatasetSpec, pack: LabelPack) -> Snapshot:
        if spec.split.strategy is Strategy.GROUPED:
            # The split depends on them.
            return await self._read_seen(spec, Progress(), pack)
        with contextlib.suppress(_Unseen):
            return await self._read(spec, Progress(), pack, only_seen=True)
        # What is missing after that is a finding of its own.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CHECK_WAITS):
                await self._look(spec, Progress())
        return await self._read(spec, Progress(), pack)

    async def _read_seen(self, spec: DatasetSpec, progress: Progress, pack: LabelPack) -> Snapshot:
        """A snapshot in which all images have a fingerprint. Aborted DATASET_CHANGING when images come faster
        than they are looked at.
        """
        for tries_left in reversed(range(1 + _TRIES)):
            # Most often there is nothing to look at, and to ask for it takes as long as reading the images.
            # An import that ends meanwhile leaves more.
            with contextlib.suppress(_Unseen):
                return await self._read(spec, progress, pack, only_seen=True)
            if tries_left:
                await self._look(spec, progress)
        raise Aborted("DATASET_CHANGING", "Images were added while others were looked at. Try again.")

    async def _look(self, spec: DatasetSpec, progress: Progress) -> None:
        """See that all images of a spec have a fingerprint."""
        progress.begin("looking at images")
        await self._backfill.complete(spec.project_ids, progress.reach)

    async def _freeze(
        self, spec: DatasetSpec, progress: Progress, snapshot: Snapshot
    ) -> tuple[Frozen, HealthReport]:
        """What a spec gives, and its health."""
        images = snapshot.images
        alike = await snapshot.alike
        progress.begin("splitting", len(images))
        # What one step leaves would lie beside what the next one takes.
        await _trim(images)
        frozen = await asyncio.to_thread(freeze, spec, images, snapshot.labelling, alike)
        await _trim(images)
        labels: list[str] = []
        if missing_classes(frozen, spec):
            async with self._pool.acquire() as connection:
                labels = await columns.read_labels(connection, spec)
        return frozen, await asyncio.to_thread(examine, spec, images, frozen, labels)

    async def _read(
        self, spec: DatasetSpec, progress: Progress, pack: LabelPack, *, only_seen: bool = False
    ) -> Snapshot:
        """One snapshot of the projects' images, labelled from the annotations as they come, and the key that
        it has. `pack` gets the label files. _Unseen where an image has no fingerprint yet and `only_seen` is
        asked for.
        """
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            if missing := await columns.find_missing_project(connection, spec):
                raise project_not_found(missing)
            key = freezing_key(spec, await columns.read_revisions(connection, spec))
            progress.begin("reading images")
            images = await columns.read_images(connection, spec)
            if only_seen and (images.look == Look.PENDING).any():
                raise _Unseen
            # Needs no annotations; while Postgres puts them in order there is nothing else to do.
            alike = asyncio.get_running_loop().run_in_executor(None, find_alike, images)
            progress.begin("reading annotations", len(images))
            total = int(images.annotations.sum())

            def read(annotations: int) -> None:
                progress.images_done = len(images) * annotations // max(total, 1)

            labeller = Labeller(spec, images, pack)
            await columns.read_annotations(connection, spec, images, labeller.add, read)
        return Snapshot(images, await asyncio.to_thread(labeller.finish), alike, key)

    async def _keep(
        self, new: NewDataset, key: bytes, manifest: Manifest, pack: LabelPack, progress: Progress
    ) -> Dataset | None:
        """The data set, new or as it was; None when one of its images has gone meanwhile."""
        if dataset := await self._find(new, key):
            return dataset
        progress.begin("storing", len(manifest))
        own = {manifest.digest: len(manifest.data), manifest.label_pack: len(pack)}
        try:
            async with claiming(self._pool) as claims:
                await claims.claim(list(own.items()))
                putting = asyncio.create_task(self._put(manifest, pack))
                try:
                    async with (
                        self._pool.acquire() as connection,
                        connection.transaction(isolation="read_committed"),
                    ):
                        dataset = await datasets.insert_dataset(connection, new, manifest)
                        # The bytes are there before anything refers to them.
                        await putting
                        await claims.give_back(connection)
                        if dataset is not None:
                            await datasets.keep_frozen(connection, key, dataset.id)
                except BaseException:
                    # No claim ends while bytes are being put.
                    putting.cancel()
                    await asyncio.wait([putting])
                    raise
        except asyncpg.ForeignKeyViolationError:
            return None
        # Another caller may have frozen the same at the same time.
        return dataset or await self._find(new, key)

    async def _find(self, new: NewDataset, key: bytes) -> Dataset | None:
        """The data set that is there already, now also known as what this freezing gives."""
        async with self._pool.acquire() as connection:
            dataset = await datasets.find_dataset(connection, new.identity)
            if dataset is not None:
                await datasets.keep_frozen(connection, key, dataset.id)
            return dataset

    async def _put(self, manifest: Manifest, pack: LabelPack) -> None:
        """Store what a data set has of its own."""
        async with asyncio.timeout(_PUT_TIMEOUT):
            if len(pack) <= MOST_IN_MEMORY:
                await self._blobs.put_many(
                    [(manifest.digest.hex(), manifest.data), (manifest.label_pack.hex(), pack.read())]
                )
                return

            async def chunks() -> AsyncIterator[bytes]:
                for chunk in pack.chunks():
                    yield chunk

            await self._blobs.put_bytes(manifest.data, manifest.digest.hex())
            if await self._blobs.exists(manifest.label_pack.hex()):
                # Another split of the same labels.
                return
            stored = await self._blobs.put_stream(chunks(), limit=len(pack))
            if stored.sha256 != manifest.label_pack.hex():
                raise RuntimeError("The labels were not read from the disk as they were written.")


class _Unseen(Exception):
    """An image has no fingerprint yet."""


async def _trim(images: Images) -> None:
    """Give back what has been freed where it is much; it takes milliseconds."""
    if len(images) >= _MANY:
        await asyncio.to_thread(trim_heap)


def _trim_later() -> None:
    """Give back what a freezing has freed, and let nobody wait for it."""
    asyncio.get_running_loop().run_in_executor(None, trim_heap)
