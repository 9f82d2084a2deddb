from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import pytest
from google.protobuf.message import Message

from annotateforge.api.dataset.v1 import dataset_service_pb2 as dataset
from annotateforge.api.dataset.v1.dataset_pb2 import DatasetSpec, TaskType
from annotateforge.api.dataset.v1.project_pb2 import Project
from annotateforge.api.inference.v1 import inference_service_pb2 as inference
from annotateforge.api.registry.v1 import registry_service_pb2 as registry
from annotateforge.api.trainer.v1 import trainer_service_pb2 as trainer
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.rest.request import read_request, write_request
from annotateforge.runtime.rest.response import response_writer
from annotateforge.runtime.rest.rules import Binding
from tests.unit.runtime.rest.test_rules import BINDINGS, ROUTER

Query = Sequence[tuple[str, str]]


def read(method: str, path: str, query: Iterable[tuple[str, str]] = (), body: Any = b"") -> Message:
    match = ROUTER.match(method, path)
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return read_request(match.binding, match.captures, query, data)


def refused(method: str, path: str, query: Query = (), body: Any = b"") -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        read(method, path, query, body)
    return caught.value


def bindings(name: str) -> list[Binding]:
    return [binding for binding in BINDINGS if binding.method.name == name]


def test_path_and_body_make_one_request() -> None:
    request = read("PATCH", "/api/v1/images/7", body={"group": "", "image_class": None})
    assert request == dataset.UpdateImageRequest(image_id="7", group="")
    assert not request.HasField("image_class")


def test_a_body_may_fill_one_field_and_is_refused_in_its_own_words() -> None:
    request = read("POST", "/api/v1/datasets:check", body={"classes": ["a"], "split": {"seed": 3}})
    assert isinstance(request, dataset.CheckDatasetRequest)
    assert (list(request.spec.classes), request.spec.split.seed) == (["a"], 3)
    assert (
        refused("POST", "/api/v1/datasets:check", body={"split": {"seed": "3"}}).violations[0].field
        == "split.seed"
    )


def test_an_empty_body_is_taken_where_everything_is_optional() -> None:
    assert read("POST", "/api/v1/training/jobs/7:cancel") == trainer.CancelJobRequest(job_id="7")


def test_what_stands_in_the_path_may_not_stand_in_the_body() -> None:
    assert refused("PATCH", "/api/v1/images/7", body={"image_id": "8"}).violations[0].field == "image_id"


def test_a_body_where_none_is_taken_is_refused() -> None:
    assert refused("GET", "/api/v1/projects", body={}).reason == "UNEXPECTED_BODY"
    assert refused("DELETE", "/api/v1/projects/7", body=b"x").reason == "UNEXPECTED_BODY"


def test_parameters_of_the_query_have_the_types_of_their_fields() -> None:
    request = read(
        "GET", "/api/v1/training/models", [("task_type", "detect"), ("page_size", "5"), ("is_active", "true")]
    )
    assert request == registry.ListModelsRequest(
        task_type=TaskType.TASK_TYPE_DETECT, page_size=5, is_active=True
    )


def test_repeated_parameters_make_a_list() -> None:
    request = read("GET", "/api/v1/training/jobs", [("status", "completed"), ("page_token", "a=b&c")])
    assert isinstance(request, trainer.ListJobsRequest)
    assert request.page_token == "a=b&c"


@pytest.mark.parametrize(
    ("query", "reason", "field"),
    [
        ([("nothing", "1")], "UNKNOWN_PARAMETER", "nothing"),
        ([("pageSize", "1")], "UNKNOWN_PARAMETER", "pageSize"),
        ([("page_size", "many")], "INVALID_VALUE", "page_size"),
        ([("page_size", "")], "INVALID_VALUE", "page_size"),
        ([("page_size", "1.5")], "INVALID_VALUE", "page_size"),
        ([("page_size", "١")], "INVALID_VALUE", "page_size"),
        ([("page_size", str(2**31))], "INVALID_VALUE", "page_size"),
        ([("page_size", "1"), ("page_size", "2")], "INVALID_VALUE", "page_size"),
        ([("task_type", "TASK_TYPE_DETECT")], "INVALID_VALUE", "task_type"),
        ([("is_active", "yes")], "INVALID_VALUE", "is_active"),
    ],
)
def test_a_wrong_parameter_is_refused_with_its_name(query: Query, reason: str, field: str) -> None:
    error = refused("GET", "/api/v1/training/models", query)
    assert (error.reason, error.violations[0].field) == (reason, field)


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1e999", "0x1", "1_000", " 1", "", "--1"])
def test_a_parameter_that_is_no_finite_number_is_refused(text: str) -> None:
    assert refused("POST", "/api/v1/predict", [("confidence", text)]).violations[0].field == "confidence"


