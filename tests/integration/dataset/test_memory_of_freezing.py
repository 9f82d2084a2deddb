"""How much memory a freeze takes on top of what the service holds."""

import asyncio
import tracemalloc

from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.dataset.settings import Settings
from annotateforge.runtime.database import Pool, database
from tests.integration.dataset.calls import new_project
from tests.integration.dataset.specs import SEGMENT, prepare, spec_of

IMAGES, PER_IMAGE, CORNERS = 1000, 20, 200
COORDINATES_BYTES = IMAGES * PER_IMAGE * CORNERS * 2 * 8
"""All coordinates at once, 64 million bytes; their label texts have even more."""
MOST_BYTES = 28 * 1024 * 1024

FILL = """
WITH pictures AS (
    INSERT INTO blobs (sha256, size_bytes)
    SELECT sha256(int4send(number)), 1 FROM generate_series(1, $2::integer) AS number
    RETURNING sha256
), looks AS (
    INSERT INTO fingerprints (sha256, fingerprint)
    SELECT sha256, '\\x01' || sha256 || '\\x00000000' FROM pictures
), added AS (
    INSERT INTO images (
        id, project_id, filename, sha256, crc32, size_bytes, format, width, height, annotation_count
    )
    SELECT gen_random_uuid(), $1::uuid, encode(sha256, 'hex'), sha256, 0, 1, 'png', 1000, 1000, $3::integer
    FROM pictures
    RETURNING id
)
INSERT INTO annotation_runs (
    image_id, position, version, source, class_labels, class_numbers, types, ends, coordinates
)
SELECT
    added.id, position, added.id, '', ARRAY[CASE WHEN position % 2 = 0 THEN 'red' ELSE 'blue' END],
    '{1}', '{4}', ARRAY[2 * $4::integer],
    ARRAY(
        SELECT 500 + (position + 1) * CASE WHEN axis = 0 THEN cos(corner) ELSE sin(corner) END
        FROM generate_series(1, $4::integer) AS corner, generate_series(0, 1) AS axis
        ORDER BY corner, axis
    )
FROM added, generate_series(0, $3::integer - 1) AS position
"""
"""Images that need no bytes: their fingerprints are there, and freezing reads no image."""


async def filled(pool: Pool, project_id: str) -> None:
    # The polygons of one image are those of all.
    await pool.execute(FILL, project_id, IMAGES, PER_IMAGE, CORNERS, timeout=120)


async def test_a_freeze_holds_neither_all_coordinates_nor_all_label_texts(
    editor: DatasetServiceStub, settings: Settings
) -> None:
    project_id = await new_project(editor, "many corners")
    async with database(settings.database_url, "dataset", "annotateforge.dataset") as pool:
        await filled(pool, project_id)
    tracemalloc.start()
    try:
        dataset = await prepare(editor, spec_of(project_id, task=SEGMENT))
        # What is done after the answer counts as well.
        await asyncio.sleep(0.2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert dataset.total_images == IMAGES
    assert peak < MOST_BYTES < COORDINATES_BYTES / 2
