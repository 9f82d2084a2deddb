from typing import Any

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.api.dataset.v1 import dataset_service_pb2
from annotateforge.api.inference.v1 import inference_service_pb2
from annotateforge.api.registry.v1 import registry_service_pb2
from annotateforge.api.trainer.v1 import trainer_service_pb2, worker_service_pb2
from annotateforge.runtime.errors import InvalidArgument, NotFound
from annotateforge.runtime.rest.rules import Binding, MethodNotAllowed, Router, Shape, bindings_of

SERVICES = [
    service
    for module in (
        dataset_service_pb2,
        trainer_service_pb2,
        worker_service_pb2,
        registry_service_pb2,
        inference_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
]
BINDINGS = [binding for service in SERVICES for binding in bindings_of(service)]
ROUTER = Router(BINDINGS)
ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def found(method: str, path: str) -> tuple[str, dict[str, str]]:
    match = ROUTER.match(method, path)
    return match.binding.method.name, dict(match.captures)


@pytest.mark.parametrize(
    "binding", BINDINGS, ids=lambda binding: f"{binding.http_method} {binding.template.text}"
)
def test_every_route_of_the_api_finds_its_own_binding(binding: Binding) -> None:
    path = binding.template.expand(lambda field: f"{field}:/ü")
    match = ROUTER.match(binding.http_method, path)
    assert match.binding is binding
    assert match.captures == {v.field: f"{v.field}:/ü" for v in binding.template.variables}


def test_bindings_know_how_their_bodies_travel() -> None:
    shapes = {binding.method.name: binding.shape for binding in BINDINGS}
    assert shapes["CreateProject"] is shapes["CheckDataset"] is shapes["ListJobs"] is Shape.JSON
    assert shapes["ImportArchive"] is shapes["UploadImages"] is Shape.UPLOAD
    assert shapes["DownloadArchive"] is shapes["DownloadArtifact"] is Shape.DOWNLOAD
    assert shapes["PrepareDataset"] is Shape.LAST
    assert shapes["Predict"] is Shape.RAW


def test_statuses_follow_what_the_method_does() -> None:
    statuses = {binding.method.name: binding.success_status for binding in BINDINGS}
    assert [statuses[name] for name in ("CreateProject", "RestartJob", "GetJob", "DeleteJob")] == [
        201,
        201,
        200,
        204,
    ]


def test_verbs_and_literals_win_over_variables() -> None:
    assert found("POST", "/api/v1/datasets:check") == ("CheckDataset", {})
    assert found("POST", "/api/v1/datasets") == ("PrepareDataset", {})
    assert found("POST", f"/api/v1/training/jobs/{ID}:cancel") == ("CancelJob", {"job_id": ID})
    assert found("GET", f"/api/v1/training/models/{ID}/weights") == ("DownloadArtifact", {"model_id": ID})


def test_a_colon_that_is_no_verb_belongs_to_the_name() -> None:
    expected = ("DownloadArtifact", {"model_id": ID, "name": "a:b.png"})
    assert found("GET", f"/api/v1/training/models/{ID}/artifacts/a:b.png") == expected
    assert found("GET", f"/api/v1/training/models/{ID}/artifacts/a%3Ab.png") == expected


def test_segments_are_decoded_after_they_were_split() -> None:
    assert found("GET", "/api/v1/projects/a%2Fb%20%C3%BC") == ("GetProject", {"project_id": "a/b ü"})


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "x",
        "/api/v1",
        "/api/v1/projects/",
        "/api//v1/projects",
        "/api/v1/nothing",
        "/api/v1/projects/a/b/c",
        "/api/v1/projects//stats",
        "/api/v1/datasets:nothing",
        "/API/v1/projects",
        "/api/v1/projects:",
        "/api/v1/:check",
    ],
)
def test_a_path_that_is_not_there_is_not_found(path: str) -> None:
    with pytest.raises(NotFound) as caught:
        ROUTER.match("GET", path)
    assert caught.value.reason == "ROUTE_NOT_FOUND"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/projects", ("GET", "POST")),
        ("POST", f"/api/v1/projects/{ID}", ("DELETE", "GET", "PATCH")),
        ("GET", "/api/v1/datasets:check", ("POST",)),
        ("BREW", f"/api/v1/images/{ID}/content", ("GET",)),
    ],
)
def test_another_method_than_those_of_the_path_is_told_apart(
    method: str, path: str, allowed: tuple[str, ...]
) -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTER.match(method, path)
    assert caught.value.allowed == allowed


