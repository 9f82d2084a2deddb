"""Reading in bulk gives what is in the tables, whatever the size of the parts in which it comes."""

import random
from typing import Any
from uuid import UUID

import pytest

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.columns import (
    FORMAT_CODES,
    NO_LABEL,
    NOT_CHOSEN,
    TYPE_CODES,
    Annotations,
    Images,
    joined,
)
from annotateforge.dataset.images import ImageFormat
from annotateforge.dataset.spec import DatasetSpec, Task
from annotateforge.dataset.store import columns
from annotateforge.dataset.store.annotation_runs import StagedAnnotation, copy_runs, encode
from annotateforge.runtime.database import Connection
from annotateforge.runtime.ids import new_id

Row = tuple[Any, ...]
LENGTHS = {"circle": [3], "box": [4], "rectangle": [8], "polygon": [6, 10, 600]}


@pytest.mark.parametrize("block", [1, 1000, 1 << 20])
async def test_columns_hold_what_the_tables_hold(
    connection: Connection, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "_BLOCK", block)
    dice = random.Random(block)
    projects, images, annotations = await filled(connection, dice, count=60)
    spec = DatasetSpec(
        tuple(projects[:2]), Task.DETECT, ("b", "a"), (AnnotationType.CIRCLE, AnnotationType.BOX)
    )
    seen: list[int] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = await columns.read_images(connection, spec)
        blocks = await read_blocks(connection, spec, seen.append)
    shapes = joined(blocks)
    held = [set(block.image.tolist()) for block in blocks]
    # No image is in two of them.
    assert sum(map(len, held)) == len(set.union(*held))
    expected = sorted((row for row in images if row[1] in spec.project_ids), key=lambda row: (row[3], row[0]))
    assert [UUID(bytes=each.tobytes()) for each in found.id] == [row[0] for row in expected]
    assert_images(found, expected)
    assert seen[-1] == len(shapes)
    assert_annotations(shapes, expected, annotations)


async def test_classify_reads_no_annotations_and_an_empty_project_gives_empty_columns(
    connection: Connection,
) -> None:
    projects, _, _ = await filled(connection, random.Random(1), count=5)
    empty = new_id()
    await connection.execute("INSERT INTO projects (id, name) VALUES ($1, 'empty')", empty)
    classify = DatasetSpec((projects[0],), Task.CLASSIFY, ("a",), ())
    assert not await read_blocks(connection, classify, print)
    detect = DatasetSpec((empty,), Task.DETECT, ("a",), (AnnotationType.BOX,))
    assert len(await columns.read_images(connection, detect)) == 0
    assert not await read_blocks(connection, detect, print)
    assert await columns.find_missing_project(connection, detect) is None
    gone = DatasetSpec((empty, new_id()), Task.DETECT, ("a",), (AnnotationType.BOX,))
    assert await columns.find_missing_project(connection, gone) == gone.project_ids[1]


async def test_labels_come_with_the_most_frequent_first(connection: Connection) -> None:
    projects, images, annotations = await filled(connection, random.Random(2), count=40)
    for task, index, rows in ((Task.CLASSIFY, 8, images), (Task.DETECT, 2, annotations)):
        spec = DatasetSpec(tuple(projects), task, ("a",), ())
        labels = [row[index] for row in rows if row[index]]
        expected = sorted(set(labels), key=lambda label: (-labels.count(label), label))
        assert await columns.read_labels(connection, spec) == expected


async def read_blocks(connection: Connection, spec: DatasetSpec, report: columns.Report) -> list[Annotations]:
    blocks: list[Annotations] = []
    images = await columns.read_images(connection, spec)
    await columns.read_annotations(connection, spec, images, blocks.append, report)
    return blocks


async def filled(
    connection: Connection, dice: random.Random, count: int
) -> tuple[list[UUID], list[Row], list[Row]]:
    projects = [new_id() for _ in range(3)]
    for number, project_id in enumerate(projects):
        await connection.execute("INSERT INTO projects (id, name) VALUES ($1, $2)", project_id, str(number))
    digests = [dice.randbytes(32) for _ in range(count)]
    await connection.copy_records_to_table(
        "blobs", records=[(digest, 1) for digest in digests], columns=["sha256", "size_bytes"]
    )
    images = [
        (
            new_id(),
            dice.choice(projects),
            str(number),
            dice.choice(digests),
            dice.randrange(2**32),
            dice.randrange(1, 2**40),
            dice.choice([kind.value for kind in ImageFormat]),
            dice.randrange(1, 9000),
            dice.choice(["", "a", "b", "c", "b "]),
            dice.choice(["", "", "video", "patient"]),
        )
        for number in range(count)
    ]
    await connection.copy_records_to_table(
        "images",
        records=[(*row[:8], 5, *row[8:]) for row in images],
        columns=[
            *("id", "project_id", "filename", "sha256", "crc32", "size_bytes", "format"),
            *("width", "height", "image_class", "group"),
        ],
    )
    annotations = []
    for row in images:
        for position in range(dice.choice([0, 0, 1, 20])):
            kind = dice.choice(list(LENGTHS))
            first = dice.uniform(-1e6, 1e6)
            numbers = [first + step for step in range(dice.choice(LENGTHS[kind]))]
            if kind == "circle":
                numbers[2] = abs(numbers[2]) + 1
            annotations.append((row[0], position, dice.choice(["", "a", "b", "c"]), kind, numbers))
    await copy_runs(
        connection,
        encode(
            StagedAnnotation(image_id, position, Annotation(AnnotationType(kind), tuple(numbers), label))
            for image_id, position, label, kind, numbers in annotations
        ),
    )
    await connection.execute("SELECT summarize_labels($1)", [row[0] for row in images])
    return projects, images, annotations


def assert_images(found: Images, expected: list[Row]) -> None:
    positions = {"": NO_LABEL, "b": 0, "a": 1}
    assert [each.tobytes() for each in found.sha256] == [row[3] for row in expected]
    assert found.crc32.tolist() == [row[4] for row in expected]
    assert found.size.tolist() == [row[5] for row in expected]
    assert found.format.tolist() == [FORMAT_CODES[ImageFormat(row[6])] for row in expected]
    assert found.width.tolist() == [row[7] for row in expected]
    assert found.height.tolist() == [5] * len(expected)
    assert found.class_id.tolist() == [positions.get(row[8], NOT_CHOSEN) for row in expected]
    groups: dict[tuple[UUID, str], set[int]] = {}
    for row, number in zip(expected, found.group.tolist(), strict=True):
        assert (number == 0) == (row[9] == "")
        if row[9]:
            groups.setdefault((row[1], row[9]), set()).add(number)
    assert all(len(numbers) == 1 for numbers in groups.values())
    assert len(set.union(*groups.values())) == len(groups)


def assert_annotations(found: Annotations, images: list[Row], annotations: list[Row]) -> None:
    positions = {"": NO_LABEL, "b": 0, "a": 1}
    index = {row[0]: number for number, row in enumerate(images)}
    expected = sorted(
        (
            index[row[0]],
            positions.get(row[2], NOT_CHOSEN),
            TYPE_CODES[AnnotationType(row[3])],
            row[4] if row[2] in ("a", "b") and row[3] in ("circle", "box") else [],
        )
        for row in annotations
        if row[0] in index
    )
    assert found.image.tolist() == sorted(found.image.tolist())
    assert expected == sorted(
        (
            int(found.image[number]),
            int(found.class_id[number]),
            int(found.type[number]),
            found.numbers[found.start[number] : found.start[number] + found.count[number]].tolist(),
        )
        for number in range(len(found))
    )
