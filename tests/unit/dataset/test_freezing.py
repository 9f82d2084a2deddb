import hashlib
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.columns import NO_LABEL, NOT_CHOSEN
from annotateforge.dataset.freezing import Frozen
from annotateforge.dataset.labelling import Skip
from annotateforge.dataset.manifest import NO_CLASS
from annotateforge.dataset.spec import DatasetSpec, Task
from tests.unit.dataset.pictured import (
    BOX,
    CIRCLE,
    POLYGON,
    RECTANGLE,
    Drawn,
    Pictured,
    columns_of,
    freeze_columns,
    spec_of,
)

boxes = st.tuples(st.integers(-20, 110), st.integers(-20, 60), st.integers(1, 60), st.integers(1, 60)).map(
    lambda box: Drawn(BOX, (box[0], box[1], box[0] + box[2], box[1] + box[3]))
)
circles = st.tuples(st.integers(-20, 120), st.integers(-20, 70), st.integers(1, 40)).map(
    lambda circle: Drawn(CIRCLE, circle)
)
triangles = st.lists(st.integers(-20, 120), min_size=6, max_size=6).map(lambda points: Drawn(POLYGON, points))
drawn = st.tuples(
    st.one_of(boxes, circles, triangles), st.sampled_from([0, 0, 1, 1, NO_LABEL, NOT_CHOSEN])
).map(lambda pair: replace(pair[0], class_id=pair[1]))
pictured = st.builds(
    Pictured,
    content=st.binary(max_size=2),
    drawn=st.lists(drawn, max_size=5),
    class_id=st.sampled_from([0, 1, NO_LABEL, NOT_CHOSEN]),
    group=st.sampled_from([0, 0, 1, 2]),
)
specs = st.sampled_from(
    [spec_of(), spec_of(Task.SEGMENT), spec_of(Task.CLASSIFY), spec_of(types=(BOX, POLYGON))]
)


def frozen(spec: DatasetSpec, images: list[Pictured]) -> Frozen:
    return freeze_columns(spec, *columns_of(images))


@settings(deadline=None)
@given(specs, st.lists(pictured, max_size=12), st.randoms(use_true_random=False))
def test_the_manifest_depends_on_content_alone(
    spec: DatasetSpec, images: list[Pictured], dice: random.Random
) -> None:
    before = frozen(spec, images)
    shuffled = [replace(image, drawn=dice.sample(image.drawn, len(image.drawn))) for image in images]
    after = frozen(spec, dice.sample(shuffled, len(shuffled)))
    assert after.manifest.data == before.manifest.data
    assert after.label_pack.read() == before.label_pack.read()


@settings(deadline=None)
@given(specs, st.lists(pictured, max_size=12))
def test_everything_goes_in_or_is_counted(spec: DatasetSpec, images: list[Pictured]) -> None:
    result = frozen(spec, images)
    labelling = result.labelling
    assert len(result.manifest) + sum(labelling.skipped_images.values()) == len(images)
    if spec.task is not Task.CLASSIFY:
        rows = result.label_pack.read().count(b"\n")
        assert rows == labelling.instances.sum()
        assert rows + sum(labelling.skipped_annotations.values()) == sum(len(image.drawn) for image in images)


@settings(deadline=None)
@given(specs, st.lists(pictured, max_size=12))
def test_records_follow_the_content(spec: DatasetSpec, images: list[Pictured]) -> None:
    result = frozen(spec, images)
    records = result.manifest.records
    digests = [record.tobytes() for record in records["sha256"]]
    assert digests == sorted(digests)
    assert result.manifest.label_pack == hashlib.sha256(result.label_pack.read()).digest()
    ends = records["label_offset"] + records["label_size"]
    assert ends.tolist() == [*records["label_offset"][1:].tolist(), len(result.label_pack)][: len(records)]
    if spec.task is Task.CLASSIFY:
        assert set(records["class_id"].tolist()) <= {0, 1}
    else:
        assert set(records["class_id"].tolist()) <= {NO_CLASS}


