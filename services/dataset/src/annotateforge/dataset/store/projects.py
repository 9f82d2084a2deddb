"""Projects in SQL."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from annotateforge.dataset.projects import (
    MOST_IMAGE_SIZES,
    BoxAreaCount,
    BoxSizeCount,
    ClassStats,
    ImageSizeCount,
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
    image_count,
    annotated_image_count,
    classified_image_count,
    reviewed_image_count,
    annotation_count,
    size_bytes
FROM projects
WHERE id = $1
"""
CLASSES = """
SELECT
    class_label,
    image_count,
    classified_image_count,
    circle_count,
    box_count,
    rectangle_count,
    polygon_count,
    coalesce(widths / nullif(instances, 0), 0) AS mean_width,
    coalesce(heights / nullif(instances, 0), 0) AS mean_height,
    coalesce(shortest_side, 0) AS shortest_side,
    coalesce(longest_side, 0) AS longest_side
FROM (
    SELECT *, circle_count + box_count + rectangle_count + polygon_count AS instances
    FROM project_classes
    WHERE project_id = $1 AND class_label <> '' AND (image_count > 0 OR classified_image_count > 0)
) AS counted
ORDER BY instances + classified_image_count DESC, class_label
"""
BOX_SIZES = """
SELECT
    power(2::double precision, width_step / 2.0) AS min_width,
    power(2::double precision, height_step / 2.0) AS min_height,
    annotation_count
FROM project_box_sizes
WHERE project_id = $1 AND annotation_count > 0
ORDER BY width_step, height_step
"""
BOX_AREAS = """
SELECT power(2::double precision, (area_step - 40) / 2.0) AS min_share, annotation_count
FROM project_box_areas
WHERE project_id = $1 AND annotation_count > 0
ORDER BY area_step
"""
IMAGE_SIZES = f"""
SELECT width, height, image_count
FROM project_image_sizes
WHERE project_id = $1 AND image_count > 0
ORDER BY image_count DESC, width, height
LIMIT {MOST_IMAGE_SIZES}
"""


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
        totals = await connection.fetchrow(TOTALS, project_id)
        if totals is None:
            raise project_not_found(project_id)
        classes = await connection.fetch(CLASSES, project_id)
        box_sizes = await connection.fetch(BOX_SIZES, project_id)
        box_areas = await connection.fetch(BOX_AREAS, project_id)
        image_sizes = await connection.fetch(IMAGE_SIZES, project_id)
    return ProjectStats(
        **totals,
        classes=tuple(ClassStats(**row) for row in classes),
        box_sizes=tuple(BoxSizeCount(**row) for row in box_sizes),
        box_areas=tuple(BoxAreaCount(**row) for row in box_areas),
        image_sizes=tuple(ImageSizeCount(**row) for row in image_sizes),
    )
