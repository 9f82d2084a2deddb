"""Finding images, deleting many at once, and what a project tells of its annotations."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from annotateforge.api.dataset.v1 import annotation_pb2, dataset_pb2, image_pb2
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.runtime.ids import new_id
from tests.integration.dataset.calls import Sent, all_images, new_project, refusal, upload
from tests.integration.dataset.specs import (
    annotate,
    box,
    circle,
    labelled_project,
    polygon,
    prepare,
    spec_of,
)
from tests.unit.dataset.archives import png

Eventually = Callable[[Callable[[], Awaitable[bool] | bool]], Awaitable[None]]


async def names(client: DatasetServiceStub, project_id: str, **filters: Any) -> list[str]:
    return [image.filename for image in await all_images(client, project_id, **filters)]


async def test_images_are_found_by_shape_label_problem_and_review(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    same = png()
    contents = {
        "box": png(),
        "circle": png(),
        "unclassed": png(),
        "classed": png(),
        "copy1": same,
        "copy2": same,
    }
    images = (await upload(editor, project_id, [Sent(*each) for each in contents.items()])).images
    by_name = {image.filename: image for image in images}
    await annotate(editor, by_name["box"], [box("red"), polygon("blue")])
    await annotate(editor, by_name["circle"], [circle("red", 3, 3, 2)])
    await annotate(editor, by_name["unclassed"], [box("")])
    for name, change in (("classed", {"image_class": "good"}), ("copy1", {"reviewed": True})):
        await editor.UpdateImage(api.UpdateImageRequest(image_id=by_name[name].id, **change))

    async def found(**filters: Any) -> list[str]:
        return await names(editor, project_id, **filters)

    assert await found(annotation_type=annotation_pb2.ANNOTATION_TYPE_BOX) == ["box", "unclassed"]
    assert await found(annotation_type=annotation_pb2.ANNOTATION_TYPE_POLYGON) == ["box"]
    assert await found(unlabelled=True) == ["copy1", "copy2"]
    assert await found(unlabelled=False) == ["box", "circle", "classed", "unclassed"]
    assert await found(reviewed=True) == ["copy1"]
    assert await found(reviewed=False, unlabelled=True) == ["copy2"]
    assert await found(problem=image_pb2.IMAGE_PROBLEM_COPY) == ["copy1", "copy2"]
    assert await found(problem=image_pb2.IMAGE_PROBLEM_WITHOUT_CLASS) == ["unclassed"]
    assert await found(problem=image_pb2.IMAGE_PROBLEM_CORRUPT) == []
    stats = (await editor.GetProjectStats(api.GetProjectStatsRequest(project_id=project_id))).stats
    assert stats.reviewed_image_count == 1


async def test_corrupt_images_are_found(editor: DatasetServiceStub, database_url: str) -> None:
    project_id = await new_project(editor)
    await upload(editor, project_id, [Sent("good", png()), Sent("bad", png())])
    bad = (await all_images(editor, project_id, filename_contains="bad"))[0]
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "dataset"}, timeout=10)
    try:
        # As the ingest writes it for pixels that no decoder takes.
        query = "UPDATE fingerprints SET fingerprint = '' WHERE sha256 = $1"
        await connection.execute(query, bytes.fromhex(bad.sha256), timeout=10)
    finally:
        await connection.close(timeout=5)
    assert await names(editor, project_id, problem=image_pb2.IMAGE_PROBLEM_CORRUPT) == ["bad"]


async def test_images_of_a_data_set_are_found_by_side(editor: DatasetServiceStub) -> None:
    project_id = await labelled_project(editor)
    split = dataset_pb2.Split(train_ratio=0.6, test_ratio=0.2)
    dataset = await prepare(editor, spec_of(project_id, split=split))
    await upload(editor, project_id, [Sent("later.png", png())])
    sides = [
        set(await names(editor, project_id, dataset_id=dataset.id, side=side))
        for side in (image_pb2.SPLIT_SIDE_TRAIN, image_pb2.SPLIT_SIDE_VAL, image_pb2.SPLIT_SIDE_TEST)
    ]
    assert [len(side) for side in sides] == [6, 2, 2]
    assert set(await names(editor, project_id, dataset_id=dataset.id)) == set.union(*sides)
    assert len(set.union(*sides)) == 10


@pytest.mark.parametrize(
    ("filters", "reason", "field"),
    [
        ({"annotation_type": 9}, "INVALID_FILTER", "annotation_type"),
        ({"side": 9}, "INVALID_FILTER", "side"),
        ({"side": 1}, "INVALID_FILTER", "dataset_id"),
        ({"problem": 9}, "INVALID_FILTER", "problem"),
        ({"dataset_id": "x"}, "INVALID_ID", "dataset_id"),
        ({"dataset_id": str(new_id())}, "DATASET_NOT_FOUND", ""),
    ],
)
async def test_wrong_filters_are_refused(
    editor: DatasetServiceStub, filters: dict[str, Any], reason: str, field: str
) -> None:
    project_id = await new_project(editor)
    error = await refusal(editor.ListImages(api.ListImagesRequest(project_id=project_id, **filters)))
    assert error.reason == reason
    assert [violation.field for violation in error.violations] == ([field] if field else [])


async def test_many_images_are_deleted_at_once_and_their_blobs_go(
    editor: DatasetServiceStub, stored: Callable[[], set[str]], eventually: Eventually
) -> None:
    project_id = await labelled_project(editor)
    other = await labelled_project(editor, "other")
    images = await all_images(editor, project_id)
    foreign = (await all_images(editor, other))[0]
    ids = [*(image.id for image in images[:7]), str(new_id()), foreign.id]
    request = api.DeleteImagesRequest(project_id=project_id, image_ids=ids)
    assert (await editor.DeleteImages(request)).deleted_count == 7
    assert (await editor.DeleteImages(request)).deleted_count == 0
    assert await names(editor, project_id) == [image.filename for image in images[7:]]
    assert len(await names(editor, other)) == 10
    project = (await editor.GetProject(api.GetProjectRequest(project_id=project_id))).project
    assert (project.image_count, project.annotation_count) == (3, 3)
    gone = {image.sha256 for image in images[:7]}
    await eventually(lambda: not gone & stored())


async def test_a_bulk_delete_names_a_project_and_images(editor: DatasetServiceStub) -> None:
    request = api.DeleteImagesRequest(project_id=str(new_id()), image_ids=[str(new_id())])
    assert (await refusal(editor.DeleteImages(request))).reason == "PROJECT_NOT_FOUND"
    for ids in ([], ["x"], [str(new_id())] * 10_001):
        request = api.DeleteImagesRequest(project_id=request.project_id, image_ids=ids)
        assert (await refusal(editor.DeleteImages(request))).reason == "INVALID_ID"


async def test_stats_tell_the_sizes_of_annotations(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    images = (await upload(editor, project_id, [Sent("a", png()), Sent("b", png())])).images
    await annotate(editor, images[0], [box("red", 0, 0, 4, 2), circle("red", 3, 3, 2)])
    await annotate(editor, images[1], [polygon("red", (0, 0), (7, 1), (2, 6))])
    await editor.UpdateImage(api.UpdateImageRequest(image_id=images[0].id, image_class="good"))
    stats = (await editor.GetProjectStats(api.GetProjectStatsRequest(project_id=project_id))).stats
    red, good = stats.classes
    assert (red.image_count, red.mean_width, red.mean_height) == (2, 5, 4)
    assert (red.shortest_side, red.longest_side) == (2, 7)
    assert (good.mean_width, good.mean_height, good.shortest_side, good.longest_side) == (0, 0, 0, 0)


async def test_confidence_and_source_are_kept(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    image = (await upload(editor, project_id, [Sent("a", png())])).images[0]
    drawn = [box("red"), box("blue", 2, 2, 3, 3)]
    drawn[1].confidence, drawn[1].source = 0.25, "model:7"
    await annotate(editor, image, drawn)
    kept = (await editor.ListAnnotations(api.ListAnnotationsRequest(image_id=image.id))).annotations
    assert [(each.HasField("confidence"), each.confidence, each.source) for each in kept] == [
        (False, 0, ""),
        (True, 0.25, "model:7"),
    ]