@pytest.mark.parametrize(
    ("task", "image", "reason"),
    [
        (Task.DETECT, Pictured(b"x"), Skip.UNLABELLED_IMAGE),
        (Task.DETECT, Pictured(b"x", [Drawn(BOX, (1, 1, 2, 2), NOT_CHOSEN)]), Skip.NO_CHOSEN_CLASS),
        (Task.DETECT, Pictured(b"x", [Drawn(BOX, (1, 1, 2, 2), NO_LABEL)]), Skip.NO_CHOSEN_CLASS),
        (Task.DETECT, Pictured(b"x", [Drawn(POLYGON, (1, 1, 2, 2, 1, 2))]), Skip.NO_USABLE_ANNOTATION),
        (Task.DETECT, Pictured(b"x", [Drawn(BOX, (101, 1, 120, 2))]), Skip.NO_USABLE_ANNOTATION),
        (Task.SEGMENT, Pictured(b"x", [Drawn(BOX, (1, 1, 2, 2))]), Skip.NO_USABLE_ANNOTATION),
        (Task.CLASSIFY, Pictured(b"x", [Drawn(BOX, (1, 1, 2, 2))]), Skip.NO_IMAGE_CLASS),
        (Task.CLASSIFY, Pictured(b"x", class_id=NOT_CHOSEN), Skip.CLASS_NOT_CHOSEN),
    ],
)
def test_images_are_skipped_for_a_reason(task: Task, image: Pictured, reason: Skip) -> None:
    result = frozen(spec_of(task), [image])
    assert result.labelling.skipped_images == {reason: 1}
    assert len(result.manifest) == 0


def test_annotations_are_skipped_for_a_reason() -> None:
    drawn = [
        Drawn(BOX, (1, 1, 9, 9)),
        Drawn(BOX, (1, 1, 9, 9)),
        Drawn(BOX, (1, 1, 9, 9), class_id=1),
        Drawn(CIRCLE, (5, 5, 4)),
        Drawn(RECTANGLE, (1, 1, 9, 1, 9, 9, 1, 9)),
        Drawn(RECTANGLE, (1, 1, 9, 1, 9, 1, 1, 1)),
        Drawn(BOX, (1, 1, 9, 9), class_id=NO_LABEL),
        Drawn(BOX, (1, 1, 9, 9), class_id=NOT_CHOSEN),
        Drawn(BOX, (-9, -9, -1, -1)),
        Drawn(POLYGON, (1, 1, 9, 1, 9, 9)),
        Drawn(BOX, (90, 40, 110, 60)),
    ]
    labelling = frozen(spec_of(), [Pictured(b"x", drawn)]).labelling
    assert labelling.skipped_annotations == {
        # Circle and rectangle have the box of the first.
        Skip.DUPLICATE_ANNOTATION: 3,
        Skip.NO_AREA: 1,
        Skip.WITHOUT_CLASS: 1,
        Skip.CLASS_NOT_CHOSEN: 1,
        Skip.OUTSIDE_IMAGE: 1,
        Skip.TYPE_NOT_CHOSEN: 1,
    }
    assert labelling.types_not_chosen == {AnnotationType.POLYGON: 1}
    assert labelling.clipped == 1
    assert labelling.instances.tolist() == [2, 1]


def test_copies_with_different_labels_are_ordered_by_their_labels() -> None:
    one, other = Drawn(BOX, (1, 1, 9, 9)), Drawn(BOX, (20, 20, 30, 30), class_id=1)
    images = [Pictured(b"same", [one]), Pictured(b"same", [other]), Pictured(b"another", [one])]
    before, after = frozen(spec_of(), images), frozen(spec_of(), images[::-1])
    assert before.manifest.digest == after.manifest.digest
    same = before.manifest.records["sha256"] == np.frombuffer(hashlib.sha256(b"same").digest(), np.uint8)
    assert before.manifest.records["copy"][same.all(axis=1)].tolist() == [0, 1]


def test_labels_of_many_images_are_written_in_parts_that_divide_none() -> None:
    # More coordinates than are worked on at once, in images of very different numbers of annotations.
    dice = random.Random(3)
    images = []
    for number in range(60):
        count = dice.choice([1, 10, 3000])
        boxes = [(x, y) for x in range(60) for y in range(50)][:count]
        images.append(Pictured(str(number).encode(), [Drawn(BOX, (x, y, x + 1, y + 1)) for x, y in boxes]))
    result = frozen(spec_of(classes=["a"]), images)
    by_digest = {hashlib.sha256(image.content).digest(): len(image.drawn) for image in images}
    for record in result.manifest.records:
        begin, size = int(record["label_offset"]), int(record["label_size"])
        text = result.label_pack.read(begin, begin + size)
        assert text.count(b"\n") == by_digest[record["sha256"].tobytes()]
        assert text.endswith(b"\n")


def test_a_frozen_data_set_is_pinned() -> None:
    # Fixed for ever: another digest for the same data means another archive under the same spec.
    images = [Pictured(bytes([n]), [Drawn(BOX, (n, 1, n + 3.3, 9), n % 2)], group=n // 15) for n in range(20)]
    assert frozen(spec_of(), images).manifest.digest.hex()[:16] == "9efcce6b39cdccc0"
