"""Annotations as rows of PostgreSQL's binary COPY, and read from such again."""

import struct
import tracemalloc
from itertools import accumulate, pairwise
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.columns import NO_LABEL, NOT_CHOSEN, TYPE_CODES, joined
from annotateforge.dataset.store.annotation_runs import COLUMNS, LONGEST_RUN, StagedAnnotation, encode
from annotateforge.dataset.store.run_reader import RunReader

Labelled = tuple[UUID, int, list[Annotation]]
"""The id of an image, the position of its first annotation, and all from that on."""

FEW = st.lists(st.floats(allow_nan=False), min_size=1, max_size=12).map(tuple)
MANY = st.integers(30, 2 * LONGEST_RUN).map(lambda count: tuple(map(float, range(count))))
LABELS = st.sampled_from(["", "red", "blue", "größer"])
SOURCES = st.sampled_from(["", "manual", "import:voc"])


def annotations_with(coordinates: st.SearchStrategy[tuple[float, ...]]) -> st.SearchStrategy[Annotation]:
    kinds, sure = st.sampled_from(AnnotationType), st.none() | st.floats(0, 1)
    return st.builds(Annotation, kinds, coordinates, LABELS, sure, SOURCES, st.none())


def images_with(coordinates: st.SearchStrategy[tuple[float, ...]]) -> st.SearchStrategy[list[Labelled]]:
    annotations = st.lists(annotations_with(coordinates), min_size=1, max_size=6)
    image = st.tuples(st.uuids(), st.integers(0, 1000), annotations)
    return st.lists(image, max_size=4, unique_by=lambda image: image[0])


FORMATS = {21: ">h", 23: ">i", 701: ">d"}


def staged(images: list[Labelled]) -> list[StagedAnnotation]:
    return [
        StagedAnnotation(image_id, position, annotation)
        for image_id, first, annotations in images
        for position, annotation in enumerate(annotations, first)
    ]


def fields(data: bytes) -> list[dict[str, bytes | None]]:
    """The fields of all rows by their columns, read by the documentation of the format."""
    assert data.startswith(b"PGCOPY\n\xff\r\n\0" + bytes(8))
    at, rows = 19, []
    while (count := struct.unpack_from(">h", data, at)[0]) != -1:
        at += 2
        row: list[bytes | None] = []
        for _ in range(count):
            (length,) = struct.unpack_from(">i", data, at)
            at += 4
            row.append(None if length == -1 else data[at : at + length])
            at += max(length, 0)
        rows.append(dict(zip(COLUMNS, row, strict=True)))
    assert at + 2 == len(data)
    return rows


def elements(array: bytes | None) -> list[Any]:
    """What array_recv reads."""
    assert array is not None
    dimensions, has_nulls, oid, count, lower_bound = struct.unpack_from(">5i", array)
    assert (dimensions, lower_bound) == (1, 1)
    found: list[Any] = []
    at = 20
    for _ in range(count):
        (length,) = struct.unpack_from(">i", array, at)
        value = array[at + 4 : at + 4 + max(length, 0)]
        at += 4 + max(length, 0)
        if length == -1:
            assert has_nulls
            found.append(None)
        else:
            found.append(value.decode() if oid == 25 else struct.unpack(FORMATS[oid], value)[0])
    assert at == len(array)
    return found


def read_row(row: dict[str, bytes | None]) -> list[StagedAnnotation]:
    """The annotations of a row."""
    image_id, position, source = row["image_id"], row["position"], row["source"]
    assert image_id is not None
    assert position is not None
    assert source is not None
    labels, ends, coordinates = map(elements, (row["class_labels"], row["ends"], row["coordinates"]))
    kinds = {code: kind for kind, code in TYPE_CODES.items()}
    confidences = [None] * len(ends) if row["confidences"] is None else elements(row["confidences"])
    assert ends[-1] == len(coordinates)
    return [
        StagedAnnotation(
            UUID(bytes=image_id),
            struct.unpack(">i", position)[0] + place,
            Annotation(
                kinds[kind], tuple(coordinates[begin:end]), labels[number - 1], confidence, source.decode()
            ),
        )
        for place, (kind, begin, end, number, confidence) in enumerate(
            zip(
                elements(row["types"]),
                [0, *ends],
                ends,
                elements(row["class_numbers"]),
                confidences,
                strict=False,
            )
        )
    ]


@settings(deadline=None)
@given(images_with(FEW | MANY))
def test_rows_hold_what_was_staged(images: list[Labelled]) -> None:
    annotations = staged(images)
    assert [each for row in fields(encode(annotations)) for each in read_row(row)] == annotations


