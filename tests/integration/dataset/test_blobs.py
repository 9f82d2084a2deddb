"""Blobs go when nothing needs them, and stay as long as anything does."""

import asyncio
from collections.abc import Awaitable, Callable

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from tests.integration.dataset.calls import Sent, downloaded, new_project, upload
from tests.unit.dataset.archives import png

Stored = Callable[[], set[str]]
Eventually = Callable[[Callable[[], bool]], Awaitable[None]]


async def test_the_last_image_takes_its_bytes_with_it(
    editor: DatasetServiceStub, stored: Stored, eventually: Eventually
) -> None:
    project_id = await new_project(editor)
    content = png()
    images = (
        await upload(
            editor, project_id, [Sent("a.png", content), Sent("b.png", content), Sent("c.png", png())]
        )
    ).images
    assert len(stored()) == 2
    await editor.DeleteImage(api.DeleteImageRequest(image_id=images[2].id))
    await eventually(lambda: stored() == {images[0].sha256})
    await editor.DeleteImage(api.DeleteImageRequest(image_id=images[0].id))
    _, left = await downloaded(editor.DownloadImage(api.DownloadImageRequest(image_id=images[1].id)))
    assert left == content
    await editor.DeleteProject(api.DeleteProjectRequest(project_id=project_id))
    await eventually(lambda: not stored())


async def test_bytes_that_are_uploaded_while_they_are_deleted_elsewhere_are_never_lost(
    editor: DatasetServiceStub,
) -> None:
    project_id = await new_project(editor)
    contents = [png() for _ in range(4)]

    async def churn(worker: int) -> None:
        for round_ in range(15):
            sent = [Sent(f"{worker}/{round_}/{n}.png", content) for n, content in enumerate(contents)]
            images = (await upload(editor, project_id, sent)).images
            for image, content in zip(images, contents, strict=True):
                _, there = await downloaded(editor.DownloadImage(api.DownloadImageRequest(image_id=image.id)))
                assert there == content
            for image in images:
                await editor.DeleteImage(api.DeleteImageRequest(image_id=image.id))

    await asyncio.gather(*(churn(worker) for worker in range(4)))
