"""The Python SDK: every call of the API, by its own name, in terms of the generated messages.

    with Client("http://127.0.0.1:8000", token) as client:
        project = client.find_project("cells")
        for event in client.watch(job.id):
            print(event)

All methods raise ServerRefused with the server's reason, ServerAway when it cannot be reached, and ClientError for
what else went wrong.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self, TypeVar

from google.protobuf.message import Message

from annotateforge.api.dataset.v1 import (
    annotation_pb2,
    dataset_pb2,
    dataset_service_pb2,
    image_pb2,
    problem_pb2,
    project_pb2,
)
from annotateforge.api.inference.v1 import inference_service_pb2, prediction_pb2
from annotateforge.api.registry.v1 import model_pb2, registry_service_pb2
from annotateforge.api.trainer.v1 import event_pb2, job_pb2, trainer_service_pb2, worker_pb2
from annotateforge.client.errors import ClientError
from annotateforge.client.transport import Transport
from annotateforge.client.watching import watch
from annotateforge.runtime.rest.codec import to_object
from annotateforge.runtime.rest.names import enum_numbers

_DATASET = dataset_service_pb2.DESCRIPTOR.services_by_name["DatasetService"]
_TRAINER = trainer_service_pb2.DESCRIPTOR.services_by_name["TrainerService"]
_REGISTRY = registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"]
_INFERENCE = inference_service_pb2.DESCRIPTOR.services_by_name["InferenceService"]

_PAGE_SIZE = 200
_UPLOAD_FILES = 64

T = TypeVar("T")


class _Page(Protocol):
    next_page_token: str


P = TypeVar("P", bound=_Page)


class Client:
    """A client of one AnnotateForge server."""

    def __init__(self, url: str, token: str, *, timeout: float = 60.0) -> None:
        """url: http(s)://host:port of the gateway; timeout: seconds within which a call must be answered."""
        self._transport = Transport(url, token, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def create_project(self, name: str, description: str = "") -> project_pb2.Project:
        """Make an empty project."""
        request = dataset_service_pb2.CreateProjectRequest(name=name, description=description)
        return self._transport.call(_DATASET, "CreateProject", request, project_pb2.Project)

    def project(self, project_id: str) -> project_pb2.Project:
        """One project."""
        request = dataset_service_pb2.GetProjectRequest(project_id=project_id)
        return self._transport.call(_DATASET, "GetProject", request, project_pb2.Project)

    def projects(self, name: str = "") -> Iterator[project_pb2.Project]:
        """All projects, the newest first, or the one of exactly this name."""
        request = dataset_service_pb2.ListProjectsRequest(name=name, page_size=_PAGE_SIZE)
        answer = dataset_service_pb2.ListProjectsResponse
        call = self._transport.call
        return _pages(
            request, lambda: call(_DATASET, "ListProjects", request, answer), lambda page: page.projects
        )

    def find_project(self, name_or_id: str) -> project_pb2.Project:
        """The project of this name, else of this id; ClientError when there is neither."""
        found = next(self.projects(name=name_or_id), None)
        if found is not None:
            return found
        if len(name_or_id) == 36 and name_or_id.count("-") == 4:
            return self.project(name_or_id)
        raise ClientError(
            f"There is no project {name_or_id!r}. `annotateforge project list` shows those that there are, and "
            "`annotateforge project create` makes one."
        )

    def find_or_create_project(self, name: str) -> project_pb2.Project:
        """The project of this name, made where there is none."""
        return next(self.projects(name=name), None) or self.create_project(name)

    def project_stats(self, project_id: str) -> project_pb2.ProjectStats:
        """What a project holds, class by class."""
        request = dataset_service_pb2.GetProjectStatsRequest(project_id=project_id)
        return self._transport.call(_DATASET, "GetProjectStats", request, project_pb2.ProjectStats)

    def delete_project(self, project_id: str) -> None:
        """Delete a project with its images and annotations."""
        request = dataset_service_pb2.DeleteProjectRequest(project_id=project_id)
        self._transport.call(_DATASET, "DeleteProject", request, dataset_service_pb2.DeleteProjectResponse)

    def import_archive(
        self,
        project_id: str,
        chunks: Iterable[bytes],
        *,
        format: str = "auto",
        sent: Callable[[int], None] | None = None,
    ) -> problem_pb2.ImportReport:
        """Import the bytes of a zip, tar or tar.gz archive; `sent` is told of every chunk's size."""
        first = dataset_service_pb2.ImportArchiveRequest(
            header=dataset_service_pb2.ImportArchiveHeader(project_id=project_id, format=format)
        )
        return self._transport.upload(
            _DATASET, "ImportArchive", first, problem_pb2.ImportReport, chunks=_told(chunks, sent)
        )

    def upload_images(
        self, project_id: str, files: Iterable[tuple[str, bytes]]
    ) -> list[dataset_service_pb2.UploadImagesResponse]:
        """Add image files, name and bytes. They are sent some at a time; each of these lands whole or not at all."""
        first = dataset_service_pb2.UploadImagesRequest(
            header=dataset_service_pb2.UploadImagesHeader(project_id=project_id)
        )
        answer = dataset_service_pb2.UploadImagesResponse
        return [
            self._transport.upload(_DATASET, "UploadImages", first, answer, files=some)
            for some in _some_at_a_time(files, _UPLOAD_FILES)
        ]

    def images(self, project_id: str) -> Iterator[image_pb2.Image]:
        """The images of a project by file name."""
        request = dataset_service_pb2.ListImagesRequest(project_id=project_id, page_size=_PAGE_SIZE)
        answer = dataset_service_pb2.ListImagesResponse
        call = self._transport.call
        return _pages(
            request, lambda: call(_DATASET, "ListImages", request, answer), lambda page: page.images
        )

    def annotations(self, image_id: str) -> list[annotation_pb2.Annotation]:
        """The annotations of an image."""
        request = dataset_service_pb2.ListAnnotationsRequest(image_id=image_id)
        answer = dataset_service_pb2.ListAnnotationsResponse
        return list(self._transport.call(_DATASET, "ListAnnotations", request, answer).annotations)

    def set_annotations(
        self, image_id: str, annotations: Iterable[annotation_pb2.Annotation]
    ) -> list[annotation_pb2.Annotation]:
        """Replace all annotations of an image."""
        request = dataset_service_pb2.SetAnnotationsRequest(image_id=image_id, annotations=annotations)
        answer = dataset_service_pb2.SetAnnotationsResponse
        return list(self._transport.call(_DATASET, "SetAnnotations", request, answer).annotations)

    def check_dataset(self, spec: dataset_pb2.DatasetSpec) -> problem_pb2.HealthReport:
        """What freezing a spec would give."""
        request = dataset_service_pb2.CheckDatasetRequest(spec=spec)
        return self._transport.call(_DATASET, "CheckDataset", request, problem_pb2.HealthReport)

    def prepare_dataset(self, spec: dataset_pb2.DatasetSpec) -> dataset_pb2.Dataset:
        """Freeze a spec."""
        request = dataset_service_pb2.PrepareDatasetRequest(spec=spec)
        return self._transport.call(_DATASET, "PrepareDataset", request, dataset_pb2.Dataset)

    def dataset(self, dataset_id: str) -> dataset_pb2.Dataset:
        """One frozen data set."""
        request = dataset_service_pb2.GetDatasetRequest(dataset_id=dataset_id)
        return self._transport.call(_DATASET, "GetDataset", request, dataset_pb2.Dataset)

    def download_archive(self, dataset_id: str, file: IO[bytes]) -> int:
        """Write a data set's YOLO archive into a file; its size in bytes."""
        request = dataset_service_pb2.DownloadArchiveRequest(dataset_id=dataset_id)
        return self._transport.download(_DATASET, "DownloadArchive", request, file.write)

    def create_job(self, request: trainer_service_pb2.CreateJobRequest) -> job_pb2.Job:
        """Start a training."""
        return self._transport.call(_TRAINER, "CreateJob", request, job_pb2.Job)

    def job(self, job_id: str) -> job_pb2.Job:
        """One job."""
        request = trainer_service_pb2.GetJobRequest(job_id=job_id)
        return self._transport.call(_TRAINER, "GetJob", request, job_pb2.Job)

    def jobs(self, status: str = "", task_type: str = "") -> Iterator[job_pb2.Job]:
        """Jobs, the newest first; of one status, such as "training", and one task, such as "detect"."""
        request = trainer_service_pb2.ListJobsRequest(
            status=enum_value(job_pb2.JobStatus, status, "status"),
            task_type=enum_value(dataset_pb2.TaskType, task_type, "task"),
            page_size=_PAGE_SIZE,
        )
        answer = trainer_service_pb2.ListJobsResponse
        call = self._transport.call
        return _pages(request, lambda: call(_TRAINER, "ListJobs", request, answer), lambda page: page.jobs)

    def cancel_job(self, job_id: str) -> job_pb2.Job:
        """Cancel a job."""
        request = trainer_service_pb2.CancelJobRequest(job_id=job_id)
        return self._transport.call(_TRAINER, "CancelJob", request, job_pb2.Job)

    def restart_job(self, job_id: str) -> job_pb2.Job:
        """Make a new job with the config of another."""
        request = trainer_service_pb2.RestartJobRequest(job_id=job_id)
        return self._transport.call(_TRAINER, "RestartJob", request, job_pb2.Job)

    def delete_job(self, job_id: str) -> None:
        """Delete a job that has ended; cancel one that has not."""
        request = trainer_service_pb2.DeleteJobRequest(job_id=job_id)
        self._transport.call(_TRAINER, "DeleteJob", request, trainer_service_pb2.DeleteJobResponse)

    def epochs(self, job_id: str) -> Iterator[job_pb2.Epoch]:
        """The complete epochs of a job."""
        request = trainer_service_pb2.ListEpochsRequest(job_id=job_id)
        answer = trainer_service_pb2.ListEpochsResponse
        call = self._transport.call
        return _pages(
            request, lambda: call(_TRAINER, "ListEpochs", request, answer), lambda page: page.epochs
        )

    def events(self, job_id: str, after: int = 0) -> Iterator[event_pb2.JobEvent]:
        """The stored events of a job after a sequence."""
        request = trainer_service_pb2.ListEventsRequest(job_id=job_id, after=after)
        answer = trainer_service_pb2.ListEventsResponse
        call = self._transport.call
        return _pages(
            request, lambda: call(_TRAINER, "ListEvents", request, answer), lambda page: page.events
        )

    def watch(self, job_id: str, after: int = 0) -> Iterator[event_pb2.JobEvent]:
        """The events of a job after a sequence, then live until it has ended; see `watching.watch`."""
        return watch(self._transport.url, self._transport.headers, job_id, after)

    def workers(self) -> Iterator[worker_pb2.Worker]:
        """The workers."""
        request = trainer_service_pb2.ListWorkersRequest(page_size=_PAGE_SIZE)
        answer = trainer_service_pb2.ListWorkersResponse
        call = self._transport.call
        return _pages(
            request, lambda: call(_TRAINER, "ListWorkers", request, answer), lambda page: page.workers
        )

    def model(self, model_id: str) -> model_pb2.Model:
        """One model."""
        request = registry_service_pb2.GetModelRequest(model_id=model_id)
        return self._transport.call(_REGISTRY, "GetModel", request, model_pb2.Model)

    def models(self, task_type: str = "", is_active: bool | None = None) -> Iterator[model_pb2.Model]:
        """Models, the newest first; of one task, such as "detect", and only active or inactive ones."""
        request = registry_service_pb2.ListModelsRequest(
            task_type=enum_value(dataset_pb2.TaskType, task_type, "task"),
            is_active=is_active,
            page_size=_PAGE_SIZE,
        )
        answer = registry_service_pb2.ListModelsResponse
        call = self._transport.call
        return _pages(
            request, lambda: call(_REGISTRY, "ListModels", request, answer), lambda page: page.models
        )

    def update_model(
        self, model_id: str, *, name: str | None = None, description: str | None = None
    ) -> model_pb2.Model:
        """Change a model's name or description."""
        request = registry_service_pb2.UpdateModelRequest(
            model_id=model_id, name=name, description=description
        )
        return self._transport.call(_REGISTRY, "UpdateModel", request, model_pb2.Model)

    def activate_model(self, model_id: str) -> model_pb2.Model:
        """Make a model the active one of its task."""
        request = registry_service_pb2.ActivateModelRequest(model_id=model_id)
        return self._transport.call(_REGISTRY, "ActivateModel", request, model_pb2.Model)

    def deactivate_model(self, model_id: str) -> model_pb2.Model:
        """Leave a model's task without an active model."""
        request = registry_service_pb2.DeactivateModelRequest(model_id=model_id)
        return self._transport.call(_REGISTRY, "DeactivateModel", request, model_pb2.Model)

    def delete_model(self, model_id: str) -> None:
        """Delete a model with its files."""
        request = registry_service_pb2.DeleteModelRequest(model_id=model_id)
        self._transport.call(_REGISTRY, "DeleteModel", request, registry_service_pb2.DeleteModelResponse)

    def artifacts(self, model_id: str) -> list[model_pb2.Artifact]:
        """The files of a model."""
        request = registry_service_pb2.ListArtifactsRequest(model_id=model_id)
        answer = registry_service_pb2.ListArtifactsResponse
        return list(self._transport.call(_REGISTRY, "ListArtifacts", request, answer).artifacts)

    def download_artifact(self, model_id: str, name: str, path: Path) -> int:
        """Write a file of a model to `path`, whole or not at all; its size in bytes."""
        request = registry_service_pb2.DownloadArtifactRequest(model_id=model_id, name=name)
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            with partial.open("wb") as file:
                size = self._transport.download(_REGISTRY, "DownloadArtifact", request, file.write)
            partial.replace(path)
        except OSError as error:
            raise ClientError(f"{path} cannot be written: {error.strerror}.") from error
        finally:
            partial.unlink(missing_ok=True)
        return size

    def predict(
        self, image: bytes, *, task_type: str = "", model_id: str = "", confidence: float | None = None
    ) -> prediction_pb2.Prediction:
        """What the active model of a task, or a certain model, sees in an encoded image."""
        request = inference_service_pb2.PredictRequest(
            image=image,
            model_id=model_id,
            task_type=enum_value(dataset_pb2.TaskType, task_type, "task"),
            confidence=confidence,
        )
        return self._transport.send(_INFERENCE, "Predict", request, prediction_pb2.Prediction)


def to_dict(message: Message) -> dict[str, Any]:
    """A message as REST writes it: names in snake_case, enums as short lower-case names."""
    value: dict[str, Any] = to_object(message)
    return value


def enum_value(enum: Any, name: str, what: str) -> Any:
    """The value of a generated enum by its short name, such as "detect"; 0 for an empty name.

    ClientError names the choices when there is no such one.
    """
    if not name:
        return 0
    numbers = enum_numbers(enum.DESCRIPTOR)
    if name not in numbers or numbers[name] == 0:
        choices = ", ".join(short for short, number in numbers.items() if number)
        raise ClientError(f"There is no {what} {name!r}; choose one of {choices}.")
    return numbers[name]


def _pages(request: Any, fetch: Callable[[], P], items: Callable[[P], Iterable[T]]) -> Iterator[T]:
    """All items of a list, page after page."""
    while True:
        page = fetch()
        yield from items(page)
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


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
