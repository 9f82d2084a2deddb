"""Projects over gRPC."""

from uuid import uuid4

import pytest

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.annotation_pb2 import Annotation, Box, Circle
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.runtime.errors import Code
from tests.integration.dataset.calls import Sent, new_project, refusal, upload
from tests.unit.dataset.archives import png


async def test_a_project_is_created_read_changed_and_deleted(editor: DatasetServiceStub) -> None:
    created = (
        await editor.CreateProject(api.CreateProjectRequest(name=" cells ", description="a\nb"))
    ).project
    assert (created.name, created.description) == ("cells", "a\nb")
    assert created.create_time == created.update_time
    changed = (
        await editor.UpdateProject(api.UpdateProjectRequest(project_id=created.id, description=""))
    ).project
    assert (changed.name, changed.description) == ("cells", "")
    assert changed.update_time.ToDatetime() > created.update_time.ToDatetime()
    read = (await editor.GetProject(api.GetProjectRequest(project_id=created.id))).project
    assert read == changed
    await editor.DeleteProject(api.DeleteProjectRequest(project_id=created.id))
    error = await refusal(editor.GetProject(api.GetProjectRequest(project_id=created.id)))
    assert (error.code, error.reason) == (Code.NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_names_are_unique_also_after_a_change(editor: DatasetServiceStub) -> None:
    await new_project(editor, "cells")
    other = await new_project(editor, "coins")
    error = await refusal(editor.CreateProject(api.CreateProjectRequest(name="cells")))
    assert (error.code, error.reason) == (Code.ALREADY_EXISTS, "PROJECT_EXISTS")
    error = await refusal(editor.UpdateProject(api.UpdateProjectRequest(project_id=other, name="cells")))
    assert (error.code, error.reason) == (Code.ALREADY_EXISTS, "PROJECT_EXISTS")


@pytest.mark.parametrize(
    ("name", "description", "field"),
    [
        ("", "", "name"),
        (" \t ", "", "name"),
        ("a" * 201, "", "name"),
        ("a\0b", "", "name"),
        ("a\nb", "", "name"),
        ("cells", "a" * 10_001, "description"),
        ("cells", "a\0b", "description"),
    ],
)
async def test_bad_names_and_descriptions_are_refused_by_field(
    editor: DatasetServiceStub, name: str, description: str, field: str
) -> None:
    error = await refusal(editor.CreateProject(api.CreateProjectRequest(name=name, description=description)))
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "INVALID_PROJECT")
    assert [violation.field for violation in error.violations] == [field]


async def test_projects_are_listed_newest_first_page_by_page(
    viewer: DatasetServiceStub, editor: DatasetServiceStub
) -> None:
    names = [f"project {number}" for number in range(7)]
    for name in names:
        await new_project(editor, name)
    seen: list[str] = []
    token = ""
    for size in (3, 3, 1):
        page = await viewer.ListProjects(api.ListProjectsRequest(page_size=3, page_token=token))
        assert len(page.projects) == size
        seen += [project.name for project in page.projects]
        token = page.next_page_token
    assert token == ""
    assert seen == names[::-1]
    named = await viewer.ListProjects(api.ListProjectsRequest(name="project 4"))
    assert [project.name for project in named.projects] == ["project 4"]


async def test_stats_count_images_classes_and_shapes(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    images = (
        await upload(
            editor,
            project_id,
            [
                Sent("a.png", png(), image_class="good"),
                Sent("b.png", png(), image_class="RBC"),
                Sent("c.png", png()),
            ],
        )
    ).images
    box = Annotation(class_label="RBC", box=Box(x_min=1, y_min=1, x_max=3, y_max=2))
    circle = Annotation(class_label="RBC", circle=Circle(x=3, y=3, radius=1))
    unlabelled = Annotation(circle=Circle(x=3, y=3, radius=1))
    await editor.SetAnnotations(
        api.SetAnnotationsRequest(image_id=images[0].id, annotations=[box, box, circle, unlabelled])
    )
    await editor.SetAnnotations(api.SetAnnotationsRequest(image_id=images[1].id, annotations=[box]))
    stats = (await editor.GetProjectStats(api.GetProjectStatsRequest(project_id=project_id))).stats
    assert (stats.image_count, stats.annotated_image_count, stats.classified_image_count) == (3, 2, 2)
    assert (stats.annotation_count, stats.size_bytes) == (5, sum(image.size_bytes for image in images))
    first, second = stats.classes
    assert (first.class_label, first.image_count, first.classified_image_count) == ("RBC", 2, 1)
    assert (first.box_count, first.circle_count, first.rectangle_count, first.polygon_count) == (3, 1, 0, 0)
    assert (second.class_label, second.image_count, second.classified_image_count) == ("good", 0, 1)
    project = (await editor.GetProject(api.GetProjectRequest(project_id=project_id))).project
    assert (project.image_count, project.annotation_count) == (3, 5)


async def test_counts_follow_every_change(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    images = (await upload(editor, project_id, [Sent(f"{n}.png", png()) for n in range(3)])).images
    circle = Annotation(class_label="cell", circle=Circle(x=3, y=3, radius=1))

    async def counts() -> tuple[int, int]:
        project = (await editor.GetProject(api.GetProjectRequest(project_id=project_id))).project
        return project.image_count, project.annotation_count

    await editor.SetAnnotations(api.SetAnnotationsRequest(image_id=images[0].id, annotations=[circle] * 4))
    await editor.SetAnnotations(api.SetAnnotationsRequest(image_id=images[1].id, annotations=[circle] * 3))
    assert await counts() == (3, 7)
    await editor.SetAnnotations(api.SetAnnotationsRequest(image_id=images[0].id, annotations=[circle]))
    assert await counts() == (3, 4)
    await editor.DeleteImage(api.DeleteImageRequest(image_id=images[1].id))
    assert await counts() == (2, 1)


async def test_ids_that_are_none_or_unknown_are_told_apart(editor: DatasetServiceStub) -> None:
    for wrong in ("", "7", "../x", "a" * 5000):
        error = await refusal(editor.GetProject(api.GetProjectRequest(project_id=wrong)))
        assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "INVALID_ID")
    unknown = str(uuid4())
    for call in (
        editor.GetProjectStats(api.GetProjectStatsRequest(project_id=unknown)),
        editor.DeleteProject(api.DeleteProjectRequest(project_id=unknown)),
        editor.UpdateProject(api.UpdateProjectRequest(project_id=unknown, name="x")),
        editor.ListImages(api.ListImagesRequest(project_id=unknown)),
    ):
        error = await refusal(call)
        assert (error.code, error.reason) == (Code.NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_a_viewer_may_read_and_not_change(
    viewer: DatasetServiceStub, editor: DatasetServiceStub
) -> None:
    project_id = await new_project(editor)
    await viewer.GetProject(api.GetProjectRequest(project_id=project_id))
    for call in (
        viewer.CreateProject(api.CreateProjectRequest(name="x")),
        viewer.DeleteProject(api.DeleteProjectRequest(project_id=project_id)),
    ):
        error = await refusal(call)
        assert (error.code, error.reason) == (Code.PERMISSION_DENIED, "ROLE_NOT_ALLOWED")
