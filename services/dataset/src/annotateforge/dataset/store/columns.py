"""The images and annotations of projects, read in bulk: COPY in binary form, which numpy takes as it comes.

Both readers follow the order of the images' content, and must see the same snapshot: call them in one
transaction of isolation REPEATABLE READ.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.columns import (
    FORMAT_CODES,
    NO_LABEL,
    NOT_CHOSEN,
    TYPE_CODES,
    Annotations,
    Images,
    Look,
    WholeImages,
)
from annotateforge.dataset.copy_format import CopyReader
from annotateforge.dataset.fingerprints import SIZE, VERSION
from annotateforge.dataset.spec import DatasetSpec, Task
from annotateforge.dataset.store.run_reader import RunReader
from annotateforge.runtime.database import Connection

READ_TIMEOUT = 600.0
"""Seconds that reading all annotations may take."""
_BLOCK = 1 << 19
"""Bytes that are parsed at once."""

MISSING_PROJECT = """
SELECT id
FROM unnest($1::uuid[]) WITH ORDINALITY AS named (id, position)
WHERE NOT EXISTS (SELECT FROM projects WHERE projects.id = named.id)
ORDER BY position
LIMIT 1
"""


IMAGE_COUNT = "SELECT coalesce(sum(image_count), 0)::bigint FROM projects WHERE id = ANY($1::uuid[])"
REVISIONS = "SELECT id, revision FROM projects WHERE id = ANY($1::uuid[])"


def _code(column: str, codes: Mapping[Any, int]) -> str:
    """An enum as its number. Written out, because enum_range asks the catalogue again for every row."""
    cases = " ".join(f"WHEN '{value}' THEN {code}" for value, code in codes.items())
    return f"CASE {column} {cases} END::smallint"


_LOOK = f"""CASE
        WHEN fingerprint IS NULL THEN {Look.PENDING}
        WHEN octet_length(fingerprint) = 0 THEN {Look.UNREADABLE}
        WHEN get_byte(fingerprint, 0) <> {VERSION} THEN {Look.PENDING}
        WHEN octet_length(fingerprint) = {SIZE} THEN {Look.KNOWN}
        ELSE {Look.TOO_LARGE}
    END"""
IMAGES = f"""
SELECT
    images.id,
    images.sha256,
    images.crc32,
    images.size_bytes,
    {_code("images.format", FORMAT_CODES)},
    images.width,
    images.height,
    CASE WHEN images.image_class = '' THEN {NO_LABEL}
        ELSE coalesce(chosen.position - 1, {NOT_CHOSEN}) END::smallint,
    CASE WHEN images."group" = '' THEN 0
        ELSE dense_rank() OVER (ORDER BY images.project_id, images."group") END::integer,
    images.annotation_count,
    images.reviewed::integer::smallint,
    {_LOOK}::smallint,
    CASE WHEN {_LOOK} = {Look.KNOWN} THEN fingerprint ELSE '\\x{"00" * SIZE}' END
FROM images
LEFT JOIN fingerprints ON fingerprints.sha256 = images.sha256
LEFT JOIN unnest($2::text[]) WITH ORDINALITY AS chosen (label, position) ON chosen.label = images.image_class
WHERE images.project_id = ANY($1::uuid[])
ORDER BY images.sha256, images.id
"""
# Coordinates of rows that have nothing of the spec's types stay where they are.
ANNOTATION_RUNS = """
SELECT
    runs.image_id,
    runs.class_labels,
    runs.class_numbers,
    runs.types,
    runs.ends,
    CASE WHEN runs.types && $2::smallint[] THEN runs.coordinates ELSE '{}' END
FROM images
JOIN annotation_runs AS runs ON runs.image_id = images.id
WHERE images.project_id = ANY($1::uuid[])
ORDER BY images.sha256, images.id
"""
ANNOTATION_LABELS = """
SELECT class_label AS label
FROM project_classes
WHERE project_id = ANY($1) AND class_label <> '' AND image_count > 0
GROUP BY class_label
ORDER BY sum(circle_count + box_count + rectangle_count + polygon_count) DESC, class_label
LIMIT 1000
"""
IMAGE_LABELS = """
SELECT class_label AS label
FROM project_classes
WHERE project_id = ANY($1) AND class_label <> '' AND classified_image_count > 0
GROUP BY class_label
ORDER BY sum(classified_image_count) DESC, class_label
LIMIT 1000
"""

Report = Callable[[int], None]
"""Told how many annotations have been read."""


async def find_missing_project(connection: Connection, spec: DatasetSpec) -> Any | None:
    """The id of the first project of a spec that is not there; None when all are."""
    return await connection.fetchval(MISSING_PROJECT, spec.project_ids)


async def count_images(connection: Connection, spec: DatasetSpec) -> int:
    """Images of the spec's projects."""
    count: int = await connection.fetchval(IMAGE_COUNT, spec.project_ids)
    return count


