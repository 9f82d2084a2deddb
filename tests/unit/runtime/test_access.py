from collections.abc import Iterator
from importlib import resources

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from annotateforge.runtime.access import method_access, methods_without_access
from annotateforge.runtime.auth import Role
from tests.unit.runtime.rest.test_rules import SERVICES


def every_service() -> Iterator[str]:
    """Full names of all services in the protos."""
    data = resources.files("annotateforge.api").joinpath("descriptors.binpb").read_bytes()
    for file in FileDescriptorSet.FromString(data).file:
        for service in file.service:
            yield f"{file.package}.{service.name}"


def test_every_method_of_every_service_says_who_may_call_it() -> None:
    names = list(every_service())
    assert set(names) == {service.full_name for service in SERVICES}
    assert methods_without_access(names) == []


def test_roles_are_those_of_the_option() -> None:
    service = "annotateforge.api.dataset.v1.DatasetService"
    access = method_access([service])
    assert access[f"/{service}/CreateProject"].roles == {Role.EDITOR}
    assert access[f"/{service}/DownloadArchive"].roles == {Role.VIEWER, Role.WORKER}
    assert access[f"/{service}/DownloadArchive"].needed == "viewer or worker"
