"""Labelled projects and specs, as tests of data sets need them."""

from collections.abc import Iterable, Sequence
from typing import Any

from annotateforge.api.dataset.v1 import annotation_pb2, dataset_pb2
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.dataset.v1.image_pb2 import Image
from tests.integration.dataset.calls import Sent, downloaded, new_project, upload
from tests.unit.dataset.archives import png

DETECT, SEGMENT, CLASSIFY = (
    dataset_pb2.TASK_TYPE_DETECT,
    dataset_pb2.TASK_TYPE_SEGMENT,
    dataset_pb2.TASK_TYPE_CLASSIFY,
)


def box(label: str, *edges: float) -> annotation_pb2.Annotation:
    x_min, y_min, x_max, y_max = edges or (1, 1, 4, 4)
    shape = annotation_pb2.Box(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max)
    return annotation_pb2.Annotation(class_label=label, box=shape)


def circle(label: str, x: float, y: float, radius: float) -> annotation_pb2.Annotation:
    return annotation_pb2.Annotation(class_label=label, circle=annotation_pb2.Circle(x=x, y=y, radius=radius))


def polygon(label: str, *points: tuple[float, float]) -> annotation_pb2.Annotation:
    corners = [annotation_pb2.Point(x=x, y=y) for x, y in points or ((1, 1), (5, 1), (3, 4))]
    return annotation_pb2.Annotation(class_label=label, polygon=annotation_pb2.Polygon(points=corners))


async def annotate(
    client: DatasetServiceStub, image: Image, annotations: Iterable[annotation_pb2.Annotation]
) -> None:
    await client.SetAnnotations(api.SetAnnotationsRequest(image_id=image.id, annotations=annotations))


async def labelled_project(
    client: DatasetServiceStub,
    name: str = "cells",
    contents: Sequence[bytes] | None = None,
    labels: Sequence[str] = ("red", "blue"),
    prefix: str = "",
) -> str:
    """A project of images of 8 × 6 pixels, with one box each of the labels in turn."""
    project_id = await new_project(client, name)
    contents = [png() for _ in range(10)] if contents is None else contents
    sent = [Sent(f"{prefix}{number}.png", content) for number, content in enumerate(contents)]
    images = (await upload(client, project_id, sent)).images
    by_name = {image.filename: image for image in images}
    for number, each in enumerate(sent):
        await annotate(client, by_name[each.filename], [box(labels[number % len(labels)])])
    return project_id


def spec_of(*project_ids: str, task: Any = DETECT, **more: Any) -> dataset_pb2.DatasetSpec:
    more.setdefault("classes", ["red", "blue"])
    return dataset_pb2.DatasetSpec(project_ids=project_ids, task_type=task, **more)


async def prepare(client: DatasetServiceStub, spec: dataset_pb2.DatasetSpec) -> dataset_pb2.Dataset:
    """Freeze a spec; the data set is the last message, and progress comes before it."""
    messages = [message async for message in client.PrepareDataset(api.PrepareDatasetRequest(spec=spec))]
    kinds = [message.WhichOneof("part") for message in messages]
    assert kinds[-1] == "dataset"
    assert set(kinds[:-1]) <= {"progress"}
    return messages[-1].dataset


async def archive(client: DatasetServiceStub, dataset_id: str, offset: int = 0, length: int = 0) -> bytes:
    request = api.DownloadArchiveRequest(dataset_id=dataset_id, offset=offset, length=length)
    return (await downloaded(client.DownloadArchive(request)))[1]
