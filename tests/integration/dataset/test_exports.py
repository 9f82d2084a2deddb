"""Exports over gRPC: whole zips, ranges of them, and that they come in again as they were."""

import io
import zipfile
from uuid import uuid4

import pytest

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from tests.integration.dataset.calls import (
    Sent,
    all_images,
    downloaded,
    import_archive,
    new_project,
    refusal,
    upload,
)
from tests.integration.dataset.specs import annotate, box
from tests.unit.dataset.archives import Files, encoded, png, zipped

FILES: Files = {
    "data.yaml": "names: [cell, '\u732b']\n",
    "images/a b.png": png(100, 50),
    "labels/a b.txt": "0 0.5 0.5 0.2 0.4\n1 0.1 0.1 0.9 0.1 0.9 0.9\n",
    "images/x/\u56fe.jpg": encoded("JPEG", 200, 300),
    "labels/x/\u56fe.txt": "1 0.5 0.5 1 1\n",
    "images/empty.png": png(30, 40),
}


async def shapes(client: DatasetServiceStub, project_id: str) -> dict[str, list[tuple[str, list[float]]]]:
    """Class and coordinates of all annotations by the last part of the file name."""
    found = {}
    for image in await all_images(client, project_id):
        answer = await client.ListAnnotations(api.ListAnnotationsRequest(image_id=image.id))
        found[image.filename.rsplit("/", 1)[-1]] = [
            (
                each.class_label,
                [each.box.x_min, each.box.y_min, each.box.x_max, each.box.y_max]
                if each.HasField("box")
                else [value for point in each.polygon.points for value in (point.x, point.y)],
            )
            for each in answer.annotations
        ]
    return found


@pytest.mark.parametrize("name", ["yolo", "coco", "voc"])
async def test_what_is_exported_is_imported_again(editor: DatasetServiceStub, name: str) -> None:
    project_id, other_id = await new_project(editor), await new_project(editor, "again")
    await import_archive(editor, project_id, zipped(FILES))
    info, content = await downloaded(
        editor.ExportProject(api.ExportProjectRequest(project_id=project_id, format=name))
    )
    assert (info.content_type, info.total_size, info.length) == (
        "application/zip",
        len(content),
        len(content),
    )
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.read("images/images/a b.png") == FILES["images/a b.png"]
    report = await import_archive(editor, other_id, content)
    assert (report.format, report.images_added, report.annotations_added) == (name, 3, 3)
    assert not report.problems
    before, after = await shapes(editor, project_id), await shapes(editor, other_id)
    assert before.keys() == after.keys()
    for image, found in before.items():
        assert [label for label, _ in found] == [label for label, _ in after[image]]
        for (_, one), (_, again) in zip(found, after[image], strict=True):
            assert again == pytest.approx(one, abs=0.01)


@pytest.mark.parametrize("name", ["yolo", "coco", "voc"])
@pytest.mark.parametrize("labelled", [True, False])
async def test_classes_and_groups_of_images_come_back(
    editor: DatasetServiceStub, name: str, labelled: bool
) -> None:
    project_id, other_id = await new_project(editor), await new_project(editor, "other")
    sent = [
        Sent("a/one, two.png", png(20, 10), "good", "patient 1"),
        Sent('a/\u56fe "3".png', png(20, 10), "b\u00e4d", ""),
        Sent("four.png", png(20, 10), "", "patient 1"),
        Sent("five.png", png(20, 10)),
    ]
    images = (await upload(editor, project_id, sent)).images
    if labelled:
        await annotate(editor, images[0], [box("cell")])
    request = api.ExportProjectRequest(project_id=project_id, format=name)
    _, content = await downloaded(editor.ExportProject(request))
    report = await import_archive(editor, other_id, content)
    assert (report.images_added, report.annotations_added) == (4, int(labelled))
    assert {"good", "b\u00e4d"} <= set(report.classes)
    back = {image.filename: (image.image_class, image.group) for image in await all_images(editor, other_id)}
    assert back == {f"images/{each.filename}": (each.image_class, each.group) for each in sent}


async def test_ranges_of_an_export_are_parts_of_the_whole(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    await import_archive(editor, project_id, zipped(FILES))
    request = api.ExportProjectRequest(project_id=project_id)
    info, whole = await downloaded(editor.ExportProject(request))
    for begin in range(0, len(whole), max(1, len(whole) // 37)):
        for length in (1, 50, 5000):
            part_of = api.ExportProjectRequest(project_id=project_id, offset=begin, length=length)
            part, content = await downloaded(editor.ExportProject(part_of))
            assert (content, part.etag) == (whole[begin : begin + length], info.etag)


async def test_an_empty_project_is_exported_and_a_wrong_request_is_refused(
    editor: DatasetServiceStub,
) -> None:
    project_id = await new_project(editor)
    _, content = await downloaded(editor.ExportProject(api.ExportProjectRequest(project_id=project_id)))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["data.yaml", "README.txt"]
    for request, reason in (
        (api.ExportProjectRequest(project_id=project_id, format="excel"), "INVALID_EXPORT_FORMAT"),
        (api.ExportProjectRequest(project_id=str(uuid4())), "PROJECT_NOT_FOUND"),
        (api.ExportProjectRequest(project_id="x"), "INVALID_ID"),
        (api.ExportProjectRequest(project_id=project_id, offset=1 << 40), "OFFSET_BEYOND_END"),
    ):
        assert (await refusal(downloaded(editor.ExportProject(request)))).reason == reason