async def read_revisions(connection: Connection, spec: DatasetSpec) -> dict[UUID, int]:
    """The revisions of a spec's projects: other ones after every change of what is read here."""
    return {row["id"]: row["revision"] for row in await connection.fetch(REVISIONS, spec.project_ids)}


async def read_images(connection: Connection, spec: DatasetSpec) -> Images:
    """The images of the spec's projects in the order of their content."""
    reader = CopyReader(
        {
            "id": ("u1", 16),
            "sha256": ("u1", 32),
            "crc32": ">i8",
            "size": ">i8",
            "format": ">i2",
            "width": ">i4",
            "height": ">i4",
            "class_id": ">i2",
            "group": ">i4",
            "annotations": ">i4",
            "reviewed": ">i2",
            "look": ">i2",
            "fingerprint": ("u1", SIZE),
        }
    )
    kinds: dict[str, npt.DTypeLike] = {
        "id": np.uint8,
        "sha256": np.uint8,
        "crc32": np.uint32,
        "size": np.int64,
        "format": np.uint8,
        "width": np.int32,
        "height": np.int32,
        "class_id": np.int16,
        "group": np.int32,
        "annotations": np.int32,
        "reviewed": np.bool_,
        "look": np.uint8,
        "fingerprint": np.uint8,
    }
    # They grow in place, where arrays that are joined at the end would need twice the memory.
    grown = {name: bytearray() for name in kinds}

    def parse(block: bytes) -> None:
        rows = reader.rows(block)
        for name, kind in kinds.items():
            grown[name] += np.ascontiguousarray(rows[name], kind).view(np.uint8).data

    await _copy(connection, IMAGES, [spec.project_ids, spec.classes], parse)
    reader.finish()

    def column(name: str, width: int = 0) -> npt.NDArray[Any]:
        values = np.frombuffer(grown[name], kinds[name])
        return values.reshape(-1, width) if width else values

    return Images(
        id=column("id", 16),
        sha256=column("sha256", 32),
        crc32=column("crc32"),
        size=column("size"),
        format=column("format"),
        width=column("width"),
        height=column("height"),
        class_id=column("class_id"),
        group=column("group"),
        annotations=column("annotations"),
        reviewed=column("reviewed"),
        look=column("look"),
        fingerprint=column("fingerprint", SIZE),
    )


async def read_annotations(
    connection: Connection,
    spec: DatasetSpec,
    images: Images,
    take: Callable[[Annotations], None],
    report: Report,
) -> None:
    """Read the annotations of the images that `read_images` has read, with the coordinates of those that the
    spec uses; none for classify.

    `take`, which is called in a thread, gets them in blocks, image by image as the images are numbered, all
    of an image in one block.
    """
    if spec.task is Task.CLASSIFY:
        return
    kinds = [TYPE_CODES[kind] for kind in spec.annotation_types]
    reader = RunReader(images.id, spec.classes, kinds)
    whole = WholeImages()
    done = 0

    def parse(block: bytes) -> None:
        nonlocal done
        found = reader.annotations(block)
        done += len(found)
        if len(ready := whole.add(found)):
            take(ready)
        report(done)

    await _copy(connection, ANNOTATION_RUNS, [spec.project_ids, kinds], parse)
    reader.finish()
    if len(rest := whole.rest()):
        await asyncio.to_thread(take, rest)


async def read_labels(connection: Connection, spec: DatasetSpec) -> list[str]:
    """The labels that the projects use for the spec's task, the most frequent first, at most 1,000."""
    query = IMAGE_LABELS if spec.task is Task.CLASSIFY else ANNOTATION_LABELS
    return [row["label"] for row in await connection.fetch(query, spec.project_ids)]


async def _copy(
    connection: Connection, query: str, arguments: list[Any], parse: Callable[[bytes], None]
) -> None:
    """Hand the result of a query to `parse`, in threads but one call after another, in blocks of about
    _BLOCK bytes. What comes meanwhile is received.
    """
    waiting: list[bytes] = []
    held = 0
    parsing: asyncio.Future[None] | None = None

    async def take(data: bytes) -> None:
        nonlocal held
        waiting.append(data)
        held += len(data)
        if held >= _BLOCK:
            await begin()

    async def begin() -> "asyncio.Future[None]":
        nonlocal held, parsing
        if parsing is not None:
            await parsing
        block = b"".join(waiting)
        waiting.clear()
        held = 0
        parsing = asyncio.ensure_future(asyncio.to_thread(parse, block))
        return parsing

    try:
        await connection.copy_from_query(
            query, *arguments, output=take, format="binary", timeout=READ_TIMEOUT
        )
        await (await begin())
    except BaseException:
        if parsing is not None:
            # The thread uses what the caller is about to close.
            await asyncio.wait([parsing])
        raise
