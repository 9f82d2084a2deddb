"""Calls of the dataset service, as tests make them."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc

from annotateforge.api.content.v1.content_pb2 import ContentInfo
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.dataset.v1.image_pb2 import Image
from annotateforge.api.dataset.v1.problem_pb2 import ImportReport
from annotateforge.dataset.app import App
from annotateforge.runtime.auth import Role, issue_token
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rpc_status import from_rpc_error

_CHUNK = 256 * 1024


@dataclass(frozen=True)
class Sent:
    """An image to upload."""

    filename: str
    content: bytes
    image_class: str = ""
    group: str = ""


@asynccontextmanager
async def editing(app: App, secret: str) -> AsyncIterator[DatasetServiceStub]:
    """A client of the service with an editor's token."""
    token = issue_token(secret, Role.EDITOR, "editor@example.org", timedelta(hours=1))
    async with open_channel(app.address, lambda: token) as channel:
        yield DatasetServiceStub(channel)


async def new_project(client: DatasetServiceStub, name: str = "cells") -> str:
    """The id of a new project."""
    response = await client.CreateProject(api.CreateProjectRequest(name=name))
    return response.project.id


async def upload(
    client: DatasetServiceStub, project_id: str, images: Iterable[Sent]
) -> api.UploadImagesResponse:
    async def parts() -> AsyncIterator[api.UploadImagesRequest]:
        for image in images:
            yield api.UploadImagesRequest(
                header=api.UploadImagesHeader(
                    project_id=project_id,
                    filename=image.filename,
                    image_class=image.image_class,
                    group=image.group,
                )
            )
            for chunk in _chunks(image.content):
                yield api.UploadImagesRequest(chunk=chunk)

    return await client.UploadImages(parts())


async def import_archive(
    client: DatasetServiceStub, project_id: str, archive: bytes, wanted: str = ""
) -> ImportReport:
    async def parts() -> AsyncIterator[api.ImportArchiveRequest]:
        yield api.ImportArchiveRequest(header=api.ImportArchiveHeader(project_id=project_id, format=wanted))
        for chunk in _chunks(archive):
            yield api.ImportArchiveRequest(chunk=chunk)

    response = await client.ImportArchive(parts())
    return response.report


async def all_images(client: DatasetServiceStub, project_id: str, **filters: Any) -> list[Image]:
    """All images of a project, page by page."""
    images: list[Image] = []
    token = ""
    while True:
        page = await client.ListImages(
            api.ListImagesRequest(project_id=project_id, page_size=1000, page_token=token, **filters)
        )
        images += page.images
        token = page.next_page_token
        if not token:
            return images


async def downloaded(stream: Any) -> tuple[ContentInfo, bytes]:
    """What a download stream carries."""
    info = None
    content = b""
    async for message in stream:
        if message.WhichOneof("part") == "info":
            assert info is None, "the description comes once"
            info = message.info
        else:
            assert info is not None, "the description comes first"
            content += message.chunk
    assert info is not None
    return info, content


async def refusal(call: Any) -> DomainError:
    """The error with which a call ends."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    raise AssertionError("the call succeeded")


def reasons(problems: Iterable[Any]) -> Sequence[str]:
    return [problem.reason for problem in problems]


def _chunks(content: bytes) -> Iterable[bytes]:
    return (content[at : at + _CHUNK] for at in range(0, len(content), _CHUNK))
