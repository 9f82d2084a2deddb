"""Rows of PostgreSQL's binary COPY."""

import struct
from itertools import islice
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.store.annotation_rows import COLUMNS, StagedAnnotation, encode

FEW = st.lists(st.floats(allow_nan=False), min_size=1, max_size=12).map(tuple)
MANY = st.integers(30, 2000).map(lambda count: tuple(map(float, range(count))))
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
ANNOTATIONS = st.builds(
    Annotation, st.sampled_from(AnnotationType), FEW | MANY, TEXTS, st.none() | st.floats(0, 1), TEXTS
)
STAGED = st.builds(StagedAnnotation, st.uuids(), st.integers(0, 2**31 - 1), ANNOTATIONS)


def fields(data: bytes) -> list[list[bytes | None]]:
    """The fields of all rows, read by the documentation of the format."""
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
        rows.append(row)
    assert at + 2 == len(data)
    return rows


def numbers(array: bytes) -> list[float]:
    """What array_recv reads of an array of double precision."""
    dimensions, has_nulls, oid, count, lower_bound = struct.unpack_from(">5i", array)
    assert (dimensions, has_nulls, oid, lower_bound) == (1, 0, 701, 1)
    pairs = list(struct.iter_unpack(">id", array[20:]))
    assert [length for length, _ in pairs] == [8] * count
    return [value for _, value in pairs]


@given(st.lists(STAGED, max_size=5))
def test_rows_hold_what_was_staged(staged: list[StagedAnnotation]) -> None:
    rows = fields(encode(staged))
    assert len(rows) == len(staged)
    for each, row in zip(staged, rows, strict=True):
        annotation = each.annotation
        columns = dict(zip(COLUMNS, row, strict=True))
        image_id, position, coordinates = columns["image_id"], columns["position"], columns["coordinates"]
        assert image_id is not None
        assert position is not None
        assert coordinates is not None
        assert UUID(bytes=image_id) == each.image_id
        assert struct.unpack(">i", position) == (each.position,)
        assert columns["class_label"] == annotation.class_label.encode()
        assert columns["type"] == annotation.type.value.encode()
        assert numbers(coordinates) == list(annotation.coordinates)
        sure = columns["confidence"]
        assert (None if sure is None else struct.unpack(">d", sure)[0]) == annotation.confidence
        assert columns["source"] == annotation.source.encode()


def test_rows_of_one_image_share_its_id() -> None:
    image = UUID(int=7)
    box = Annotation(AnnotationType.BOX, (0.0, 1.0, 2.0, 3.0), "cell")
    staged = (StagedAnnotation(image, position, box) for position in range(3))
    assert [row[0] for row in islice(fields(encode(staged)), 3)] == [image.bytes] * 3
