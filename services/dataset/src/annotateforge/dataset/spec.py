"""What a data set is made of: the spec of a request, checked and with its defaults filled in."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import TypeVar
from uuid import UUID

import orjson

from annotateforge.api.dataset.v1 import annotation_pb2, dataset_pb2
from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.columns import TYPE_CODES
from annotateforge.runtime.errors import FieldViolation, InvalidArgument
from annotateforge.runtime.ids import parse_id
from annotateforge.runtime.texts import text_defect

Kind = TypeVar("Kind", bound=IntEnum)

MOST_PROJECTS = 1000
MOST_CLASSES = 1000
LONGEST_CLASS = 200


class Task(IntEnum):
    """What a model learns; numbered as TaskType in dataset.proto."""

    CLASSIFY = 1
    DETECT = 2
    SEGMENT = 3


class Strategy(IntEnum):
    """How images are dealt out; numbered as SplitStrategy in dataset.proto."""

    RANDOM = 1
    STRATIFIED = 2
    GROUPED = 3


_FITTING = {
    Task.CLASSIFY: frozenset[AnnotationType](),
    Task.DETECT: frozenset(AnnotationType),
    Task.SEGMENT: frozenset({AnnotationType.POLYGON}),
}
_DEFAULT_TYPES = {
    Task.CLASSIFY: (),
    Task.DETECT: (AnnotationType.CIRCLE, AnnotationType.BOX, AnnotationType.RECTANGLE),
    Task.SEGMENT: (AnnotationType.POLYGON,),
}
_TYPES = {number: kind for kind, number in TYPE_CODES.items()}
TRAINING_SIZE: Mapping[Task, int] = {Task.CLASSIFY: 224, Task.DETECT: 640, Task.SEGMENT: 640}
"""Pixels of the longer side to which images are scaled for a training, unless a job says otherwise."""
LEAST_SIZE, MOST_SIZE = 32, 4096
DEFAULT_TRAIN_RATIO = 0.8
DEFAULT_SEED = 42


@dataclass(frozen=True, slots=True)
class Split:
    """How images are dealt out to training and validation."""

    train_ratio: float = DEFAULT_TRAIN_RATIO
    """Share of images for training, above 0 and below 1."""
    seed: int = DEFAULT_SEED
    """Another seed gives another split; 64 bits with a sign."""
    strategy: Strategy = Strategy.STRATIFIED
    test_ratio: float = 0.0
    """Share of images that are kept for a test, together with train_ratio below 1; 0 for none."""

    @property
    def exact_ratio(self) -> Fraction:
        """The ratio as it is written: 0.7 is seven tenths, not the binary fraction next to it."""
        return Fraction(repr(self.train_ratio))

    @property
    def exact_test_ratio(self) -> Fraction:
        """The test ratio as it is written."""
        return Fraction(repr(self.test_ratio))


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """A checked spec; every default is filled in."""

    project_ids: tuple[UUID, ...]
    """Each once, in the order given."""
    task: Task
    classes: tuple[str, ...]
    """The position is the class id."""
    annotation_types: tuple[AnnotationType, ...]
    """Shapes that are used, each once, in the order of the enum; empty for classify."""
    split: Split = Split()
    backgrounds: bool = False
    """Whether images that are reviewed and show nothing go in, with an empty label file."""
    image_size: int = 0
    """Pixels of the longer side to which images will be scaled for a training; 0 for the usual ones."""

    @property
    def training_size(self) -> int:
        """Pixels of the longer side to which images will be scaled for a training."""
        return self.image_size or TRAINING_SIZE[self.task]

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 that two specs share exactly when they ask for the same; in any order of projects."""
        later: dict[str, object] = {}
        # Left out where they say nothing, so that older data sets are found again.
        if self.split.test_ratio:
            later["test_ratio"] = repr(self.split.test_ratio)
        if self.backgrounds:
            later["backgrounds"] = True
        if self.training_size != TRAINING_SIZE[self.task]:
            later["image_size"] = self.image_size
        return hashlib.sha256(
            orjson.dumps(
                {
                    **later,
                    "projects": sorted(str(project_id) for project_id in self.project_ids),
                    "task": int(self.task),
                    "classes": self.classes,
                    "types": self.annotation_types,
                    "ratio": repr(self.split.train_ratio),
                    "seed": self.split.seed,
                    "strategy": int(self.split.strategy),
                }
            )
        ).digest()


