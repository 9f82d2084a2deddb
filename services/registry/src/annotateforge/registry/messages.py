"""The registry's values as messages of its API."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.registry.v1 import model_pb2
from annotateforge.api.trainer.v1 import job_pb2
from annotateforge.registry.models import Activation, Artifact, Change, Model, TaskType

_TASK_TYPES = {
    TaskType.CLASSIFY: dataset_pb2.TASK_TYPE_CLASSIFY,
    TaskType.DETECT: dataset_pb2.TASK_TYPE_DETECT,
    TaskType.SEGMENT: dataset_pb2.TASK_TYPE_SEGMENT,
}
_CHANGES = {
    Change.REGISTERED: model_pb2.MODEL_CHANGE_REGISTERED,
    Change.UPDATED: model_pb2.MODEL_CHANGE_UPDATED,
    Change.ACTIVATED: model_pb2.MODEL_CHANGE_ACTIVATED,
    Change.DEACTIVATED: model_pb2.MODEL_CHANGE_DEACTIVATED,
    Change.DELETED: model_pb2.MODEL_CHANGE_DELETED,
}


def model_message(model: Model) -> model_pb2.Model:
    """A model as the API shows it."""
    training = model.training
    message = model_pb2.Model(
        id=str(model.id),
        name=model.name,
        description=model.description,
        task_type=_TASK_TYPES[training.task_type],
        architecture=training.architecture,
        classes=training.classes,
        image_size=training.image_size,
        metrics=training.metrics,
        is_active=model.is_active,
        job_id=str(training.job_id),
        attempt=training.attempt,
        dataset_id=str(training.dataset_id),
        dataset_digest=training.dataset_digest,
        config=job_pb2.JobConfig.FromString(training.config),
        best_epoch=training.best_epoch,
        epochs_trained=training.epochs_trained,
        weights_size_bytes=model.weights_size_bytes,
        weights_sha256=model.weights_sha256,
        create_time=_timestamp(model.create_time),
    )
    if model.activate_time is not None:
        message.activate_time.CopyFrom(_timestamp(model.activate_time))
    return message


def artifact_message(artifact: Artifact) -> model_pb2.Artifact:
    """An artifact as the API shows it."""
    return model_pb2.Artifact(
        name=artifact.name,
        content_type=artifact.content_type,
        size_bytes=artifact.size_bytes,
        sha256=artifact.sha256,
    )


def activation_message(activation: Activation) -> model_pb2.Activation:
    """An activation as the API shows it."""
    message = model_pb2.Activation(
        model_id=str(activation.model_id),
        task_type=_TASK_TYPES[activation.task_type],
        activate_time=_timestamp(activation.activate_time),
        activated_by=activation.activated_by,
    )
    if activation.deactivate_time is not None:
        message.deactivate_time.CopyFrom(_timestamp(activation.deactivate_time))
    return message


def model_event(change: Change, model: Model) -> model_pb2.ModelEvent:
    """What is told over NATS about a change that is being made now."""
    return model_pb2.ModelEvent(
        change=_CHANGES[change], model=model_message(model), time=_timestamp(datetime.now(UTC))
    )


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
