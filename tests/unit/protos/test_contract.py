"""What the generated code and the descriptor set promise to everybody who builds on the protos."""

import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from annotateforge.api.dataset.v1 import dataset_service_pb2
from annotateforge.api.inference.v1 import inference_service_pb2
from annotateforge.api.options.v1 import options_pb2
from annotateforge.api.registry.v1 import registry_service_pb2
from annotateforge.api.trainer.v1 import trainer_service_pb2, worker_service_pb2

PROTOS = Path(__file__).resolve().parents[3] / "protos"
SERVICE_FILES = [
    dataset_service_pb2,
    inference_service_pb2,
    registry_service_pb2,
    trainer_service_pb2,
    worker_service_pb2,
]
METHODS: list[MethodDescriptor] = [
    method
    for file in SERVICE_FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


def descriptor_set() -> descriptor_pb2.FileDescriptorSet:
    data = resources.files("annotateforge.api").joinpath("descriptors.binpb").read_bytes()
    return descriptor_pb2.FileDescriptorSet.FromString(data)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_method_says_who_may_call_it(method: MethodDescriptor) -> None:
    roles = method.GetOptions().Extensions[options_pb2.access].roles
    assert roles
    assert options_pb2.ROLE_UNSPECIFIED not in roles


def test_no_two_methods_share_a_rest_route() -> None:
    routes: dict[tuple[str, str], str] = {}
    for method in METHODS:
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        for binding in [rule, *rule.additional_bindings]:
            verb = binding.WhichOneof("pattern")
            if verb is not None:
                route = (verb, getattr(binding, verb))
                assert route not in routes, f"{method.full_name} and {routes[route]}"
                routes[route] = method.full_name
    assert routes


def test_the_descriptor_set_is_complete_and_carries_the_comments() -> None:
    files = descriptor_set().file
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)  # in an order in which every import comes before it is needed
    for method in METHODS:
        assert pool.FindMethodByName(method.full_name).full_name == method.full_name
    ours = [file for file in files if file.name.startswith("annotateforge/")]
    assert all(any(place.leading_comments for place in file.source_code_info.location) for file in ours)


def test_generating_again_does_nothing() -> None:
    _generate()
    assert _generate() == ""


def _generate() -> str:
    command = [sys.executable, str(PROTOS / "generate.py")]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
