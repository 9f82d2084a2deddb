"""What an import has found, staged in temporary tables until all of it is committed at once.

Temporary tables, because an import may hold millions of annotations, must land whole or not at all, and
should not keep a transaction open while it decodes images. They belong to one connection, which the import
holds from beginning to end.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.images import NewImage
from annotateforge.dataset.projects import project_not_found
from annotateforge.dataset.store.annotation_runs import COLUMNS, copy_runs
from annotateforge.dataset.store.images import LOCK_PROJECT
from annotateforge.runtime.database import Connection

CREATE_IMAGES = """
CREATE TEMP TABLE staged_images (
    id uuid NOT NULL,
    filename text COLLATE "C" NOT NULL,
    sha256 bytea NOT NULL,
    crc32 bigint NOT NULL,
    size_bytes bigint NOT NULL,
    format image_format NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    image_class text NOT NULL,
    "group" text NOT NULL
)
"""
CREATE_ANNOTATION_RUNS = """
CREATE TEMP TABLE staged_annotation_runs (
    image_id uuid NOT NULL,
    position integer NOT NULL,
    version uuid NOT NULL,
    source text NOT NULL,
    class_labels text[] NOT NULL,
    class_numbers smallint[] NOT NULL,
    types smallint[] NOT NULL,
    ends integer[] NOT NULL,
    coordinates double precision[] NOT NULL,
    confidences double precision[]
)
"""
DROP = "DROP TABLE IF EXISTS pg_temp.staged_images, pg_temp.staged_annotation_runs"
# Only what is joined: statistics of coordinates would cost more than all else.
ANALYZE = "ANALYZE pg_temp.staged_images (id, filename), pg_temp.staged_annotation_runs (image_id)"
INSERT_IMAGES = """
INSERT INTO images (
    id, project_id, filename, sha256, crc32, size_bytes, format, width, height, image_class, "group",
    annotation_count
)
SELECT
    id, $1, filename, sha256, crc32, size_bytes, format, width, height, image_class, "group",
    coalesce(annotation_count, 0)
FROM staged_images
LEFT JOIN (
    SELECT image_id, sum(cardinality(ends)) AS annotation_count FROM staged_annotation_runs GROUP BY image_id
) AS counts ON counts.image_id = staged_images.id
ORDER BY filename
ON CONFLICT (project_id, filename) DO NOTHING
"""
# The join leaves out the annotations of images that somebody else added under the same name meanwhile.
INSERT_ANNOTATION_RUNS = f"""
INSERT INTO annotation_runs ({", ".join(COLUMNS)})
SELECT {", ".join(f"staged.{name}" for name in COLUMNS)}
FROM staged_annotation_runs AS staged
JOIN images ON images.id = staged.image_id
ORDER BY image_id, position
"""
COUNT_IMAGE_CLASSES = """
SELECT image_class, count(*)
FROM staged_images
JOIN images USING (id, image_class)
WHERE image_class <> ''
GROUP BY image_class
"""
# Of those that were left out there are no annotations.
SUMMARIZE = """
SELECT summarize_labels(array_agg(id))
FROM staged_images
WHERE EXISTS (SELECT FROM staged_annotation_runs WHERE image_id = staged_images.id)
"""
COUNT_SHAPES = """
SELECT class_label, sum(circles), sum(boxes), sum(rectangles), sum(polygons)
FROM image_labels
WHERE image_id IN (SELECT id FROM staged_images)
GROUP BY class_label
"""

_IMAGE_COLUMNS = (
    *("id", "filename", "sha256", "crc32", "size_bytes", "format", "width", "height"),
    *("image_class", "group"),
)
_COPY_TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class Landed:
    """What a commit added."""

    images: int
    annotations: int
    image_classes: Mapping[str, int]
    """Images by their class, those without one not counted."""
    shapes: Mapping[tuple[str, AnnotationType], int]
    """Annotations by class label and type."""


class Staging:
    """The temporary tables of one import."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add_images(self, images: Sequence[NewImage]) -> None:
        """Stage images."""
        await self._connection.copy_records_to_table(
            "staged_images",
            records=map(_image_record, images),
            columns=_IMAGE_COLUMNS,
            schema_name="pg_temp",
            timeout=_COPY_TIMEOUT,
        )

    async def add_annotations(self, rows: bytes) -> None:
        """Stage annotations of staged images, as `annotation_runs.encode` makes rows of them."""
        await copy_runs(self._connection, rows, table="staged_annotation_runs", schema="pg_temp")

    async def commit(self, project_id: UUID, timeout: float) -> Landed:
        """Add all that is staged to a project; call it in a transaction, whose rollback takes all of it back.

        Images whose file name the project has by now are left out with their annotations. NotFound
        PROJECT_NOT_FOUND.
        """
        await self._connection.execute(ANALYZE, timeout=timeout)
        if await self._connection.fetchval(LOCK_PROJECT, project_id, timeout=timeout) is None:
            raise project_not_found(project_id)
        images = await self._connection.execute(INSERT_IMAGES, project_id, timeout=timeout)
        await self._connection.execute(INSERT_ANNOTATION_RUNS, timeout=timeout)
        await self._connection.execute(SUMMARIZE, timeout=timeout)
        classes = await self._connection.fetch(COUNT_IMAGE_CLASSES, timeout=timeout)
        shapes = {
            (label, kind): count
            for label, *counts in await self._connection.fetch(COUNT_SHAPES, timeout=timeout)
            for kind, count in zip(AnnotationType, counts, strict=True)
            if count
        }
        return Landed(_count(images), sum(shapes.values()), dict(map(tuple, classes)), shapes)


@asynccontextmanager
async def staging(connection: Connection) -> AsyncIterator[Staging]:
    """Empty temporary tables for the time of the context."""
    await connection.execute(DROP)
    await connection.execute(CREATE_IMAGES)
    await connection.execute(CREATE_ANNOTATION_RUNS)
    try:
        yield Staging(connection)
    finally:
        if not connection.is_closed():
            await connection.execute(DROP)


def _image_record(image: NewImage) -> tuple[Any, ...]:
    facts = image.facts
    return (
        *(image.id, image.filename, facts.sha256, facts.crc32, facts.size_bytes, facts.format),
        *(facts.width, facts.height, image.image_class, image.group),
    )


def _count(tag: str) -> int:
    """The number of rows in a command tag such as `INSERT 0 42`."""
    return int(tag.rsplit(" ", 1)[1])
