"""Columns of images and annotations, made by hand."""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.columns import NO_LABEL, TYPE_CODES, Annotations, Images, Look, starts
from annotateforge.dataset.fingerprints import SIZE
from annotateforge.dataset.freezing import Frozen, freeze
from annotateforge.dataset.labelling import label
from annotateforge.dataset.spec import DatasetSpec, Split, Task
from annotateforge.runtime.ids import new_id

CIRCLE, BOX, RECTANGLE, POLYGON = AnnotationType


@dataclass(frozen=True)
class Drawn:
    """An annotation."""

    kind: AnnotationType
    numbers: Sequence[float]
    class_id: int = 0


@dataclass(frozen=True)
class Pictured:
    """An image of 100 × 50 pixels unless said otherwise."""

    content: bytes
    drawn: Sequence[Drawn] = ()
    class_id: int = NO_LABEL
    group: int = 0
    width: int = 100
    height: int = 50
    reviewed: bool = False
    fingerprint: bytes | None = None
    """None where it has none, for the reason that `look` gives."""
    look: Look = Look.TOO_LARGE


def annotations_of(drawn: Sequence[tuple[int, Drawn]]) -> Annotations:
    """Annotations with the index of their image."""
    count = np.array([len(each.numbers) for _, each in drawn], np.int32)
    return Annotations(
        image=np.array([image for image, _ in drawn], np.int32),
        class_id=np.array([each.class_id for _, each in drawn], np.int16),
        type=np.array([TYPE_CODES[each.kind] for _, each in drawn], np.uint8),
        count=count,
        start=starts(count),
        numbers=np.array([number for _, each in drawn for number in each.numbers], np.float64),
    )


def columns_of(pictured: Sequence[Pictured]) -> tuple[Images, Annotations]:
    digests = b"".join(hashlib.sha256(each.content).digest() for each in pictured)
    images = Images(
        id=np.frombuffer(b"".join(new_id().bytes for _ in pictured), np.uint8).reshape(-1, 16),
        sha256=np.frombuffer(digests, np.uint8).reshape(-1, 32),
        crc32=np.array([zlib.crc32(each.content) for each in pictured], np.uint32),
        size=np.array([len(each.content) for each in pictured], np.int64),
        format=np.full(len(pictured), 2, np.uint8),
        width=np.array([each.width for each in pictured], np.int32),
        height=np.array([each.height for each in pictured], np.int32),
        class_id=np.array([each.class_id for each in pictured], np.int16),
        group=np.array([each.group for each in pictured], np.int32),
        annotations=np.array([len(each.drawn) for each in pictured], np.int32),
        reviewed=np.array([each.reviewed for each in pictured], np.bool_),
        look=np.array([Look.KNOWN if each.fingerprint else each.look for each in pictured], np.uint8),
        fingerprint=np.frombuffer(
            b"".join(each.fingerprint or bytes(SIZE) for each in pictured), np.uint8
        ).reshape(-1, SIZE),
    )
    return images, annotations_of(
        [(number, drawn) for number, each in enumerate(pictured) for drawn in each.drawn]
    )


def freeze_columns(spec: DatasetSpec, images: Images, annotations: Annotations) -> Frozen:
    """Label images and freeze a spec over them."""
    return freeze(spec, images, label(spec, images, annotations))


def spec_of(
    task: Task = Task.DETECT,
    classes: Sequence[str] = ("a", "b"),
    types: Sequence[AnnotationType] = (CIRCLE, BOX, RECTANGLE),
    split: Split | None = None,
) -> DatasetSpec:
    kinds = {Task.CLASSIFY: (), Task.SEGMENT: (POLYGON,), Task.DETECT: tuple(types)}[task]
    return DatasetSpec((new_id(),), task, tuple(classes), kinds, split or Split())
