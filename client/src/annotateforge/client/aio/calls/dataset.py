"""Calls of the dataset service: projects, images, annotations, data sets."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import IO, TypeVar

from annotateforge.api.dataset.v1 import (
    annotation_pb2,
    dataset_pb2,
    dataset_service_pb2,
    image_pb2,
    problem_pb2,
    project_pb2,
)
from annotateforge.client.aio.calls.pages import listed
from annotateforge.client.aio.transport import Transport
from annotateforge.client.enums import enum_value
from annotateforge.client.references import Search, is_id, not_found

SERVICE = dataset_service_pb2.DESCRIPTOR.services_by_name["DatasetService"]

_UPLOAD_FILES = 64

T = TypeVar("T")


class DatasetCalls:
    """Projects, images, annotations and data sets."""

    _transport: Transport

    async def create_project(self, name: str, description: str = "") -> project_pb2.Project:
        """Make an empty project."""
        request = dataset_service_pb2.CreateProjectRequest(name=name, description=description)
        return await self._transport.call(SERVICE, "CreateProject", request, project_pb2.Project)

    async def project(self, project_id: str) -> project_pb2.Project:
        """One project."""
        request = dataset_service_pb2.GetProjectRequest(project_id=project_id)
        return await self._transport.call(SERVICE, "GetProject", request, project_pb2.Project)

    def projects(self, name: str = "") -> AsyncIterator[project_pb2.Project]:
        """All projects, the newest first, or the one of exactly this name."""
        request = dataset_service_pb2.ListProjectsRequest(name=name)
        answer = dataset_service_pb2.ListProjectsResponse
        return listed(self._transport, SERVICE, "ListProjects", request, answer, lambda page: page.projects)

    async def find_project(self, reference: str) -> project_pb2.Project:
        """The project of this name, of this id, or whose id alone begins or ends so.

        ServerRefused PROJECT_NOT_FOUND when there is none, WrongArgument when there are several.
        """
        if reference:
            async for found in self.projects(name=reference):
                return found
        if is_id(reference):
            return await self.project(reference)
        search = Search("project", reference)
        async for found in self.projects():
            search.add(found.id)
        return await self.project(search.found())

    async def find_or_create_project(self, name: str) -> project_pb2.Project:
        """The project of this name, made where there is none."""
        async for found in self.projects(name=name):
            return found
        return await self.create_project(name)

    async def update_project(
        self, project_id: str, *, name: str | None = None, description: str | None = None
    ) -> project_pb2.Project:
        """Change a project's name or description."""
        request = dataset_service_pb2.UpdateProjectRequest(
            project_id=project_id, name=name, description=description
        )
        return await self._transport.call(SERVICE, "UpdateProject", request, project_pb2.Project)

    async def delete_project(self, project_id: str) -> None:
        """Delete a project with its images and annotations."""
        request = dataset_service_pb2.DeleteProjectRequest(project_id=project_id)
        await self._transport.call(
            SERVICE, "DeleteProject", request, dataset_service_pb2.DeleteProjectResponse
        )

    async def project_stats(self, project_id: str) -> project_pb2.ProjectStats:
        """What a project holds, class by class."""
        request = dataset_service_pb2.GetProjectStatsRequest(project_id=project_id)
        return await self._transport.call(SERVICE, "GetProjectStats", request, project_pb2.ProjectStats)

    async def import_archive(
        self,
        project_id: str,
        chunks: Iterable[bytes],
        *,
        format: str = "auto",
        sent: Callable[[int], None] | None = None,
    ) -> problem_pb2.ImportReport:
        """Import the bytes of a zip, tar or tar.gz archive; `sent` is told of every chunk's size."""
        header = dataset_service_pb2.ImportArchiveHeader(project_id=project_id, format=format)
        return await self._transport.upload(
            SERVICE,
            "ImportArchive",
            dataset_service_pb2.ImportArchiveRequest(header=header),
            problem_pb2.ImportReport,
            chunks=_told(chunks, sent),
        )

    async def upload_images(
        self, project_id: str, files: Iterable[tuple[str, bytes]], *, image_class: str = "", group: str = ""
    ) -> list[dataset_service_pb2.UploadImagesResponse]:
        """Add image files, name and bytes, all of one image class and group.

        They are sent 64 at a time, each time with an answer of its own; what is sent together lands whole or
        not at all.
        """
        header = dataset_service_pb2.UploadImagesHeader(
            project_id=project_id, image_class=image_class, group=group
        )
        first = dataset_service_pb2.UploadImagesRequest(header=header)
        answer = dataset_service_pb2.UploadImagesResponse
        return [
            await self._transport.upload(SERVICE, "UploadImages", first, answer, files=some)
            for some in _some_at_a_time(files, _UPLOAD_FILES)
        ]

    def images(
        self,
        project_id: str,
        *,
        class_label: str = "",
        annotated: bool | None = None,
        filename_contains: str = "",
        annotation_type: str = "",
        dataset_id: str = "",
        side: str = "",
        unlabelled: bool | None = None,
        problem: str = "",
        reviewed: bool | None = None,
    ) -> AsyncIterator[image_pb2.Image]:
        """The images of a project by file name; only those that the filters let through.

        annotation_type: such as "box"; side: "train", "val" or "test" of the data set `dataset_id`; problem:
        "copy", "corrupt" or "without_class". See ListImagesRequest.
        """
        request = dataset_service_pb2.ListImagesRequest(
            project_id=project_id,
            class_label=class_label,
            annotated=annotated,
            filename_contains=filename_contains,
            annotation_type=enum_value(annotation_pb2.AnnotationType, annotation_type, "annotation type"),
            dataset_id=dataset_id,
            side=enum_value(image_pb2.SplitSide, side, "side"),
            unlabelled=unlabelled,
            problem=enum_value(image_pb2.ImageProblem, problem, "problem"),
            reviewed=reviewed,
        )
        answer = dataset_service_pb2.ListImagesResponse
        return listed(self._transport, SERVICE, "ListImages", request, answer, lambda page: page.images)

    async def find_image(self, reference: str) -> image_pb2.Image:
        """The image of this id, or the one of "PROJECT:FILE NAME"; see `find_project`.

        ServerRefused IMAGE_NOT_FOUND when the project has no such one.
        """
        project, colon, filename = reference.partition(":")
        if not colon:
            return await self.image(reference)
        found = await self.find_project(project)
        async for image in self.images(found.id, filename_contains=filename):
            if image.filename == filename:
                return image
        raise not_found("image", filename, f"in the project {found.name}")

    async def export_project(self, project_id: str, file: IO[bytes], format: str = "yolo") -> int:
        """Write a project as a zip of images and labels into a file; how many bytes it has.

        format: yolo, coco or voc.
        """
        request = dataset_service_pb2.ExportProjectRequest(project_id=project_id, format=format)
        return await self._transport.download(SERVICE, "ExportProject", request, file.write)

    async def image(self, image_id: str) -> image_pb2.Image:
        """One image."""
        request = dataset_service_pb2.GetImageRequest(image_id=image_id)
        return await self._transport.call(SERVICE, "GetImage", request, image_pb2.Image)

    async def update_image(
        self,
        image_id: str,
        *,
        image_class: str | None = None,
        group: str | None = None,
        reviewed: bool | None = None,
    ) -> image_pb2.Image:
        """Set an image's class or group, where an empty text takes it away, or that it was reviewed."""
        request = dataset_service_pb2.UpdateImageRequest(
            image_id=image_id, image_class=image_class, group=group, reviewed=reviewed
        )
        return await self._transport.call(SERVICE, "UpdateImage", request, image_pb2.Image)

    async def delete_image(self, image_id: str) -> None:
        """Delete an image with its annotations."""
        request = dataset_service_pb2.DeleteImageRequest(image_id=image_id)
        await self._transport.call(SERVICE, "DeleteImage", request, dataset_service_pb2.DeleteImageResponse)

    async def delete_images(self, project_id: str, image_ids: Sequence[str]) -> int:
        """Delete images of a project, at most 10,000; how many were there."""
        request = dataset_service_pb2.DeleteImagesRequest(project_id=project_id, image_ids=image_ids)
        answer = dataset_service_pb2.DeleteImagesResponse
        return (await self._transport.call(SERVICE, "DeleteImages", request, answer)).deleted_count

    async def download_image(self, image_id: str, file: IO[bytes]) -> int:
        """Write an image's bytes, as they came, into a file; how many there are."""
        request = dataset_service_pb2.DownloadImageRequest(image_id=image_id)
        return await self._transport.download(SERVICE, "DownloadImage", request, file.write)

    async def download_thumbnail(self, image_id: str, file: IO[bytes], size: int = 0) -> int:
        """Write a small upright JPEG of an image into a file; how many bytes it has.

        size: longest side in pixels, 16 to 1,024; 0 for 256.
        """
        request = dataset_service_pb2.GetThumbnailRequest(image_id=image_id, size=size)
        return await self._transport.download(SERVICE, "GetThumbnail", request, file.write)

    async def annotations(self, image_id: str) -> list[annotation_pb2.Annotation]:
        """The annotations of an image."""
        request = dataset_service_pb2.ListAnnotationsRequest(image_id=image_id)
        answer = dataset_service_pb2.ListAnnotationsResponse
        return list((await self._transport.call(SERVICE, "ListAnnotations", request, answer)).annotations)

    async def set_annotations(
        self, image_id: str, annotations: Iterable[annotation_pb2.Annotation]
    ) -> list[annotation_pb2.Annotation]:
        """Replace all annotations of an image."""
        request = dataset_service_pb2.SetAnnotationsRequest(image_id=image_id, annotations=annotations)
        answer = dataset_service_pb2.SetAnnotationsResponse
        return list((await self._transport.call(SERVICE, "SetAnnotations", request, answer)).annotations)

    async def check_dataset(self, spec: dataset_pb2.DatasetSpec) -> problem_pb2.HealthReport:
        """What freezing a spec would give."""
        request = dataset_service_pb2.CheckDatasetRequest(spec=spec)
        return await self._transport.call(SERVICE, "CheckDataset", request, problem_pb2.HealthReport)

    async def prepare_dataset(self, spec: dataset_pb2.DatasetSpec) -> dataset_pb2.Dataset:
        """Freeze a spec; the data set that is there when it has been frozen over the same data before."""
        request = dataset_service_pb2.PrepareDatasetRequest(spec=spec)
        return await self._transport.call(SERVICE, "PrepareDataset", request, dataset_pb2.Dataset)

    async def dataset(self, dataset_id: str) -> dataset_pb2.Dataset:
        """One frozen data set."""
        request = dataset_service_pb2.GetDatasetRequest(dataset_id=dataset_id)
        return await self._transport.call(SERVICE, "GetDataset", request, dataset_pb2.Dataset)

    def datasets(self, task_type: str = "") -> AsyncIterator[dataset_pb2.Dataset]:
        """The frozen data sets, the newest first; of one task, such as "detect"."""
        request = dataset_service_pb2.ListDatasetsRequest(
            task_type=enum_value(dataset_pb2.TaskType, task_type, "task")
        )
        answer = dataset_service_pb2.ListDatasetsResponse
        return listed(self._transport, SERVICE, "ListDatasets", request, answer, lambda page: page.datasets)

    async def find_dataset(self, reference: str) -> dataset_pb2.Dataset:
        """The data set of this id, or whose id alone begins or ends so.

        ServerRefused DATASET_NOT_FOUND when there is none, WrongArgument when there are several.
        """
        if is_id(reference):
            return await self.dataset(reference)
        search = Search("dataset", reference)
        async for found in self.datasets():
            search.add(found.id)
        return await self.dataset(search.found())

    async def delete_dataset(self, dataset_id: str) -> None:
        """Delete a data set; its archive is gone with it."""
        request = dataset_service_pb2.DeleteDatasetRequest(dataset_id=dataset_id)
        await self._transport.call(
            SERVICE, "DeleteDataset", request, dataset_service_pb2.DeleteDatasetResponse
        )

    async def download_archive(self, dataset_id: str, file: IO[bytes]) -> int:
        """Write a data set's YOLO archive into a file; its size in bytes."""
        request = dataset_service_pb2.DownloadArchiveRequest(dataset_id=dataset_id)
        return await self._transport.download(SERVICE, "DownloadArchive", request, file.write)


def _told(chunks: Iterable[bytes], sent: Callable[[int], None] | None) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        if sent is not None:
            sent(len(chunk))


def _some_at_a_time(items: Iterable[T], count: int) -> Iterator[list[T]]:
    some: list[T] = []
    for item in items:
        some.append(item)
        if len(some) == count:
            yield some
            some = []
    if some:
        yield some