def read_spec(message: dataset_pb2.DatasetSpec, field: str = "spec") -> DatasetSpec:
    """Check a spec as it came and fill in its defaults; `field` is its path in the request.

    InvalidArgument INVALID_DATASET_SPEC with the wrong fields. Whether its projects exist, the store says.
    """
    wrong: list[FieldViolation] = []

    def refuse(path: str, description: str) -> None:
        wrong.append(FieldViolation(f"{field}.{path}", description))

    project_ids: dict[UUID, None] = {}
    if not 1 <= len(message.project_ids) <= MOST_PROJECTS:
        refuse("project_ids", f"must name 1 to {MOST_PROJECTS:,} projects")
    else:
        for number, text in enumerate(message.project_ids):
            try:
                project_ids[parse_id(text, f"{field}.project_ids[{number}]")] = None
            except InvalidArgument as error:
                wrong.extend(error.violations)

    task = _member(Task, message.task_type)
    if task is None:
        refuse("task_type", "must be classify, detect or segment")
    for path, description in _wrong_classes(message.classes):
        refuse(path, description)
    types: tuple[AnnotationType, ...] = ()
    if task is not None:
        for number, value in enumerate(message.annotation_types):
            if problem := _wrong_type(task, value):
                refuse(f"annotation_types[{number}]", problem)
        named = {_type_of(value) for value in message.annotation_types} or set(_DEFAULT_TYPES[task])
        types = tuple(kind for kind in AnnotationType if kind in named)
    split = message.split
    ratio = split.train_ratio if split.HasField("train_ratio") else DEFAULT_TRAIN_RATIO
    if not (math.isfinite(ratio) and 0 < ratio < 1):
        refuse("split.train_ratio", f"must be above 0 and below 1; leave it out for {DEFAULT_TRAIN_RATIO}")
    strategy = _member(Strategy, split.strategy or Strategy.STRATIFIED)
    if strategy is None:
        refuse("split.strategy", "must be random, stratified or grouped; leave it out for stratified")
    test_ratio = split.test_ratio
    if not (math.isfinite(test_ratio) and 0 <= test_ratio < 1):
        refuse("split.test_ratio", "must be 0 or above and below 1; leave it out for no test images")
    elif 0 < ratio < 1 and Fraction(repr(ratio)) + Fraction(repr(test_ratio)) >= 1:
        refuse("split.test_ratio", "leaves nothing for validation: with train_ratio it must be below 1")
    if message.backgrounds and task is Task.CLASSIFY:
        refuse("backgrounds", "must be left out: for classify every image has a class")

    if message.image_size and not LEAST_SIZE <= message.image_size <= MOST_SIZE:
        refuse("image_size", f"must be {LEAST_SIZE} to {MOST_SIZE:,}; leave it out for the usual size")

    if wrong or task is None or strategy is None:
        raise InvalidArgument.of_fields("INVALID_DATASET_SPEC", wrong)
    return DatasetSpec(
        project_ids=tuple(project_ids),
        task=task,
        classes=tuple(message.classes),
        annotation_types=types,
        split=Split(ratio, split.seed if split.HasField("seed") else DEFAULT_SEED, strategy, test_ratio),
        backgrounds=message.backgrounds,
        image_size=message.image_size or TRAINING_SIZE[task],
    )


def write_spec(spec: DatasetSpec) -> dataset_pb2.DatasetSpec:
    """The message of a spec, with its defaults filled in."""
    return dataset_pb2.DatasetSpec(
        project_ids=[str(project_id) for project_id in spec.project_ids],
        task_type=dataset_pb2.TaskType.ValueType(spec.task),
        classes=spec.classes,
        annotation_types=[_number_of(kind) for kind in spec.annotation_types],
        split=dataset_pb2.Split(
            train_ratio=spec.split.train_ratio,
            seed=spec.split.seed,
            strategy=dataset_pb2.SplitStrategy.ValueType(spec.split.strategy),
            test_ratio=spec.split.test_ratio or None,
        ),
        backgrounds=spec.backgrounds,
        image_size=spec.training_size,
    )


def _wrong_classes(labels: Sequence[str]) -> Iterator[tuple[str, str]]:
    if not 1 <= len(labels) <= MOST_CLASSES:
        yield "classes", f"must name 1 to {MOST_CLASSES:,} classes"
        return
    first: dict[str, int] = {}
    for number, label in enumerate(labels):
        if wrong := text_defect(label, LONGEST_CLASS, required=True):
            yield f"classes[{number}]", wrong
        elif label in first:
            yield f"classes[{number}]", f"is the same as classes[{first[label]}]; name each class once"
        first.setdefault(label, number)
    if labels[0].startswith("n0"):
        yield (
            "classes[0]",
            "must not begin with n0, by which ultralytics knows codes of ImageNet; put another class first",
        )


def _wrong_type(task: Task, value: int) -> str:
    kind = _type_of(value)
    if task is Task.CLASSIFY:
        return "must be left out: classify learns the class of the whole image"
    if kind is None:
        return "must be circle, box, rectangle or polygon"
    if kind not in _FITTING[task]:
        return f"{kind} does not fit {task.name.lower()}, which takes polygons only"
    return ""


def _number_of(kind: AnnotationType) -> annotation_pb2.AnnotationType.ValueType:
    return annotation_pb2.AnnotationType.ValueType(TYPE_CODES[kind])


def _type_of(value: int) -> AnnotationType | None:
    return _TYPES.get(value)


def _member(kind: type[Kind], value: int) -> Kind | None:
    try:
        return kind(value)
    except ValueError:
        return None
