import math
from typing import Any

import pytest

from annotateforge.api.dataset.v1 import annotation_pb2, dataset_pb2, image_pb2
from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.columns import FORMAT_CODES, TYPE_CODES
from annotateforge.dataset.images import ImageFormat
from annotateforge.dataset.spec import Strategy, Task, read_spec, write_spec
from annotateforge.runtime.errors import InvalidArgument

PROJECT = "01890a5d-ac96-774b-bcce-b302099a8057"
OTHER = "01890a5d-ac96-774b-bcce-b302099a8058"


def message(**fields: Any) -> dataset_pb2.DatasetSpec:
    fields.setdefault("project_ids", [PROJECT])
    fields.setdefault("task_type", "TASK_TYPE_DETECT")
    fields.setdefault("classes", ["a", "b"])
    return dataset_pb2.DatasetSpec(**fields)


def wrong_fields(spec: dataset_pb2.DatasetSpec) -> list[str]:
    with pytest.raises(InvalidArgument) as caught:
        read_spec(spec)
    assert caught.value.reason == "INVALID_DATASET_SPEC"
    return [violation.field.removeprefix("spec.") for violation in caught.value.violations]


def test_defaults_depend_on_the_task() -> None:
    spec = read_spec(message())
    assert (spec.split.train_ratio, spec.split.seed, spec.split.strategy) == (0.8, 42, Strategy.STRATIFIED)
    assert spec.annotation_types == (AnnotationType.CIRCLE, AnnotationType.BOX, AnnotationType.RECTANGLE)
    assert read_spec(message(task_type="TASK_TYPE_SEGMENT")).annotation_types == (AnnotationType.POLYGON,)
    assert read_spec(message(task_type="TASK_TYPE_CLASSIFY")).annotation_types == ()


def test_a_spec_with_its_defaults_reads_as_itself() -> None:
    spec = read_spec(message(project_ids=[PROJECT, OTHER], split=dataset_pb2.Split(seed=0, train_ratio=0.3)))
    assert spec.split.seed == 0
    assert read_spec(write_spec(spec)) == spec


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"project_ids": []}, ["project_ids"]),
        ({"project_ids": [PROJECT] * 1001}, ["project_ids"]),
        ({"project_ids": [PROJECT, "none", ""]}, ["project_ids[1]", "project_ids[2]"]),
        ({"task_type": 0}, ["task_type"]),
        ({"task_type": 9}, ["task_type"]),
        ({"classes": []}, ["classes"]),
        ({"classes": [str(number) for number in range(1001)]}, ["classes"]),
        (
            {"classes": ["a", "", "  ", "x" * 201, "a", "new\nline"]},
            [f"classes[{n}]" for n in (1, 2, 3, 4, 5)],
        ),
        ({"classes": ["n0thing", "a"]}, ["classes[0]"]),
        ({"annotation_types": [0, 7]}, ["annotation_types[0]", "annotation_types[1]"]),
        ({"task_type": 3, "annotation_types": [4, 2]}, ["annotation_types[1]"]),
        ({"task_type": 1, "annotation_types": [2]}, ["annotation_types[0]"]),
        ({"split": {"strategy": 5}}, ["split.strategy"]),
        *[
            ({"split": {"train_ratio": ratio}}, ["split.train_ratio"])
            for ratio in (0.0, 1.0, -0.5, 2.0, math.nan, math.inf)
        ],
    ],
)
def test_what_is_wrong_is_named_by_its_field(fields: dict[str, Any], wrong: list[str]) -> None:
    assert wrong_fields(message(**fields)) == wrong


def test_the_longest_and_largest_are_taken() -> None:
    spec = read_spec(
        message(classes=[f"{number:03}" + "x" * 197 for number in range(1000)], project_ids=[PROJECT] * 1000)
    )
    assert len(spec.classes) == 1000
    assert len(spec.project_ids) == 1


def test_fingerprints_tell_specs_apart_and_not_their_spelling() -> None:
    same = [
        message(project_ids=[PROJECT, OTHER]),
        message(project_ids=[OTHER, PROJECT, OTHER]),
        message(project_ids=[PROJECT, OTHER], annotation_types=[3, 2, 1, 1]),
        message(project_ids=[PROJECT, OTHER], split=dataset_pb2.Split(train_ratio=0.8, seed=42)),
    ]
    assert len({read_spec(each).fingerprint for each in same}) == 1
    others = [
        message(),
        message(classes=["b", "a"]),
        message(annotation_types=[2]),
        message(split=dataset_pb2.Split(seed=43)),
        message(split=dataset_pb2.Split(train_ratio=0.81)),
        message(split=dataset_pb2.Split(strategy=dataset_pb2.SPLIT_STRATEGY_RANDOM)),
        message(task_type="TASK_TYPE_CLASSIFY"),
    ]
    assert len({read_spec(each).fingerprint for each in [*same, *others]}) == 1 + len(others)


def test_ratios_are_taken_as_they_are_written() -> None:
    spec = read_spec(message(split=dataset_pb2.Split(train_ratio=0.7)))
    assert spec.split.exact_ratio * 10 == 7


def test_numbers_are_those_of_the_protos() -> None:
    for kind, number in TYPE_CODES.items():
        assert annotation_pb2.AnnotationType.Value(f"ANNOTATION_TYPE_{kind.name}") == number
    for encoding, number in FORMAT_CODES.items():
        assert image_pb2.ImageFormat.Value(f"IMAGE_FORMAT_{encoding.name}") == number
    assert len(FORMAT_CODES) == len(ImageFormat)
    for task in Task:
        assert dataset_pb2.TaskType.Value(f"TASK_TYPE_{task.name}") == task.value
    for strategy in Strategy:
        assert dataset_pb2.SplitStrategy.Value(f"SPLIT_STRATEGY_{strategy.name}") == strategy.value
