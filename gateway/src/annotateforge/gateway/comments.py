"""Comments of the protos, by the full name of what they describe."""

import functools
import importlib.resources
import re
from collections.abc import Iterator, Mapping

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

_OWN = "annotateforge/api/"


@functools.cache
def proto_comments() -> Mapping[str, str]:
    """Comments of the project's own protos by full name, such as `annotateforge.api.trainer.v1.Job.status`;
    lines are joined to paragraphs.
    """
    image = FileDescriptorSet.FromString(
        importlib.resources.files("annotateforge.api").joinpath("descriptors.binpb").read_bytes()
    )
    found = {}
    for file in image.file:
        if not file.name.startswith(_OWN):
            continue
        # Paths of descriptor.proto, such as (4, 0, 2, 1) for the second field of the first message.
        texts = {
            tuple(location.path): location.leading_comments
            for location in file.source_code_info.location
            if location.leading_comments
        }
        for path, name in _named(file):
            if path in texts:
                found[name] = _paragraphs(texts[path])
    return found


def sentence(text: str) -> str:
    """The first sentence of a comment."""
    found = re.match(r".*?[.!?…](?=\s+[A-Z\"]|\s*$)", text.partition("\n\n")[0], re.DOTALL)
    return found.group() if found else text.partition("\n\n")[0]


def _paragraphs(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines()]
    return re.sub(r" ?\n\n ?", "\n\n", re.sub(r"(?<!\n)\n(?!\n)", " ", "\n".join(lines)))


def _named(file: FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    for number, message in enumerate(file.message_type):
        yield from _message((4, number), f"{file.package}.{message.name}", message)
    for number, enum in enumerate(file.enum_type):
        yield from _enum((5, number), f"{file.package}.{enum.name}", enum)
    for number, service in enumerate(file.service):
        yield from _service((6, number), f"{file.package}.{service.name}", service)


def _message(
    path: tuple[int, ...], name: str, message: DescriptorProto
) -> Iterator[tuple[tuple[int, ...], str]]:
    yield path, name
    for number, field in enumerate(message.field):
        yield (*path, 2, number), f"{name}.{field.name}"
    for number, oneof in enumerate(message.oneof_decl):
        yield (*path, 8, number), f"{name}.{oneof.name}"
    for number, nested in enumerate(message.nested_type):
        yield from _message((*path, 3, number), f"{name}.{nested.name}", nested)
    for number, enum in enumerate(message.enum_type):
        yield from _enum((*path, 4, number), f"{name}.{enum.name}", enum)


def _enum(
    path: tuple[int, ...], name: str, enum: EnumDescriptorProto
) -> Iterator[tuple[tuple[int, ...], str]]:
    yield path, name
    for number, value in enumerate(enum.value):
        yield (*path, 2, number), f"{name}.{value.name}"


def _service(
    path: tuple[int, ...], name: str, service: ServiceDescriptorProto
) -> Iterator[tuple[tuple[int, ...], str]]:
    yield path, name
    for number, method in enumerate(service.method):
        yield (*path, 2, number), f"{name}.{method.name}"
