import math
from typing import Any

import pytest

from annotateforge.api.dataset.v1.dataset_pb2 import TASK_TYPE_DETECT
from annotateforge.api.registry.v1.registry_service_pb2 import (
    ArtifactHeader,
    RegisterModelHeader,
    UpdateModelRequest,
)
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.registry.header import read_artifact, read_header, read_update
from annotateforge.registry.models import TaskType
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.ids import new_id

DIGEST = "ab" * 32


def header(**fields: Any) -> RegisterModelHeader:
    values: dict[str, Any] = {
        "job_id": str(new_id()),
        "attempt": 1,
        "name": "Cells",
        "task_type": TASK_TYPE_DETECT,
        "architecture": "yolov8n",
        "classes": ["RBC"],
        "image_size": 640,
        "dataset_id": str(new_id()),
        "config": JobConfig(),
    }
    return RegisterModelHeader(**(values | fields))


def test_a_right_header_becomes_a_training() -> None:
    name, training = read_header(header(name=" Cells ", metrics={"map50": 0.5}, dataset_digest=DIGEST))
    assert name == "Cells"
    assert training.task_type is TaskType.DETECT
    assert training.classes == ("RBC",)
    assert training.metrics == {"map50": 0.5}
    assert training.dataset_digest == DIGEST
    assert JobConfig.FromString(training.config) == JobConfig()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"job_id": "x"}, "header.job_id"),
        ({"dataset_id": ""}, "header.dataset_id"),
        ({"attempt": 0}, "header.attempt"),
        ({"name": "  "}, "header.name"),
        ({"name": "x" * 201}, "header.name"),
        ({"task_type": 0}, "header.task_type"),
        ({"task_type": 9}, "header.task_type"),
        ({"architecture": ""}, "header.architecture"),
        ({"classes": []}, "header.classes"),
        ({"classes": ["a", "a"]}, "header.classes"),
        ({"classes": [str(n) for n in range(1001)]}, "header.classes"),
        ({"classes": ["a", ""]}, "header.classes[1]"),
        ({"classes": ["a\0"]}, "header.classes[0]"),
        ({"image_size": 0}, "header.image_size"),
        ({"metrics": {"map50": math.nan}}, "header.metrics.map50"),
        ({"metrics": {"map50": math.inf}}, "header.metrics.map50"),
        ({"metrics": {"": 1.0}}, "header.metrics"),
        ({"metrics": {str(n): 1.0 for n in range(201)}}, "header.metrics"),
        ({"dataset_digest": "AB" * 32}, "header.dataset_digest"),
        ({"config": None}, "header.config"),
        ({"config": JobConfig(device="x" * 300_000)}, "header.config"),
        ({"best_epoch": -1}, "header.best_epoch"),
        ({"epochs_trained": -1}, "header.epochs_trained"),
    ],
)
def test_a_wrong_field_of_a_header_is_named(fields: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        read_header(header(**fields))
    assert caught.value.reason == "INVALID_MODEL"
    assert [violation.field for violation in caught.value.violations] == [wrong]


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(InvalidArgument) as caught:
        read_header(RegisterModelHeader())
    assert {violation.field for violation in caught.value.violations} == {
        f"header.{field}"
        for field in (
            *("job_id", "dataset_id", "name", "task_type", "attempt", "architecture", "classes"),
            *("image_size", "config"),
        )
    }


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("best.pt", "application/octet-stream"),
        ("results.csv", "text/csv; charset=utf-8"),
        ("args.yaml", "application/yaml"),
        ("Confusion Matrix.PNG", "image/png"),
        ("labels.jpg", "image/jpeg"),
        ("no suffix", "application/octet-stream"),
        ("…größe.pt", "application/octet-stream"),
    ],
)
def test_an_artifact_gets_its_media_type_from_its_name(name: str, content_type: str) -> None:
    artifact = read_artifact(ArtifactHeader(name=name, size_bytes=3, sha256=DIGEST.upper()))
    assert (artifact.name, artifact.content_type, artifact.sha256) == (name, content_type, DIGEST)


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "../best.pt", "a/b", "/etc/passwd", "a\\b", "x" * 201, "a\0b", "a\nb", "a\x7fb"],
)
def test_an_artifact_whose_name_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        read_artifact(ArtifactHeader(name=name, sha256=DIGEST))
    assert caught.value.reason == "INVALID_ARTIFACT"
    assert caught.value.violations[0].field == "artifact.name"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"content_type": "text/html\r\nx: y"}, "artifact.content_type"),
        ({"content_type": "html"}, "artifact.content_type"),
        ({"size_bytes": -1}, "artifact.size_bytes"),
        ({"sha256": "ab"}, "artifact.sha256"),
        ({"sha256": "zz" * 32}, "artifact.sha256"),
    ],
)
def test_a_wrong_field_of_an_artifact_is_named(fields: dict[str, Any], wrong: str) -> None:
    values: dict[str, Any] = {"name": "best.pt", "sha256": DIGEST} | fields
    with pytest.raises(InvalidArgument) as caught:
        read_artifact(ArtifactHeader(**values))
    assert [violation.field for violation in caught.value.violations] == [wrong]


def test_a_jobs_name_of_several_lines_becomes_a_models_name() -> None:
    assert read_header(header(name="Cells\nof\tMay\x1b"))[0] == "Cells of May"


def test_names_may_be_of_any_script_but_not_of_control_characters() -> None:
    assert read_update(UpdateModelRequest(name=" 赤血球 №\u00a07 ")) == ("赤血球 №\u00a07", None)
    with pytest.raises(InvalidArgument) as caught:
        read_update(UpdateModelRequest(name="a\x1b[31m"))
    assert [violation.field for violation in caught.value.violations] == ["name"]


def test_all_that_is_wrong_with_an_update_is_named_at_once() -> None:
    with pytest.raises(InvalidArgument) as caught:
        read_update(UpdateModelRequest(name=" ", description="\0"))
    assert caught.value.reason == "INVALID_MODEL"
    assert [violation.field for violation in caught.value.violations] == ["name", "description"]