def test_one_row_holds_what_follows_one_another() -> None:
    image, other = UUID(int=7), UUID(int=8)
    box = Annotation(AnnotationType.BOX, (0.0, 1.0, 2.0, 3.0), "cell", source="manual")
    polygon = Annotation(AnnotationType.POLYGON, (1.0,) * LONGEST_RUN, "cell", source="manual")
    rows = fields(
        encode(
            [
                StagedAnnotation(image, 0, box),
                StagedAnnotation(UUID(int=7), 1, box._replace(class_label="")),
                StagedAnnotation(image, 2, box._replace(source="a model")),
                StagedAnnotation(image, 4, box._replace(source="a model")),
                StagedAnnotation(image, 5, polygon._replace(source="a model")),
                StagedAnnotation(image, 6, box._replace(source="a model")),
                StagedAnnotation(other, 0, box),
            ]
        )
    )
    assert [len(elements(row["ends"])) for row in rows] == [2, 1, 1, 1, 1, 1]
    assert elements(rows[0]["class_labels"]) == ["cell", ""]
    assert all(row["confidences"] is None for row in rows)
    assert [row["version"] for row in rows] == [row["image_id"] for row in rows]
    version = UUID(int=9)
    assert fields(encode([StagedAnnotation(image, 0, box)], version))[0]["version"] == version.bytes


def sent(images: list[Labelled]) -> bytes:
    """What Postgres sends of such rows to whoever freezes."""
    data = b"PGCOPY\n\xff\r\n\0" + bytes(8)
    for row in fields(encode(staged(images))):
        data += struct.pack(">h", 6)
        for name in ("image_id", "class_labels", "class_numbers", "types", "ends", "coordinates"):
            field = row[name]
            assert field is not None
            data += struct.pack(">i", len(field)) + field
    return data + struct.pack(">h", -1)


@settings(deadline=None)
@given(images_with(FEW), st.lists(st.integers(1, 60), max_size=8), st.integers(300, 2000))
def test_rows_are_read_as_they_were_written_however_they_are_cut(
    images: list[Labelled], first_sizes: list[int], size: int
) -> None:
    numbers = {image_id: number for number, (image_id, _, _) in enumerate(images)}
    data = sent(images)
    wanted = (AnnotationType.BOX, AnnotationType.POLYGON)
    ids = np.frombuffer(b"".join(image_id.bytes for image_id in numbers), np.uint8).reshape(-1, 16)
    reader = RunReader(ids, ("blue", "red"), [TYPE_CODES[kind] for kind in wanted])
    begun = sum(first_sizes)
    cuts = [0, *accumulate(first_sizes), *range(begun + size, begun + len(data) + size, size)]
    found = joined([reader.annotations(data[begin:end]) for begin, end in pairwise(cuts)])
    reader.finish()
    annotations = staged(images)
    class_ids = {"": NO_LABEL, "blue": 0, "red": 1}
    assert found.image.tolist() == [numbers[each.image_id] for each in annotations]
    assert found.type.tolist() == [TYPE_CODES[each.annotation.type] for each in annotations]
    assert found.class_id.tolist() == [
        class_ids.get(each.annotation.class_label, NOT_CHOSEN) for each in annotations
    ]
    used = [
        list(each.annotation.coordinates)
        if each.annotation.type in wanted and each.annotation.class_label in ("blue", "red")
        else []
        for each in annotations
    ]
    assert found.count.tolist() == list(map(len, used))
    assert found.numbers.tolist() == [number for numbers in used for number in numbers]
    assert found.start.tolist() == [0, *accumulate(map(len, used))][: len(used)]


def test_what_is_no_copy_stream_is_told() -> None:
    with pytest.raises(ValueError, match="COPY"):
        RunReader(np.empty((0, 16), np.uint8), (), ()).annotations(b"SELECT 1, 2, 3, 4, 5")


def test_a_polygon_of_many_corners_is_alone_in_its_row() -> None:
    image = UUID(int=7)
    box = Annotation(AnnotationType.BOX, (0.0, 1.0, 2.0, 3.0), "cell")
    polygon = Annotation(AnnotationType.POLYGON, (1.0,) * 20_000, "cell")
    shapes = [*[box] * 300, polygon, *[box] * 3, polygon, polygon]
    rows = fields(encode(staged([(image, 0, shapes)])))
    assert [len(elements(row["ends"])) for row in rows] == [250, 50, 1, 3, 1, 1]


def test_the_memory_of_labels_is_bounded() -> None:
    box = Annotation(AnnotationType.BOX, (0.0, 1.0, 2.0, 3.0))

    def labelled(image: int, count: int) -> bytes:
        labels = [f"{image} {number} " + 180 * "x" for number in range(count)]
        return encode(staged([(UUID(int=image), 0, [box._replace(class_label=label) for label in labels])]))

    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for image in range(300):
            labelled(image, 250)
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # 1,024 single labels are remembered, and lists of up to 16.
    assert held < 2 * 2**20


def test_a_stream_that_is_cut_off_is_told() -> None:
    image_id = UUID(int=7)
    box = Annotation(AnnotationType.BOX, (1.0, 2.0, 3.0, 4.0), "red")
    data = sent([(image_id, 0, [box])])
    ids = np.frombuffer(image_id.bytes, np.uint8).reshape(1, 16)
    for end in range(len(data)):
        reader = RunReader(ids, ("red",), (2,))
        reader.annotations(data[:end])
        with pytest.raises(ValueError, match="does not end"):
            reader.finish()
