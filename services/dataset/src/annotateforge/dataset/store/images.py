"""Images and their annotations in SQL."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.images import (
    Image,
    ImageFacts,
    ImageFormat,
    NewImage,
    image_not_found,
)
from annotateforge.dataset.projects import project_not_found
from annotateforge.dataset.store.annotation_runs import StagedAnnotation, annotation_id, copy_runs, encode
from annotateforge.runtime.database import Connection
from annotateforge.runtime.ids import new_id

COLUMNS = (
    *("id", "project_id", "filename", "sha256", "crc32", "size_bytes", "format", "width", "height"),
    *("image_class", '"group"', "annotation_count", "create_time", "reviewed"),
)
"""What `image_of` reads."""
_COLUMNS = ", ".join(COLUMNS)

GET = f"SELECT {_COLUMNS} FROM images WHERE id = $1"
DIGESTS = """
SELECT filename, sha256 FROM images WHERE project_id = $1 AND filename = ANY($2::text[])
"""
LOCK_PROJECT = "SELECT 1 FROM projects WHERE id = $1 FOR NO KEY UPDATE"
INSERT = f"""
INSERT INTO images (
    id, project_id, filename, sha256, crc32, size_bytes, format, width, height, image_class, "group"
)
SELECT id, $1, filename, sha256, crc32, size_bytes, format::image_format, width, height, image_class, "group"
FROM unnest(
    $2::uuid[], $3::text[], $4::bytea[], $5::bigint[], $6::bigint[], $7::text[], $8::integer[], $9::integer[],
    $10::text[], $11::text[]
) AS new (id, filename, sha256, crc32, size_bytes, format, width, height, image_class, "group")
ON CONFLICT (project_id, filename) DO NOTHING
RETURNING {_COLUMNS}
"""
UPDATE = f"""
UPDATE images SET
    image_class = coalesce($2, image_class),
    "group" = coalesce($3, "group"),
    reviewed = coalesce($4, reviewed)
WHERE id = $1
RETURNING {_COLUMNS}
"""
DELETE = "DELETE FROM images WHERE id = $1"
DELETE_MANY = "DELETE FROM images WHERE project_id = $1 AND id = ANY($2::uuid[])"
ANNOTATIONS = """
SELECT id, type, coordinates, class_label, confidence, source
FROM annotations
WHERE image_id = $1
ORDER BY position
"""
CLASSES_OF_PROJECT = """
SELECT class_label FROM project_classes WHERE project_id = $1 AND image_count > 0
"""
ANNOTATIONS_OF_IMAGES = """
SELECT image_id, id, type, coordinates, class_label, confidence, source
FROM annotations
WHERE image_id = ANY($1::uuid[])
ORDER BY image_id, position
"""
LOCK_IMAGE = "SELECT 1 FROM images WHERE id = $1 FOR NO KEY UPDATE"
# Whatever changes an image ends in the counts of its project: everybody locks the project before the image.
LOCK_PROJECT_OF_IMAGE = """
SELECT 1 FROM projects WHERE id = (SELECT project_id FROM images WHERE id = $1) FOR NO KEY UPDATE
"""
DELETE_ANNOTATIONS = "DELETE FROM annotation_runs WHERE image_id = $1"
SUMMARIZE = "SELECT summarize_labels(ARRAY[$1::uuid])"
COUNT_ANNOTATIONS = "UPDATE images SET annotation_count = $2 WHERE id = $1"


async def get_image(connection: Connection, image_id: UUID) -> Image:
    """One image. NotFound IMAGE_NOT_FOUND."""
    row = await connection.fetchrow(GET, image_id)
    if row is None:
        raise image_not_found(image_id)
    return image_of(row)


async def digests_of(
    connection: Connection, project_id: UUID, filenames: Sequence[str]
) -> Mapping[str, bytes]:
    """The SHA-256 of those of these file names that the project has."""
    rows = await connection.fetch(DIGESTS, project_id, filenames)
    return {row["filename"]: row["sha256"] for row in rows}


async def insert_images(
    connection: Connection, project_id: UUID, images: Sequence[NewImage]
) -> Sequence[Image]:
    """Add images, those aside whose file name the project has by now; answers those that were added, in
    order.

    Call it in a transaction. NotFound PROJECT_NOT_FOUND; asyncpg.ForeignKeyViolationError when a blob is not
    claimed.
    """
    if await connection.fetchval(LOCK_PROJECT, project_id) is None:
        raise project_not_found(project_id)
    facts = [image.facts for image in images]
    rows = await connection.fetch(
        INSERT,
        project_id,
        [image.id for image in images],
        [image.filename for image in images],
        [each.sha256 for each in facts],
        [each.crc32 for each in facts],
        [each.size_bytes for each in facts],
        [each.format.value for each in facts],
        [each.width for each in facts],
        [each.height for each in facts],
        [image.image_class for image in images],
        [image.group for image in images],
    )
    added = {row["id"]: image_of(row) for row in rows}
    return [added[image.id] for image in images if image.id in added]


async def update_image(
    connection: Connection, image_id: UUID, image_class: str | None, group: str | None, reviewed: bool | None
) -> Image:
    """Change what is not None. Call it in a transaction. NotFound IMAGE_NOT_FOUND."""
    await connection.execute(LOCK_PROJECT_OF_IMAGE, image_id)
    row = await connection.fetchrow(UPDATE, image_id, image_class, group, reviewed)
    if row is None:
        raise image_not_found(image_id)
    return image_of(row)


async def delete_image(connection: Connection, image_id: UUID) -> None:
    """Delete an image with its annotations. Call it in a transaction. NotFound IMAGE_NOT_FOUND."""
    await connection.execute(LOCK_PROJECT_OF_IMAGE, image_id)
    if await connection.execute(DELETE, image_id) == "DELETE 0":
        raise image_not_found(image_id)


async def delete_images(
    connection: Connection, project_id: UUID, image_ids: Sequence[UUID], timeout: float
) -> int:
    """Delete those of some images that the project has; how many. Call it in a transaction.

    NotFound PROJECT_NOT_FOUND.
    """
    if await connection.fetchval(LOCK_PROJECT, project_id) is None:
        raise project_not_found(project_id)
    tag = await connection.execute(DELETE_MANY, project_id, image_ids, timeout=timeout)
    return int(tag.rsplit(" ", 1)[1])


async def list_annotations(connection: Connection, image_id: UUID) -> Sequence[Annotation]:
    """The annotations of an image in the order in which they were set. NotFound IMAGE_NOT_FOUND."""
    rows = await connection.fetch(ANNOTATIONS, image_id)
    if not rows:
        await get_image(connection, image_id)
    return [_annotation(row) for row in rows]


async def classes_of_project(connection: Connection, project_id: UUID) -> Sequence[str]:
    """The class labels of a project's annotations, sorted by code point; "" for those without one."""
    return sorted(row["class_label"] for row in await connection.fetch(CLASSES_OF_PROJECT, project_id))


