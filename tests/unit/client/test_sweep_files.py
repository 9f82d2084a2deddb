from pathlib import Path
from typing import cast

import pytest

from annotateforge.api.dataset.v1 import dataset_pb2, project_pb2
from annotateforge.api.trainer.v1 import job_pb2
from annotateforge.client.client import Client
from annotateforge.client.command.sweep_files import order_of_file
from annotateforge.client.errors import WrongArgument

YAML = """\
name: rates
task_type: detect
config:
  project_ids: [01890a5d-ac96-774b-bcce-b302099a8057]
  classes: [cell]
  epochs: 30
  learning_rate: 0.01
  settings: {cos_lr: true, mosaic: 0}
axes:
  - {setting: settings.mosaic, values: [0, 0.5, 1]}
  - {setting: settings.cos_lr, values: [true, false]}
  - {setting: optimizer, values: [SGD]}
  - {setting: learning_rate, range: {low: 0.0005, high: 0.05, logarithmic: true}}
samples: 8
seed: 7
"""


class OneProject:
    """What a client would be told of the only project that there is."""

    def find_project(self, reference: str) -> project_pb2.Project:
        return project_pb2.Project(id=f"id of {reference}", name=reference)

    def project_stats(self, _project_id: str) -> project_pb2.ProjectStats:
        found = project_pb2.ClassStats
        return project_pb2.ProjectStats(
            classes=[found(class_label="b", box_count=1), found(class_label="a", circle_count=2)]
        )


CLIENT = cast(Client, OneProject())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "rates.yaml").write_text(YAML)
    return tmp_path / "rates.yaml"


def test_a_file_says_everything(path: Path) -> None:
    request, spec = order_of_file(CLIENT, path, [], "")
    assert (request.name, request.task_type) == ("rates", dataset_pb2.TASK_TYPE_DETECT)
    assert (request.samples, request.seed) == (8, 7)
    assert (request.config.epochs, request.config.settings.cos_lr) == (30, True)
    assert [list(axis.values) for axis in request.axes[:3]] == [["0", "0.5", "1"], ["true", "false"], ["SGD"]]
    assert request.axes[3].range.logarithmic
    assert spec is not None
    assert list(spec.classes) == ["cell"]


def test_json_says_the_same(path: Path) -> None:
    import orjson
    import yaml

    as_json = path.with_suffix(".json")
    as_json.write_bytes(orjson.dumps(yaml.safe_load(YAML)))
    assert order_of_file(CLIENT, as_json, [], "") == order_of_file(CLIENT, path, [], "")


def test_projects_and_name_count_over_the_file_and_classes_are_found(path: Path) -> None:
    path.write_text(YAML.replace("name: rates\n", "").replace("  classes: [cell]\n", ""))
    request, spec = order_of_file(CLIENT, path, ["cells"], "")
    assert request.name == "rates"  # the file's
    assert list(request.config.project_ids) == ["id of cells"]
    assert list(request.config.classes) == ["a", "b"]
    assert spec is not None
    assert spec.project_ids == request.config.project_ids
    assert order_of_file(CLIENT, path, [], "mine")[0].name == "mine"


def test_a_frozen_data_set_needs_no_spec(path: Path) -> None:
    path.write_text("task_type: detect\nconfig: {dataset_id: d}\naxes: []\n")
    request, spec = order_of_file(CLIENT, path, [], "")
    assert spec is None
    assert request.config == job_pb2.JobConfig(dataset_id="d")
    with pytest.raises(WrongArgument, match="has its projects already"):
        order_of_file(CLIENT, path, ["cells"], "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "cannot be read"),
        ("- 1", "is no order of a sweep"),
        ("", "is no order of a sweep"),
        ("task_type: detection", "task_type"),
        ("config: {epoch: 3}", "epoch"),
        ("axes: [{setting: optimizer, value: SGD}]", "value"),
        ("axes: 7", "axes"),
        ("task_type: detect", "names no images"),
        ("!!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_refused_with_what_is_wrong(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(WrongArgument, match=message) as caught:
        order_of_file(CLIENT, path, [], "")
    assert path.name in str(caught.value)
