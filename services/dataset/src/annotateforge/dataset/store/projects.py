"""Projects in SQL."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from annotateforge.dataset.projects import (
    ClassStats,
    Project,
    ProjectStats,
    project_exists,
    project_not_found,
)
from annotateforge.runtime.database import Connection

_COLUMNS = "id, name, description, create_time, update_time, image_count, annotation_count"

INSERT = f"INSERT INTO projects (id, name, description) VALUES ($1, $2, $3) RETURNING {_COLUMNS}"
GET = f"SELECT {_COLUMNS} FROM projects WHERE id = $1"
LIST = f"""
SELECT {_COLUMNS}
FROM projects
WHERE ($1::uuid IS NULL OR id < $1) AND ($2::text IS NULL OR name = $2)
ORDER BY id DESC
LIMIT $3
"""
UPDATE = f"""
UPDATE projects
SET name = coalesce($2, name), description = coalesce($3, description), update_time = now()
WHERE id = $1
RETURNING {_COLUMNS}
"""
DELETE = "DELETE FROM projects WHERE id = $1"
TOTALS = """
SELECT
    count(*) AS image_count,
    count(*) FILTER (WHERE annotation_count > 0) AS annotated_image_count,
    count(*) FILTER (WHERE image_class <> '') AS classified_image_count,
    count(*) FILTER (WHERE reviewed) AS reviewed_image_count,
    coalesce(sum(annotation_count), 0)::bigint AS annotation_count,
    coalesce(sum(size_bytes), 0)::bigint AS size_bytes
FROM images
WHERE project_id = $1
"""


def _extent(circle: str, box: str, odd: int) -> str:
    """Width or height of the box around an annotation; corners are only unpacked where there are some."""
    return f"""CASE type
            WHEN 'circle' THEN {circle}
            WHEN 'box' THEN {box}
            ELSE (
                SELECT max(value) - min(value)
                FROM unnest(coordinates) WITH ORDINALITY AS corner (value, place)
                WHERE place % 2 = {odd}
            )
        END"""


_WIDTH = _extent("2 * coordinates[3]", "coordinates[3] - coordinates[1]", 1)
_HEIGHT = _extent("2 * coordinates[3]", "coordinates[4] - coordinates[2]", 0)
# Per image first, so that images are counted without sorting all annotations by label and image.
CLASSES = f"""
WITH sized AS (
    SELECT class_label, image_id, type, {_WIDTH} AS width, {_HEIGHT} AS height
    FROM annotations
    JOIN images ON images.id = annotations.image_id
    WHERE images.project_id = $1 AND class_label <> ''
), per_image AS (
    SELECT
        class_label,
        image_id,
        count(*) AS instances,
        sum(width) AS widths,
        sum(height) AS heights,
        min(least(width, height)) AS shortest,
        max(greatest(width, height)) AS longest,
        count(*) FILTER (WHERE type = 'circle') AS circles,
        count(*) FILTER (WHERE type = 'box') AS boxes,
        count(*) FILTER (WHERE type = 'rectangle') AS rectangles,
        count(*) FILTER (WHERE type = 'polygon') AS polygons
    FROM sized
    GROUP BY class_label, image_id
), annotated AS (
    SELECT
        class_label,
        count(*) AS image_count,
        sum(circles)::bigint AS circle_count,
        sum(boxes)::bigint AS box_count,
        sum(rectangles)::bigint AS rectangle_count,
        sum(polygons)::bigint AS polygon_count,
        sum(widths) / sum(instances) AS mean_width,
        sum(heights) / sum(instances) AS mean_height,
        min(shortest) AS shortest_side,
        max(longest) AS longest_side
    FROM per_image
    GROUP BY class_label
), classified AS (
    SELECT image_class AS class_label, count(*) AS classified_image_count
    FROM images
    WHERE project_id = $1 AND image_class <> ''
    GROUP BY image_class
)
SELECT
    class_label,
    coalesce(image_count, 0) AS image_count,
    coalesce(classified_image_count, 0) AS classified_image_count,
    coalesce(circle_count, 0) AS circle_count,
    coalesce(box_count, 0) AS box_count,
    coalesce(rectangle_count, 0) AS rectangle_count,
    coalesce(polygon_count, 0) AS polygon_count,
    coalesce(mean_width, 0)::double precision AS mean_width,
    coalesce(mean_height, 0)::double precision AS mean_height,
    coalesce(shortest_side, 0)::double precision AS shortest_side,
    coalesce(longest_side, 0)::double precision AS longest_side
FROM annotated FULL JOIN classified USING (class_label)
ORDER BY
    coalesce(circle_count + box_count + rectangle_count + polygon_count, 0)
        + coalesce(classified_image_count, 0) DESC,
    class_label COLLATE "C"
"""

_STATS_TIMEOUT = 120.0


async def insert_project(connection: Connection, project_id: UUID, name: str, description: str) -> Project:
    """Add an empty project. AlreadyExists PROJECT_EXISTS when the name is taken."""
    try:
        row = await connection.fetchrow(INSERT, project_id, name, description)
    except asyncpg.UniqueViolationError as error:
        raise project_exists(name) from error
    assert row is not None
    return Project(**row)


async def get_project(connection: Connection, project_id: UUID) -> Project:
    """One project. NotFound PROJECT_NOT_FOUND."""
    row = await connection.fetchrow(GET, project_id)
    if row is None:
        raise project_not_found(project_id)
    return Project(**row)


async def list_projects(
    connection: Connection, before: UUID | None, name: str | None, limit: int
) -> Sequence[Project]:
    """Projects, the newest first, that are older than `before` and have exactly this name, where given."""
    return [Project(**row) for row in await connection.fetch(LIST, before, name, limit)]


async def update_project(
    connection: Connection, project_id: UUID, name: str | None, description: str | None
) -> Project:
    """Change what is not None. NotFound PROJECT_NOT_FOUND, AlreadyExists PROJECT_EXISTS."""
    try:
        row = await connection.fetchrow(UPDATE, project_id, name, description)
    except asyncpg.UniqueViolationError as error:
        raise project_exists(name or "") from error
    if row is None:
        raise project_not_found(project_id)
    return Project(**row)


async def delete_project(connection: Connection, project_id: UUID, timeout: float) -> None:
    """Delete a project with its images and annotations. NotFound PROJECT_NOT_FOUND."""
    if await connection.execute(DELETE, project_id, timeout=timeout) == "DELETE 0":
        raise project_not_found(project_id)


async def project_stats(connection: Connection, project_id: UUID) -> ProjectStats:
    """What a project holds, all of it seen at one moment. NotFound PROJECT_NOT_FOUND."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await get_project(connection, project_id)
        totals = await connection.fetchrow(TOTALS, project_id, timeout=_STATS_TIMEOUT)
        assert totals is not None
        classes = await connection.fetch(CLASSES, project_id, timeout=_STATS_TIMEOUT)
        return ProjectStats(**totals, classes=tuple(ClassStats(**row) for row in classes))