def test_a_path_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(InvalidArgument) as caught:
        ROUTER.match("GET", "/api/v1/projects/%ff")
    assert caught.value.reason == "INVALID_PATH"


@given(st.text(max_size=60))
def test_no_path_whatever_breaks_the_matching(path: str) -> None:
    for text in (path, "/api/v1/" + path):
        try:
            ROUTER.match("GET", text)
        except (NotFound, MethodNotAllowed, InvalidArgument):
            continue


def test_matching_does_not_take_long_however_many_colons_and_slashes_there_are() -> None:
    with pytest.raises(NotFound):
        ROUTER.match("GET", "/api/v1" + "/a:b" * 20_000)


def made_service(**rules: dict[str, Any]) -> ServiceDescriptor:
    """A service with these rules over a request {id, other {name}, many} and a response {id}."""
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="rules.proto", package="rules", syntax="proto3")
    request = file.message_type.add(name="Request")
    request.field.add(name="id", number=1, type=9, label=1)
    request.field.add(name="other", number=2, type=11, label=1, type_name=".rules.Response")
    request.field.add(name="many", number=3, type=9, label=3)
    file.message_type.add(name="Response").field.add(name="id", number=1, type=9, label=1)
    service = file.service.add(name="Service")
    for name, rule in rules.items():
        method = service.method.add(name=name, input_type=".rules.Request", output_type=".rules.Response")
        method.server_streaming = rule.pop("streams", False)
        method.options.Extensions[annotations_pb2.http].MergeFrom(
            annotations_pb2.http.message_type._concrete_class(**rule)
        )
    pool.Add(file)
    return pool.FindServiceByName("rules.Service")


def test_custom_methods_and_open_ends_are_routes_too() -> None:
    router = Router(
        bindings_of(
            made_service(
                Head={"custom": {"kind": "HEAD", "path": "/v1/{id}"}},
                Rest={
                    "get": "/v1/files/{id=**}",
                    "additional_bindings": [{"put": "/v1/{other.id}", "body": "other"}],
                },
            )
        )
    )
    assert router.match("HEAD", "/v1/a").binding.method.name == "Head"
    assert router.match("GET", "/v1/files/a/b%2Fc/d").captures == {"id": "a/b/c/d"}
    assert router.match("PUT", "/v1/a").captures == {"other.id": "a"}


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"get": "/v1/{nothing}"}, "nothing"),
        ({"get": "/v1/{other}"}, "no single value"),
        ({"get": "/v1/{many}"}, "no single value"),
        ({"get": "/v1/{other.nothing}"}, r"other\.nothing"),
        ({"post": "/v1/a", "body": "nothing"}, "no field nothing"),
        ({"get": "/v1/a", "response_body": "nothing"}, "no field nothing"),
        ({"get": "v1"}, "template"),
        ({"get": "/v1/a", "streams": True}, "no REST binding"),
    ],
)
def test_a_rule_that_cannot_work_is_an_error_at_the_start(rule: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        bindings_of(made_service(Wrong=rule))


def test_two_methods_may_not_share_a_route() -> None:
    with pytest.raises(ValueError, match="share"):
        Router(bindings_of(made_service(One={"get": "/v1/{id}"}, Two={"get": "/v1/{other.id}"})))
