"""Annotations that lie in runs are what they were as rows of their own."""

import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.store.annotation_runs import StagedAnnotation, annotation_id, copy_runs, encode
from annotateforge.runtime.database import Connection
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.migrations import read_migrations

MIGRATIONS = read_migrations("annotateforge.dataset")
RUNS = 11
"""The migration that puts annotations into runs."""
EVERY = """
SELECT id, image_id, position, class_label, type::text, coordinates, confidence, source
FROM annotations
ORDER BY image_id, position
"""
COORDINATES = {
    AnnotationType.CIRCLE: 3,
    AnnotationType.BOX: 4,
    AnnotationType.RECTANGLE: 8,
    AnnotationType.POLYGON: 900,
}


def some_annotations(dice: random.Random, count: int) -> list[Annotation]:
    return [
        Annotation(
            kind := dice.choice(list(AnnotationType)),
            tuple(float(number) for number in range(1, 1 + COORDINATES[kind])),
            dice.choice(["", "red", "Blue", "größer", "a b"]),
            dice.choice([None, None, 0.25, 1.0]),
            dice.choice(["manual", "manual", "import:coco"]),
        )
        for _ in range(count)
    ]


async def new_image(connection: Any) -> UUID:
    project_id, image_id = new_id(), new_id()
    await connection.execute("INSERT INTO projects (id, name) VALUES ($1, $2)", project_id, str(project_id))
    await connection.execute(
        "INSERT INTO blobs (sha256, size_bytes) VALUES ($1, 1) ON CONFLICT DO NOTHING", bytes(32)
    )
    await connection.execute(
        "INSERT INTO images (id, project_id, filename, sha256, crc32, size_bytes, format, width, height)"
        " VALUES ($1, $2, 'a', $3, 0, 1, 'png', 1000, 1000)",
        image_id,
        project_id,
        bytes(32),
    )
    return image_id


def rows_of(image_id: UUID, annotations: list[Annotation]) -> list[tuple[Any, ...]]:
    return [
        (
            annotation_id(image_id, position),
            image_id,
            position,
            each.class_label,
            each.type.value,
            list(each.coordinates),
            each.confidence,
            each.source,
        )
        for position, each in enumerate(annotations)
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_a_view_shows_each_annotation_of_a_run(connection: Connection, seed: int) -> None:
    annotations = some_annotations(random.Random(seed), 40)
    image_id = await new_image(connection)
    await copy_runs(
        connection,
        encode(StagedAnnotation(image_id, position, each) for position, each in enumerate(annotations)),
    )
    assert list(map(tuple, await connection.fetch(EVERY))) == rows_of(image_id, annotations)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("class_numbers", [1, 3]),
        ("class_numbers", [0, 1]),
        ("types", [2, 5]),
        ("types", [2]),
        ("ends", [4, 9]),
        ("ends", []),
        ("coordinates", [*range(7), float("nan")]),
        ("coordinates", [*range(7), None]),
        ("confidences", [0.5, 1.5]),
        ("confidences", [0.5]),
        ("position", -1),
        ("source", 201 * "x"),
    ],
)
async def test_postgres_refuses_rows_that_are_none(connection: Connection, column: str, value: Any) -> None:
    image_id = await new_image(connection)
    box = Annotation(AnnotationType.BOX, (1.0, 2.0, 3.0, 4.0), "red")
    two = [StagedAnnotation(image_id, 0, box), StagedAnnotation(image_id, 1, box._replace(class_label=""))]
    await copy_runs(connection, encode(two))
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(f"UPDATE annotation_runs SET {column} = $1", value)


async def test_annotations_go_with_their_image(connection: Connection) -> None:
    image_id = await new_image(connection)
    await copy_runs(
        connection, encode([StagedAnnotation(image_id, 0, some_annotations(random.Random(1), 1)[0])])
    )
    await connection.execute("DELETE FROM images")
    assert await connection.fetch(EVERY) == []


@pytest.fixture
async def older(database_url: str) -> AsyncIterator[Connection]:
    """A database from before runs."""
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "dataset"})
    await connection.execute("CREATE SCHEMA dataset")
    for migration in MIGRATIONS[: RUNS - 1]:
        await connection.execute(migration.sql)
    yield connection
    await connection.close()


async def fill(older: Connection, rows: list[tuple[Any, ...]]) -> None:
    columns = ["id", "image_id", "position", "class_label", "type", "coordinates", "confidence", "source"]
    await older.copy_records_to_table("annotations", records=rows, columns=columns)


async def bring_up(older: Connection) -> None:
    for migration in MIGRATIONS[RUNS - 1 :]:
        await older.execute(migration.sql)


@pytest.mark.parametrize("seed", range(3))
async def test_annotations_of_an_older_database_are_put_into_runs(older: Connection, seed: int) -> None:
    dice = random.Random(seed)
    for count in (0, 1, 70, 20):
        image_id = await new_image(older)
        await fill(older, rows_of(image_id, some_annotations(dice, count)))
    images = [row["id"] for row in await older.fetch("SELECT id FROM images")]
    await older.execute("SELECT summarize_labels($1)", images)
    labels = "SELECT image_labels::text FROM image_labels ORDER BY image_id, class_label"
    annotations, summaries = await older.fetch(EVERY), await older.fetch(labels)
    await bring_up(older)
    assert await older.fetch(EVERY) == annotations
    assert len(annotations) == 91
    assert await older.fetch(labels) == summaries
    await older.execute("SELECT summarize_labels($1)", images)
    assert len(await older.fetch(labels)) == len(summaries)
    longest = await older.fetchval("SELECT max(cardinality(coordinates)) FROM annotation_runs")
    assert longest < 1000 + max(COORDINATES.values())


async def test_positions_and_long_labels_of_an_older_database_stay_and_ids_of_other_kinds_are_made_anew(
    older: Connection,
) -> None:
    image_id = await new_image(older)
    box = Annotation(AnnotationType.BOX, (-0.0, 1.0, 2.0, 3.0), 200 * "ü", source=200 * "é")
    rows = rows_of(image_id, [box] * 10)
    kept = [(new_id(), *rows[position][1:]) for position in (3, 4, 9)]
    await fill(older, kept)
    await bring_up(older)
    found = list(map(tuple, await older.fetch(EVERY)))
    assert found == [rows[position] for position in (3, 4, 9)]


async def test_numbers_that_begin_at_another_place_stay_the_same(older: Connection) -> None:
    image_id = await new_image(older)
    await older.execute(
        "INSERT INTO annotations (id, image_id, position, type, coordinates) VALUES"
        " ($2, $1, 0, 'polygon', '[0:5]={1,2,3,4,5,6}'), ($2, $1, 1, 'box', '[5:8]={1,2,3,4}')",
        image_id,
        new_id(),
    )
    await bring_up(older)
    assert [row["coordinates"] for row in await older.fetch(EVERY)] == [[1, 2, 3, 4, 5, 6], [1, 2, 3, 4]]


async def test_a_view_of_others_on_annotations_is_named_and_left_alone(older: Connection) -> None:
    await older.execute("CREATE VIEW mine AS SELECT class_label FROM annotations")
    with pytest.raises(asyncpg.RaiseError, match="mine") as caught:
        await bring_up(older)
    assert "Drop them" in str(caught.value.hint)
    assert await older.fetch("SELECT * FROM mine") == []
    await older.execute("DROP VIEW mine")
    await bring_up(older)
