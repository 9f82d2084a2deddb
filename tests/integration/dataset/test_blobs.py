"""Blobs go when nothing needs them, and stay as long as anything does."""

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.dataset.store.imports import Staging
from annotateforge.runtime.errors import Unavailable
from tests.integration.dataset.calls import Sent, downloaded, import_archive, new_project, upload
from tests.integration.dataset.specs import archive, prepare, spec_of
from tests.integration.dataset.stored_blobs import take_out
from tests.unit.dataset.archives import png, zipped

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


async def test_a_thumbnail_is_drawn_once_and_goes_with_the_last_image_of_its_bytes(
    editor: DatasetServiceStub, store_url: str, stored: Stored, eventually: Eventually
) -> None:
    project_id = await new_project(editor)
    content = png(300, 200)
    images = (await upload(editor, project_id, [Sent("a.png", content), Sent("b.png", content)])).images

    async def thumbnail(image_id: str, size: int = 0) -> bytes:
        return (await downloaded(editor.GetThumbnail(api.GetThumbnailRequest(image_id=image_id, size=size))))[
            1
        ]

    drawn = await thumbnail(images[0].id)
    digest = hashlib.sha256(drawn).hexdigest()
    assert stored() == {images[0].sha256, digest}
    # What is answered is what was kept.
    path = take_out(Path(urlsplit(store_url).path) / "dataset", digest)
    path.write_bytes(b"another drawing")
    assert await thumbnail(images[1].id) == b"another drawing"
    path.unlink()
    assert await thumbnail(images[1].id) == drawn
    # Odd sizes are not kept: there are too many of them.
    assert await thumbnail(images[0].id, 99) != drawn
    assert stored() == {images[0].sha256, digest}
    await editor.DeleteImage(api.DeleteImageRequest(image_id=images[0].id))
    await asyncio.gather(*(thumbnail(images[1].id, size) for size in (64, 64, 128, 128)))
    assert len(stored()) == 4
    await editor.DeleteProject(api.DeleteProjectRequest(project_id=project_id))
    await eventually(lambda: not stored())


async def test_what_an_import_that_failed_has_stored_goes_at_once(
    editor: DatasetServiceStub, stored: Stored, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: set[str] = set()

    async def fail(*_: object) -> None:
        there.update(stored())
        raise Unavailable("DATABASE_UNAVAILABLE", "The database does not answer.")

    project_id = await new_project(editor)
    # After the sweep that every start brings.
    images = (await upload(editor, project_id, [Sent("a.png", png())])).images
    await editor.DeleteImage(api.DeleteImageRequest(image_id=images[0].id))
    await eventually(lambda: not stored())
    monkeypatch.setattr(Staging, "commit", fail)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await import_archive(editor, project_id, zipped({"b.png": png(), "c.png": png()}))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert len(there) == 2
    await eventually(lambda: not stored())


async def test_archives_stay_whole_while_projects_of_the_same_images_are_imported_and_deleted(
    editor: DatasetServiceStub, stored: Stored, eventually: Eventually
) -> None:
    contents = [png() for _ in range(12)]
    files = {f"images/{number}.png": content for number, content in enumerate(contents)}
    labels = {f"labels/{number}.txt": b"0 0.5 0.5 0.5 0.5\n" for number in range(len(contents))}
    packed = zipped({"data.yaml": b"names: [red]\n", **files, **labels})

    async def churn(worker: int) -> None:
        for round_ in range(4):
            project_id = await new_project(editor, f"{worker} {round_}")
            report = await import_archive(editor, project_id, packed)
            assert report.images_added == len(contents), report
            split = dataset_pb2.Split(seed=1 + worker)
            dataset = await prepare(editor, spec_of(project_id, classes=["red"], split=split))
            # The sweep is woken while the archive is being read, and the others import the same bytes.
            _, whole = await asyncio.gather(
                editor.DeleteProject(api.DeleteProjectRequest(project_id=project_id)),
                archive(editor, dataset.id),
            )
            assert len(whole) == dataset.archive_size_bytes
            with zipfile.ZipFile(io.BytesIO(whole)) as opened:
                assert opened.testzip() is None
            await editor.DeleteDataset(api.DeleteDatasetRequest(dataset_id=dataset.id))

    await asyncio.gather(*(churn(worker) for worker in range(3)))
    await eventually(lambda: not stored())
