"""Importing: the whole way of an archive into a project, in memory that does not grow with the archive's
bytes.

Images are read in batches, inspected and stored; then labels are read in batches and checked; both are
staged, and one transaction adds them. Until then nothing can be seen of the import, and when it fails nothing
is left of it.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import IO
from uuid import UUID

import structlog

from annotateforge.dataset.conversion import is_convertible
from annotateforge.dataset.images import LONGEST_CLASS, ImageFacts, ImageRefused, NewImage
from annotateforge.dataset.imports import FORMATS
from annotateforge.dataset.imports.ahead import working_ahead
from annotateforge.dataset.imports.containers import ArchiveLimits, Container
from annotateforge.dataset.imports.detection import choose_format
from annotateforge.dataset.imports.image_table import Kept, read_image_table
from annotateforge.dataset.imports.imported import ImportedClass, class_counts
from annotateforge.dataset.imports.intake import NewImages
from annotateforge.dataset.imports.label_format import LabelFormat, Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.opening import Spool, open_container
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree
from annotateforge.dataset.ingest import BATCH_BYTES, BATCH_IMAGES, Ingest
from annotateforge.dataset.inspection import is_deeper_than_8_bits
from annotateforge.dataset.inspector import Inspected, Inspector
from annotateforge.dataset.problems import Problem, ProblemCount
from annotateforge.dataset.store.annotation_runs import encode
from annotateforge.dataset.store.fingerprints import Unseen
from annotateforge.dataset.store.images import digests_of
from annotateforge.dataset.store.imports import Staging, staging
from annotateforge.runtime.blob_claims import claiming
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.heap import trim_heap
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.texts import text_defect

_NAMES_PER_QUERY = 5_000
_LABELS_PER_BATCH = 5_000
_ARCHIVES = ("zip", "tar", "gz", "tgz", "7z", "rar")
_COMMIT_TIMEOUT = 1800.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import brought and what it could not bring."""

    format: str
    images_added: int
    images_skipped: int
    annotations_added: int
    classes: list[str]
    problems: list[Problem]
    problems_omitted: int
    class_counts: list[ImportedClass]
    problem_counts: list[ProblemCount]


@dataclass(frozen=True, slots=True)
class _ImageFile:
    """An image read from the archive."""

    member: Member
    image_class: str
    content: bytes | None
    """None where it has more bytes than an image may have."""


class Importer:
    """Imports archives, a few at a time."""

    def __init__(
        self,
        pool: Pool,
        blobs: BlobStore,
        inspector: Inspector,
        spool: Spool,
        limits: ArchiveLimits,
        concurrent: int,
        left_unseen: Callable[[Iterable[Unseen]], None] = lambda _: None,
        imported: Callable[[int], None] = lambda _: None,
        dropped: Callable[[], None] | None = None,
    ) -> None:
        """`left_unseen` is told the images that were stored without a fingerprint, while the import goes on,
        and nothing once more when it has ended; `imported`, how many images it has added. `dropped` is called
        when an import has failed: what it has stored may go.
        """
        self._pool = pool
        self._blobs = blobs
        self._inspector = inspector
        self._spool = spool
        self._limits = limits
        self._turns = asyncio.Semaphore(concurrent)
        self._left_unseen = left_unseen
        self._imported = imported
        self._dropped = dropped

    async def run(self, project_id: UUID, wanted_format: str, archive: IO[bytes]) -> ImportReport:
        """Import an archive that lies on the disk.

        Raises what `open_container` and `choose_format` raise, InvalidArgument ARCHIVE_WITHOUT_IMAGES,
        NotFound PROJECT_NOT_FOUND; nothing has changed then.
        """
        report = Report()
        with ExitStack() as opened:
            async with (
                self._turns,
                claiming(self._pool, self._dropped) as claims,
                self._pool.acquire() as connection,
                staging(connection) as staged,
            ):
                container = await asyncio.to_thread(
                    open_container, archive, self._limits, self._spool, opened
                )
                labels = await asyncio.to_thread(_read_as, container, wanted_format, report)
                kept = await asyncio.to_thread(read_image_table, labels.tree, report)
                trim_heap()
                run = _Run(
                    self._pool,
                    self._inspector,
                    project_id,
                    labels,
                    kept,
                    staged,
                    report,
                    self._left_unseen,
                )
                await run.take_images(Ingest(self._inspector, self._blobs, claims, fingerprint_later=True))
                trim_heap()
                await run.take_labels()
                async with connection.transaction():
                    landed = await staged.commit(project_id, _COMMIT_TIMEOUT)
                    await claims.give_back(connection)
        self._left_unseen(())
        self._imported(landed.images)
        trim_heap()
        log.info("archive imported", format=labels.name, images=landed.images, annotations=landed.annotations)
        return ImportReport(
            format=labels.name,
            images_added=landed.images,
            images_skipped=run.image_count - landed.images,
            annotations_added=landed.annotations,
            classes=report.classes,
            problems=report.in_order(),
            problems_omitted=report.omitted,
            class_counts=class_counts(report.classes, landed),
            problem_counts=report.counts,
        )


