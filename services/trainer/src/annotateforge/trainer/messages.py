"""Rows as messages of the API."""

from datetime import datetime, timedelta
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from annotateforge.api.dataset.v1.dataset_pb2 import Dataset, TaskType
from annotateforge.api.trainer.v1 import architecture_pb2 as api
from annotateforge.api.trainer.v1.event_pb2 import DatasetReady
from annotateforge.api.trainer.v1.job_pb2 import Checkpoint, Epoch, Job, JobConfig
from annotateforge.api.trainer.v1.worker_pb2 import Load, Worker
from annotateforge.trainer import estimates
from annotateforge.trainer.architectures import TASK_SUFFIXES, Architecture, default_image_size
from annotateforge.trainer.job import SavedCheckpoint
from annotateforge.trainer.outcomes import cancelled
from annotateforge.trainer.records import JobRecord, WorkerRecord
from annotateforge.trainer.status import Status


def job_message(record: JobRecord, *, position: int | None = None, with_log: bool = True) -> Job:
    """A job as the API shows it, with its place in the queue; `with_log` False leaves out the log of its
    failure, as lists do.
    """
    config = JobConfig.FromString(record.config)
    config.priority = record.priority
    job = Job(
        id=str(record.id),
        name=record.name,
        description=record.description,
        task_type=task_type(record.task_type),
        config=config,
        status=record.status.proto,
        attempt=record.attempt,
        current_epoch=record.current_epoch,
        total_epochs=record.total_epochs,
        progress_percent=estimates.progress_percent(record.current_epoch, record.total_epochs),
        dataset=Dataset.FromString(record.dataset),
        model_id=_text(record.model_id),
        worker_name=record.worker_name,
        cancel_requested=record.cancel_requested,
        last_sequence=record.last_sequence,
        create_time=timestamp(record.create_time),
        restarted_from_job_id=_text(record.restarted_from),
    )
    if record.epoch is not None:
        epoch = Epoch.FromString(record.epoch)
        job.latest_metrics.update(epoch.metrics)
        if record.status is Status.TRAINING and epoch.attempt == record.attempt:
            elapsed = record.now.timestamp() - epoch.time.ToMicroseconds() / 1e6
            job.eta_seconds = estimates.counted_down(epoch.eta_seconds, elapsed)
    if record.failure is not None:
        job.failure.MergeFromString(record.failure)
        if not with_log:
            del job.failure.log_tail[:]
    elif record.status is Status.CANCELLED:
        job.failure.CopyFrom(cancelled(record.current_epoch, record.total_epochs))
    if record.batch_size is not None:
        job.batch_size = record.batch_size
    if record.checkpoint is not None:
        job.checkpoint.CopyFrom(checkpoint_message(record.checkpoint))
    if position is not None:
        job.queue_position = position
    if record.start_time is not None:
        job.start_time.FromDatetime(record.start_time)
    if record.end_time is not None:
        job.end_time.FromDatetime(record.end_time)
    return job


def checkpoint_message(saved: SavedCheckpoint) -> Checkpoint:
    """A checkpoint as the API shows it."""
    return Checkpoint(
        epoch=saved.epoch,
        attempt=saved.attempt,
        size_bytes=saved.size_bytes,
        sha256=saved.sha256,
        time=timestamp(saved.time),
    )


def worker_message(record: WorkerRecord, online_for: timedelta) -> Worker:
    """A worker as the API shows it; online while it was heard of within `online_for`."""
    worker = Worker.FromString(record.description)
    worker.id = str(record.id)
    worker.name = record.name
    worker.load.CopyFrom(Load.FromString(record.load))
    worker.current_job_id = _text(record.current_job_id)
    worker.heartbeat_time.FromDatetime(record.heartbeat_time)
    worker.online = record.now - record.heartbeat_time <= online_for
    return worker


def architecture_message(
    architecture: Architecture, task: TaskType.ValueType | None = None
) -> api.Architecture:
    """An architecture as the API shows it, for one task or for all."""
    return api.Architecture(
        name=architecture.name,
        family=architecture.family,
        size=architecture.size,
        notes=architecture.notes,
        tasks=[
            api.ArchitectureTask(
                task_type=one,
                ultralytics_name=architecture.name + suffix,
                parameters=architecture.parameters[one],
                layers=architecture.layers[one],
                default_image_size=default_image_size(one),
            )
            for one, suffix in TASK_SUFFIXES.items()
            if task in (None, one)
        ],
    )


def dataset_ready(dataset: Dataset) -> DatasetReady:
    """What an event tells of a data set."""
    return DatasetReady(
        dataset_id=dataset.id,
        digest=dataset.digest,
        train_images=dataset.train_images,
        val_images=dataset.val_images,
        classes=dataset.classes,
        task_type=dataset.task_type,
    )


def task_type(word: str) -> TaskType.ValueType:
    """The proto's number of a task's word."""
    return TaskType.Value(f"TASK_TYPE_{word.upper()}")


def task_word(number: TaskType.ValueType) -> str:
    """The word of the proto's number of a task."""
    return TaskType.Name(number).removeprefix("TASK_TYPE_").lower()


def timestamp(moment: datetime) -> Timestamp:
    """A time as the protos carry it."""
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def _text(identifier: UUID | None) -> str:
    return "" if identifier is None else str(identifier)
