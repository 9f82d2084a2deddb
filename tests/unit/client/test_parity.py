"""What the services offer, the SDK and the command line offer too; what they do not is named here, with the
reason.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import MethodDescriptor

from annotateforge.api.dataset.v1 import dataset_service_pb2
from annotateforge.api.inference.v1 import inference_service_pb2
from annotateforge.api.registry.v1 import registry_service_pb2
from annotateforge.api.trainer.v1 import trainer_service_pb2, worker_service_pb2
from annotateforge.client import aio
from annotateforge.runtime.rest.rules import bindings_of

CLIENT = Path(aio.__file__).parents[1]
SERVICES = [
    dataset_service_pb2.DESCRIPTOR.services_by_name["DatasetService"],
    trainer_service_pb2.DESCRIPTOR.services_by_name["TrainerService"],
    registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"],
    inference_service_pb2.DESCRIPTOR.services_by_name["InferenceService"],
    worker_service_pb2.DESCRIPTOR.services_by_name["WorkerService"],
]
METHODS = {method.full_name: method for service in SERVICES for method in service.methods}

FOR_WORKERS = "what workers and services say to each other, with tokens of their own"
WITHOUT_COMMAND = {
    **{name: FOR_WORKERS for name in METHODS if ".WorkerService." in name},
    "annotateforge.api.registry.v1.RegistryService.RegisterModel": FOR_WORKERS,
    "annotateforge.api.dataset.v1.DatasetService.HoldDataset": FOR_WORKERS,
    "annotateforge.api.dataset.v1.DatasetService.ReleaseDataset": FOR_WORKERS,
    "annotateforge.api.dataset.v1.DatasetService.GetManifest": FOR_WORKERS,
    "annotateforge.api.dataset.v1.DatasetService.DownloadBlobs": FOR_WORKERS,
    "annotateforge.api.dataset.v1.DatasetService.DownloadTexts": FOR_WORKERS,
    "annotateforge.api.dataset.v1.DatasetService.DeleteImage": "`image delete` takes many at once",
    "annotateforge.api.inference.v1.InferenceService.PredictStream": "gRPC alone; `predict` takes many files",
    "annotateforge.api.trainer.v1.TrainerService.WatchJob": "over the WebSocket: `watch`",
}


def trees(folder: str) -> Iterator[ast.AST]:
    for path in sorted((CLIENT / folder).glob("*.py")):
        yield ast.parse(path.read_text("utf-8"))


def sdk_functions() -> Iterator[ast.FunctionDef]:
    for tree in trees("calls"):
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def attributes(tree: ast.AST) -> set[str]:
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def used_by_commands() -> set[str]:
    """Names of the SDK's methods that commands call, and of those that these call in turn."""
    calls = {function.name: attributes(function) for function in sdk_functions()}
    used = set().union(*map(attributes, trees("command"))) & calls.keys()
    while more := set().union(*(calls[name] & calls.keys() for name in used)) - used:
        used |= more
    return used


SDK = {
    method.name: {
        function.name
        for function in sdk_functions()
        for node in ast.walk(function)
        if isinstance(node, ast.Constant) and node.value == method.name
    }
    for method in METHODS.values()
}
"""By the name of an RPC, the SDK's methods that call it."""
USED = used_by_commands()
ROUTED = {binding.method.full_name for service in SERVICES for binding in bindings_of(service)}


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_every_rpc_has_a_command_or_a_reason_to_have_none(method: MethodDescriptor) -> None:
    commands = SDK[method.name] & USED
    if method.full_name in WITHOUT_COMMAND:
        assert not commands, "it has a command by now"
    else:
        assert commands, f"no command uses {SDK[method.name] or 'any call of the SDK'}"


def test_every_route_has_a_command_but_for_those_that_another_one_covers() -> None:
    assert {METHODS[name].name for name in WITHOUT_COMMAND.keys() & ROUTED} == {"DeleteImage"}


def test_the_reasons_are_of_rpcs_that_there_are() -> None:
    assert WITHOUT_COMMAND.keys() - METHODS.keys() == set()
