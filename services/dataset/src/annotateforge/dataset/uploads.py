"""Uploads: several images in one stream, which land together or not at all."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from annotateforge.dataset.images import Image, ImageRefused, NewImage
from annotateforge.dataset.ingest import BATCH_BYTES, BATCH_IMAGES, Ingest
from annotateforge.dataset.inspector import Inspector
from annotateforge.dataset.problems import Problem, Severity
from annotateforge.dataset.store.images import digests_of, insert_images
from annotateforge.runtime.blob_claims import claiming
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import FieldViolation, InvalidArgument, ResourceExhausted
from annotateforge.runtime.ids import new_id

MOST_VIOLATIONS = 20
"""Violations that one answer lists: they travel in gRPC's trailing metadata, of which clients take 8 KiB."""


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """What comes before the bytes of an image."""

    filename: str
    """Clean, see `clean_filename`."""
    image_class: str
    group: str


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What an upload brought."""

    images: list[Image]
    """New ones, in the order of the stream."""
    problems: list[Problem]


@dataclass(slots=True)
class _Batch:
    files: list[UploadedFile] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, file: UploadedFile, content: bytes) -> None:
        self.files.append(file)
        self.contents.append(content)
        self.size += len(content)

    @property
    def is_full(self) -> bool:
        return len(self.files) >= BATCH_IMAGES or self.size >= BATCH_BYTES


class Uploader:
    """Takes streams of images."""

    def __init__(self, pool: Pool, blobs: BlobStore, inspector: Inspector, most_images: int) -> None:
        self._pool = pool
        self._blobs = blobs
        self._inspector = inspector
        self._most_images = most_images

    async def upload(self, project_id: UUID, files: AsyncIterator[tuple[UploadedFile, bytes]]) -> Uploaded:
        """Add images to a project in one transaction.

        An image that is there already, under the same name and with the same bytes, is passed over, so that
        an upload can be sent again. Files that cannot be taken are reported and the others go in; when that
        leaves none, InvalidArgument NO_IMAGE_TAKEN names them. NotFound PROJECT_NOT_FOUND, ResourceExhausted
        UPLOAD_TOO_MANY_IMAGES.
        """
        problems: list[Problem] = []
        images: list[NewImage] = []
        async with claiming(self._pool) as claims:
            ingest = Ingest(self._inspector, self._blobs, claims)
            batch = _Batch()
            count = 0
            async for file, content in files:
                count += 1
                if count > self._most_images:
                    raise ResourceExhausted(
                        "UPLOAD_TOO_MANY_IMAGES",
                        f"An upload takes at most {self._most_images:,} images."
                        " Send several, or import an archive.",
                    )
                batch.add(file, content)
                if batch.is_full:
                    images += await _take(ingest, batch, problems)
                    batch = _Batch()
            images += await _take(ingest, batch, problems)
            async with self._pool.acquire() as connection, connection.transaction():
                added = await insert_images(connection, project_id, images)
                await claims.give_back(connection)
                there = await digests_of(connection, project_id, [image.filename for image in images])
        new = {image.id for image in added}
        problems += [_taken_name(image, there) for image in images if image.id not in new]
        problems += [_converted(image) for image in images if image.id in new and image.facts.converted]
        _refuse_if_nothing_came_in(added, problems)
        return Uploaded(list(added), problems)


async def _take(ingest: Ingest, batch: _Batch, problems: list[Problem]) -> list[NewImage]:
    images = []
    for file, facts in zip(batch.files, await ingest.take(batch.contents), strict=True):
        if isinstance(facts, ImageRefused):
            problems.append(
                Problem(Severity.WARNING, facts.reason, file.filename, 0, facts.message, facts.hint)
            )
        else:
            images.append(NewImage(new_id(), file.filename, facts, file.image_class, file.group))
    return images


def _converted(image: NewImage) -> Problem:
    return Problem(
        Severity.INFO,
        "IMAGE_CONVERTED",
        image.filename,
        0,
        image.facts.converted,
        "Nothing needs to be done; convert it yourself if it should look otherwise.",
    )


def _taken_name(image: NewImage, there: Mapping[str, bytes]) -> Problem:
    if there.get(image.filename) == image.facts.sha256:
        return Problem(
            Severity.INFO,
            "IMAGE_EXISTS",
            image.filename,
            0,
            "The project has this image already, under the same name.",
            "Nothing needs to be done.",
        )
    return Problem(
        Severity.WARNING,
        "IMAGE_NAME_TAKEN",
        image.filename,
        0,
        "The project has another image under this name; it was kept and this one left out.",
        "Upload it under another name, or delete the other one first.",
    )


def _refuse_if_nothing_came_in(added: object, problems: list[Problem]) -> None:
    refused = [problem for problem in problems if problem.severity is not Severity.INFO]
    if added or not refused or len(refused) < len(problems):
        return
    violations = [
        FieldViolation(problem.file, f"{problem.reason}: {problem.message} {problem.hint}")
        for problem in refused[:MOST_VIOLATIONS]
    ]
    first = refused[0]
    # A single file's trouble is the whole trouble, and its reason is the one to know.
    reason = first.reason if len(refused) == 1 else "NO_IMAGE_TAKEN"
    others = f" Nor could {len(refused) - 1} others be taken." if len(refused) > 1 else ""
    raise InvalidArgument(
        reason, f"{first.file}: {first.message} {first.hint}{others}", violations=violations
    )
