"""Converts between what the domain holds and the API's messages: specs' reports and data sets."""

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.dataset.archive import Entry
from annotateforge.dataset.datasets import Dataset
from annotateforge.dataset.preparing import Progress
from annotateforge.dataset.rpc.messages import timestamp
from annotateforge.dataset.spec import Task
from annotateforge.runtime.errors import InvalidArgument


def dataset_message(dataset: Dataset) -> dataset_pb2.Dataset:
    """A data set as the API shows it."""
    report = dataset.report
    return dataset_pb2.Dataset(
        id=str(dataset.id),
        digest=dataset.digest.hex(),
        spec=dataset.spec,
        task_type=dataset.spec.task_type,
        classes=dataset.spec.classes,
        total_images=report.total_images,
        train_images=report.train_images,
        val_images=report.val_images,
        test_images=report.test_images,
        background_images=report.background_images,
        skipped=report.skipped,
        class_balance=report.classes,
        findings=report.findings,
        archive_size_bytes=dataset.archive_size_bytes,
        create_time=timestamp(dataset.create_time),
    )


def entry_message(entry: Entry) -> dataset_pb2.ManifestEntry:
    """A file of an archive as the API shows it."""
    return dataset_pb2.ManifestEntry(
        name=entry.name,
        size_bytes=entry.size,
        crc32=entry.crc32,
        sha256=entry.image,
        offset=entry.offset,
    )


def progress_message(progress: Progress) -> api.PrepareProgress:
    """How far preparing is, as the API shows it."""
    return api.PrepareProgress(
        stage=progress.stage, images_done=progress.images_done, images_total=progress.images_total
    )


def read_task(value: int) -> Task | None:
    """The task of a filter; None for all. InvalidArgument INVALID_FILTER."""
    if not value:
        return None
    try:
        return Task(value)
    except ValueError:
        raise InvalidArgument.of_field(
            "INVALID_FILTER", "task_type", "must be classify, detect or segment; leave it out for all"
        ) from None