class _Run:
    """One import under way."""

    def __init__(
        self,
        pool: Pool,
        inspector: Inspector,
        project_id: UUID,
        labels: LabelFormat,
        kept: Mapping[str, Kept],
        staged: Staging,
        report: Report,
        left_unseen: Callable[[Iterable[Unseen]], None],
    ) -> None:
        self._pool = pool
        self._most_bytes = inspector.limits.size_bytes
        self._project_id = project_id
        self._labels = labels
        self._staged = staged
        self._report = report
        self._left_unseen = left_unseen
        self._new = NewImages()
        self._there_already = 0
        self._kept = kept
        self.image_count = 0
        """Image files of the archive."""

    async def take_images(self, ingest: Ingest) -> None:
        """Inspect, store and stage the images that the project does not have.

        While a batch is stored the next one is claimed, the one after it inspected, and another one read.
        """
        there = await self._digests()
        batches = self._batches()
        storing: deque[asyncio.Future[None]] = deque()
        async with working_ahead() as begin:
            reading = begin(asyncio.to_thread(next, batches, None))
            while batch := await reading:
                # Images that fill the memory by themselves are alone in it.
                fills_memory = sum(len(file.content or b"") for file in batch) > 2 * BATCH_BYTES
                while storing and (fills_memory or len(storing) > 1):
                    await storing.popleft()
                if not fills_memory:
                    reading = begin(asyncio.to_thread(next, batches, None))
                fresh = [file for file in batch if self._is_fresh(file, there)]
                inspected = await ingest.inspect([file.content or b"" for file in fresh])
                claimed = begin(ingest.claim(inspected))
                before = storing[-1] if storing else None
                storing.append(begin(self._keep(ingest, fresh, inspected, there, claimed, before)))
                if fills_memory:
                    await storing.popleft()
                    del batch, fresh, inspected
                    reading = begin(asyncio.to_thread(next, batches, None))
            while storing:
                await storing.popleft()
        if self._there_already:
            self._report.inform(
                "IMAGE_EXISTS",
                "",
                f"Images that the project has already, under the same names: {self._there_already:,}; they"
                " and"
                " their annotations were left as they are.",
                "Nothing needs to be done.",
            )

    async def _keep(
        self,
        ingest: Ingest,
        fresh: Sequence[_ImageFile],
        inspected: Sequence[Inspected | ImageRefused],
        there: Mapping[str, bytes],
        claimed: Awaitable[None],
        before: Awaitable[None] | None,
    ) -> None:
        """Store and stage a batch that was inspected, once it is claimed and the one before it staged."""
        await claimed
        if before is not None:
            await before
        images = []
        for file, facts in zip(fresh, await ingest.store(inspected), strict=True):
            if isinstance(facts, ImageRefused):
                self._report.warn(facts.reason, file.member.name, facts.message, facts.hint)
            elif self._is_new(file, facts, there):
                images.append(self._image(file, facts))
                self._remark(file, facts)
        if images:
            await self._staged.add_images(images)
            facts_of = (image.facts for image in images)
            self._left_unseen(
                Unseen(facts.sha256, facts.format, facts.size_bytes)
                for facts in facts_of
                if facts.fingerprint is None
            )

    async def take_labels(self) -> None:
        """Check and stage the annotations of the images that are being added.

        While a batch is staged the next one is read.
        """
        if not self._new.sizes:
            return
        labels = self._labels.labels(self._new.sizes)

        def take() -> tuple[bool, bytes]:
            batch = list(islice(labels, _LABELS_PER_BATCH))
            annotations = self._new.take(batch, self._report)
            return bool(batch), encode(annotations) if annotations else b""

        storing: asyncio.Future[None] | None = None
        more = True
        async with working_ahead() as begin:
            while more:
                more, rows = await begin(asyncio.to_thread(take))
                if storing is not None:
                    await storing
                    storing = None
                if rows:
                    storing = begin(self._staged.add_annotations(rows))
            if storing is not None:
                await storing

    async def _digests(self) -> Mapping[str, bytes]:
        """The digests of the archive's images that the project has under the same names."""
        names = list(self._labels.tree.images.names())
        there: dict[str, bytes] = {}
        for at in range(0, len(names), _NAMES_PER_QUERY):
            async with self._pool.acquire() as connection:
                there |= await digests_of(connection, self._project_id, names[at : at + _NAMES_PER_QUERY])
        return there

    def _batches(self) -> Iterator[list[_ImageFile]]:
        """Read the images in batches. Blocking."""
        batch: list[_ImageFile] = []
        size = 0
        for member, image_class in self._labels.images():
            content = self._labels.tree.read(member, self._most_bytes)
            batch.append(_ImageFile(member, image_class, content))
            size += len(content or b"")
            if len(batch) >= BATCH_IMAGES or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _is_fresh(self, file: _ImageFile, there: Mapping[str, bytes]) -> bool:
        """Whether an image is to be taken in; says why not otherwise."""
        self.image_count += 1
        name = file.member.name
        if file.content is None:
            self._report.warn(
                "IMAGE_TOO_LARGE",
                name,
                f"The file has more than the {self._most_bytes:,} bytes that an image may have.",
                "Scale it down or save it with a stronger compression.",
            )
            return False
        if name not in there or is_convertible(file.content):
            return True
        return self._is_other(name, hashlib.sha256(file.content).digest(), there)

    def _is_new(self, file: _ImageFile, facts: ImageFacts, there: Mapping[str, bytes]) -> bool:
        """Whether an image is to be added that only now is as the project would have it."""
        name = file.member.name
        return name not in there or self._is_other(name, facts.sha256, there)

    def _is_other(self, name: str, digest: bytes, there: Mapping[str, bytes]) -> bool:
        """False: the project has an image of this name already, and the report says which."""
        if there[name] == digest:
            self._there_already += 1
        else:
            self._report.warn(
                "IMAGE_NAME_TAKEN",
                name,
                "The project has another image under this name; it was kept and this one left out.",
                "Pack the image under another name, or delete the other one first.",
            )
        return False

    def _remark(self, file: _ImageFile, facts: ImageFacts) -> None:
        if facts.converted:
            self._report.inform(
                "IMAGE_CONVERTED",
                file.member.name,
                facts.converted,
                "Nothing needs to be done; convert it yourself if it should look otherwise.",
            )
            return
        if file.content is not None and is_deeper_than_8_bits(file.content, facts.format):
            self._report.inform(
                "IMAGE_DEPTH_REDUCED",
                file.member.name,
                "It has more than 8 bits a channel. It is kept as it is, and training sees the upper 8:"
                " where values use but a part of the range, often nothing but black.",
                "Convert it to 8 bits, with the range of values that matters, if it looks wrong.",
            )

    def _image(self, file: _ImageFile, facts: ImageFacts) -> NewImage:
        kept = self._kept.get(file.member.name, Kept("", ""))
        image_class = kept.image_class or file.image_class
        if kept.image_class:
            self._report.name_class(image_class)
        if wrong := text_defect(image_class, LONGEST_CLASS):
            self._report.warn(
                "CLASS_NAME_INVALID",
                file.member.name,
                f"The name of its class {wrong}; the image came in without one.",
                "Give the class another name.",
            )
            image_class = ""
        image = NewImage(new_id(), file.member.name, facts, image_class, kept.group)
        self._new.add(image.filename, image.id, Size(facts.width, facts.height))
        return image


def _read_as(container: Container, wanted_format: str, report: Report) -> LabelFormat:
    tree = Tree(container)
    if not tree.images:
        inner = tree.having(*_ARCHIVES)
        raise InvalidArgument(
            "ARCHIVE_WITHOUT_IMAGES",
            f"Among the {len(tree.members):,} files of the archive is no image."
            + (
                f" It holds archives, such as {inner[0].name!r}, which are not unpacked: send each of"
                " them, or pack what is in them."
                if inner
                else " Pack the images together with their labels: JPEG, PNG, BMP, TIFF, WebP, GIF or HEIC."
            ),
        )
    return choose_format(tree, FORMATS, wanted_format, report)(tree, report)