async def annotations_of_images(
    connection: Connection, image_ids: Sequence[UUID]
) -> Mapping[UUID, Sequence[Annotation]]:
    """The annotations of some images, each image's in the order in which they were set."""
    found: dict[UUID, list[Annotation]] = {image_id: [] for image_id in image_ids}
    for row in await connection.fetch(ANNOTATIONS_OF_IMAGES, image_ids):
        found[row["image_id"]].append(_annotation(row))
    return found


async def replace_annotations(
    connection: Connection, image_id: UUID, annotations: Sequence[Annotation]
) -> Sequence[Annotation]:
    """Give an image these annotations and no others; answers them with their ids. Call it in a transaction.

    NotFound IMAGE_NOT_FOUND.
    """
    await connection.execute(LOCK_PROJECT_OF_IMAGE, image_id)
    if await connection.fetchval(LOCK_IMAGE, image_id) is None:
        raise image_not_found(image_id)
    await connection.execute(DELETE_ANNOTATIONS, image_id)
    version = new_id()
    if annotations:
        staged = (StagedAnnotation(image_id, position, each) for position, each in enumerate(annotations))
        await copy_runs(connection, encode(staged, version))
    await connection.execute(SUMMARIZE, image_id)
    await connection.execute(COUNT_ANNOTATIONS, image_id, len(annotations))
    return [each._replace(id=annotation_id(version, position)) for position, each in enumerate(annotations)]


def _annotation(row: asyncpg.Record) -> Annotation:
    return Annotation(
        AnnotationType(row["type"]),
        tuple(row["coordinates"]),
        row["class_label"],
        row["confidence"],
        row["source"],
        row["id"],
    )


def image_of(row: asyncpg.Record) -> Image:
    """An image from a row of COLUMNS."""
    return Image(
        id=row["id"],
        project_id=row["project_id"],
        filename=row["filename"],
        facts=ImageFacts(
            row["sha256"],
            row["crc32"],
            row["size_bytes"],
            ImageFormat(row["format"]),
            row["width"],
            row["height"],
        ),
        image_class=row["image_class"],
        group=row["group"],
        annotation_count=row["annotation_count"],
        create_time=row["create_time"],
        reviewed=row["reviewed"],
    )
