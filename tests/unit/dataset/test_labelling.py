"""Labels do not depend on how annotations are cut into blocks."""

import tempfile
from contextlib import closing
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotateforge.dataset import label_pack, labelling
from annotateforge.dataset.columns import NO_LABEL, NOT_CHOSEN, Annotations, WholeImages, joined
from annotateforge.dataset.imports.opening import Spool
from annotateforge.dataset.label_pack import LabelPack
from annotateforge.dataset.labelling import Labeller, Labelling, label
from annotateforge.dataset.spec import DatasetSpec, Task
from tests.unit.dataset.pictured import BOX, CIRCLE, POLYGON, Drawn, Pictured, columns_of, spec_of

corner = st.integers(-20, 120)
drawn = st.builds(
    Drawn,
    kind=st.just(BOX),
    numbers=st.tuples(corner, corner, st.integers(1, 60), st.integers(1, 60)).map(
        lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
    ),
    class_id=st.sampled_from([0, 0, 1, 10, 11, NO_LABEL, NOT_CHOSEN]),
) | st.builds(
    Drawn,
    kind=st.sampled_from([CIRCLE, POLYGON]),
    numbers=st.lists(st.integers(1, 120), min_size=6, max_size=6),
    class_id=st.integers(0, 11),
).map(lambda each: Drawn(CIRCLE, each.numbers[:3], each.class_id) if each.kind == CIRCLE else each)
pictured = st.builds(
    Pictured,
    content=st.binary(max_size=2),
    drawn=st.lists(drawn, max_size=6),
    reviewed=st.booleans(),
)
specs = st.sampled_from(
    [
        spec_of(task, [f"class {number}" for number in range(12)])
        for task in (Task.DETECT, Task.SEGMENT, Task.CLASSIFY)
    ]
)


def assert_same(one: Labelling, other: Labelling) -> None:
    assert one.pack.read() == other.pack.read()
    assert one.pack.digest == other.pack.digest
    for name in ("label_size", "label_crc32", "image", "class_id", "instances", "clipped_images"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist(), name
    for name in ("without_class_images", "backgrounds"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist(), name
    for name in ("skipped_images", "skipped_annotations", "types_not_chosen", "clipped"):
        assert getattr(one, name) == getattr(other, name), name
    assert {mark: found.tolist() for mark, found in one.marked.items()} == {
        mark: found.tolist() for mark, found in other.marked.items()
    }


def blocks_of(annotations: Annotations, cuts: list[int]) -> list[Annotations]:
    """Blocks of whole images, from annotations that come in parts of some lengths, the last of the rest."""
    whole = WholeImages()
    blocks, at = [], 0
    for length in [*cuts, len(annotations)]:
        end = min(at + length, len(annotations))
        blocks.append(whole.add(annotations.cut(at, end)))
        at = end
    return [*blocks, whole.rest()]


@settings(deadline=None)
@given(specs, st.lists(pictured, max_size=12), st.lists(st.integers(0, 9), max_size=12))
def test_labelling_in_blocks_gives_what_labelling_at_once_gives(
    spec: DatasetSpec, images: list[Pictured], cuts: list[int]
) -> None:
    columns, annotations = columns_of(images)
    labeller = Labeller(spec, columns, LabelPack())
    blocks = blocks_of(annotations, cuts)
    for block in blocks:
        labeller.add(block)
    assert_same(labeller.finish(), label(spec, columns, annotations))
    held = [set(block.image.tolist()) for block in blocks]
    assert sum(map(len, held)) == len(set(annotations.image.tolist()))
    again = joined(blocks)
    assert again.image.tolist() == annotations.image.tolist()
    assert again.numbers.tolist() == annotations.numbers.tolist()


@settings(deadline=None)
@given(specs, st.lists(pictured, max_size=12), st.integers(1, 30))
def test_labels_do_not_depend_on_how_many_are_worked_on_at_once(
    spec: DatasetSpec, images: list[Pictured], chunk: int
) -> None:
    columns, annotations = columns_of(images)
    expected = label(spec, columns, annotations)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labelling, "_CHUNK", chunk)
        assert_same(label(spec, columns, annotations), expected)


@settings(deadline=None)
@given(parts=st.lists(st.binary(max_size=40), max_size=12), dice=st.randoms(use_true_random=False))
def test_a_pack_is_the_same_in_memory_and_on_the_disk(parts: list[bytes], dice: Random) -> None:
    ends = np.cumsum([len(part) for part in parts]).astype(np.int64)
    begins = ends - np.array([len(part) for part in parts], np.int64)
    order = np.array(dice.sample(range(len(parts)), len(parts)), np.int64)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(label_pack, "MOST_IN_MEMORY", 50)
        patch.setattr(label_pack, "_CHUNK", 30)
        spool = Spool(Path(folder), 0)
        with closing(LabelPack()) as here, closing(LabelPack(spool)) as there:
            for pack in (here, there):
                for part in parts:
                    pack.append(part)
                assert pack.read() == b"".join(pack.chunks()) == b"".join(parts)
                moved = pack.rearranged(begins[order], ends[order])
                assert moved.read() == b"".join(parts[at] for at in order)
                assert len(moved) == len(pack) == len(b"".join(parts))
            assert here.digest == there.digest


def test_a_pack_that_is_closed_has_no_bytes_to_give(tmp_path: Path) -> None:
    pack = LabelPack(Spool(tmp_path, 0))
    pack.append(b"0 0.5 0.5 0.1 0.1\n")
    moved = pack.rearranged(np.array([0]), np.array([18]))
    pack.close()
    for each in (pack, moved):
        with pytest.raises(ValueError, match="closed"):
            each.read()
        with pytest.raises(ValueError, match="closed"):
            each.append(b"0 0.5 0.5 0.2 0.2\n")