def test_a_query_beside_a_body_that_is_everything_is_refused() -> None:
    assert refused("POST", "/api/v1/projects", [("name", "x")], {"name": "y"}).reason == "UNKNOWN_PARAMETER"


def test_an_uploads_header_is_filled_from_path_and_query_by_its_own_names() -> None:
    request = read(
        "POST", "/api/v1/projects/7/images", [("filename", "a/ü.jpg"), ("group", "g")], b"not looked at"
    )
    header = dataset.UploadImagesHeader(project_id="7", filename="a/ü.jpg", group="g")
    assert request == dataset.UploadImagesRequest(header=header)
    assert read("POST", "/api/v1/projects/7/import").HasField("header")
    assert (
        refused("POST", "/api/v1/projects/7/images", [("header.filename", "a")]).reason == "UNKNOWN_PARAMETER"
    )


def test_raw_bytes_fill_their_field_and_cannot_come_by_the_query() -> None:
    request = read("POST", "/api/v1/training/models/7/predict", [("confidence", ".5")], b"\xff\xd8")
    assert request == inference.PredictRequest(image=b"\xff\xd8", model_id="7", confidence=0.5)
    assert refused("POST", "/api/v1/predict", [("image", "AAAA")]).reason == "UNKNOWN_PARAMETER"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("CreateProject", dataset.CreateProjectRequest(name="ü", description="d")),
        ("GetProject", dataset.GetProjectRequest(project_id="a/b c:d")),
        ("ListProjects", dataset.ListProjectsRequest(page_size=7, name="ä&b=c")),
        ("UpdateImage", dataset.UpdateImageRequest(image_id="7", group="")),
        (
            "CheckDataset",
            dataset.CheckDatasetRequest(spec=DatasetSpec(classes=["a"], task_type=TaskType.TASK_TYPE_DETECT)),
        ),
        ("DownloadArchive", dataset.DownloadArchiveRequest(dataset_id="7", offset=2**40)),
        ("ListModels", registry.ListModelsRequest(task_type=TaskType.TASK_TYPE_DETECT, is_active=False)),
        ("DownloadArtifact", registry.DownloadArtifactRequest(model_id="7", name="best.pt")),
        ("DownloadArtifact", registry.DownloadArtifactRequest(model_id="7")),
        (
            "Predict",
            inference.PredictRequest(image=b"x", task_type=TaskType.TASK_TYPE_DETECT, confidence=0.1),
        ),
        ("Predict", inference.PredictRequest(image=b"x", model_id="7", max_objects=3)),
        (
            "UploadImages",
            dataset.UploadImagesRequest(header=dataset.UploadImagesHeader(project_id="7", filename="ü")),
        ),
        ("CancelJob", trainer.CancelJobRequest(job_id="7")),
    ],
)
def test_what_a_client_writes_the_gateway_reads_back(name: str, message: Message) -> None:
    request = write_request(bindings(name), message)
    match = ROUTER.match(request.binding.http_method, request.path)
    assert match.binding is request.binding
    assert read_request(match.binding, match.captures, request.query, request.body or b"") == message


def test_the_route_that_says_most_is_taken() -> None:
    assert write_request(bindings("Predict"), inference.PredictRequest(model_id="7")).path.endswith(
        "/models/7/predict"
    )
    assert write_request(bindings("Predict"), inference.PredictRequest()).path == "/api/v1/predict"
    assert write_request(
        bindings("DownloadArtifact"), registry.DownloadArtifactRequest(model_id="7")
    ).path.endswith("/weights")


def test_a_request_that_fills_no_route_is_an_error() -> None:
    with pytest.raises(ValueError, match="project_id"):
        write_request(bindings("GetProject"), dataset.GetProjectRequest())
    with pytest.raises(ValueError, match="no REST binding"):
        write_request([], dataset.GetManifestRequest())


def test_a_response_is_its_resource_alone_where_the_rule_says_so() -> None:
    (binding,) = bindings("GetProject")
    response = dataset.GetProjectResponse(project=Project(id="7", name="ü"))
    body = response_writer(binding)(response)
    assert orjson.loads(body)["name"] == "ü"


def test_a_response_without_such_a_rule_is_shown_whole() -> None:
    (binding,) = bindings("ListProjects")
    response = dataset.ListProjectsResponse(projects=[Project(id="7")], next_page_token="t")
    body = response_writer(binding)(response)
    shown = orjson.loads(body)
    assert ([project["id"] for project in shown["projects"]], shown["next_page_token"]) == (["7"], "t")
