"""The SDK's calls: all of the REST API is there, under names that people know."""

import inspect
from types import ModuleType

import pytest
from google.protobuf.descriptor import ServiceDescriptor

from annotateforge.api.dataset.v1 import annotation_pb2, dataset_pb2
from annotateforge.api.trainer.v1 import job_pb2, trainer_service_pb2
from annotateforge.client.calls import dataset, inference, registry, trainer
from annotateforge.client.enums import enum_value
from annotateforge.client.errors import Detail, ServerRefused, WrongArgument
from annotateforge.client.wire import checked_address, is_local, refuse_infinite
from annotateforge.runtime.rest.rules import bindings_of


@pytest.mark.parametrize(
    "module", [dataset, trainer, registry, inference], ids=lambda module: module.__name__
)
def test_every_route_of_the_api_has_a_call(module: ModuleType) -> None:
    service: ServiceDescriptor = module.SERVICE
    source = inspect.getsource(module)
    routes = {binding.method.name for binding in bindings_of(service)}
    assert {name for name in routes if f'"{name}"' not in source} == set()


def test_enum_values_are_named_as_in_the_api() -> None:
    assert enum_value(dataset_pb2.TaskType, "detect", "task") == dataset_pb2.TASK_TYPE_DETECT
    assert enum_value(annotation_pb2.AnnotationType, "rectangle", "annotation type") == 3
    assert enum_value(dataset_pb2.TaskType, "", "task") == 0


@pytest.mark.parametrize("name", ["detection", "unspecified", "DETECT", "task_type_detect"])
def test_a_name_that_is_none_is_answered_with_the_choices(name: str) -> None:
    with pytest.raises(WrongArgument, match="choose one of classify, detect, segment"):
        enum_value(dataset_pb2.TaskType, name, "task")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "https://host", "http://[::1]:80", "http://host/base"]
)
def test_addresses_of_servers_are_taken(url: str) -> None:
    assert checked_address(f"{url}/") == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:8000",
        "ftp://host",
        "http://",
        "http://host:0",
        "http://host:99999",
        "http://host:x",
        "http://[::1",
        "http://host/?token=x",
        "http://user@host",
        "http://host\n",
    ],
)
def test_what_is_no_address_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(WrongArgument, match="no address of a server"):
        checked_address(url)


def test_only_what_runs_on_this_machine_goes_past_a_proxy() -> None:
    assert is_local("http://127.0.0.1:8000")
    assert is_local("http://localhost")
    assert is_local("http://[::1]:8000")
    assert not is_local("http://192.168.0.1:8000")
    assert not is_local("http://localhost.example.com")


def test_a_refusal_tells_of_every_field_once() -> None:
    one = ServerRefused(400, "INVALID_ARGUMENT", "INVALID_ID", "id: is none", (Detail("id", "is none"),))
    assert str(one) == "id: is none (INVALID_ID)"
    two = (Detail("epochs", "must be at least 1"), Detail("name", "is empty"))
    several = ServerRefused(400, "INVALID_ARGUMENT", "INVALID_JOB", "The job is not right.", two)
    assert str(several) == (
        "The job is not right. (INVALID_JOB)\n  epochs: must be at least 1\n  name: is empty"
    )


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_cannot_write_are_refused_instead_of_left_out(rate: float) -> None:
    config = job_pb2.JobConfig(learning_rate=rate)
    with pytest.raises(WrongArgument, match="learning_rate is -?(nan|inf); it must be a finite number"):
        refuse_infinite(trainer_service_pb2.CreateJobRequest(config=config))


def test_corners_of_annotations_are_finite_too() -> None:
    point = annotation_pb2.Point(x=float("nan"), y=1)
    polygon = annotation_pb2.Polygon(points=[annotation_pb2.Point(x=1, y=1), point])
    with pytest.raises(WrongArgument, match="x is nan"):
        refuse_infinite(annotation_pb2.Annotation(polygon=polygon))
    refuse_infinite(annotation_pb2.Annotation(box=annotation_pb2.Box(x_min=1, y_min=1, x_max=2, y_max=2)))
