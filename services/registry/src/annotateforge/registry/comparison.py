"""Models side by side: the settings in which they differ, their metrics and their curves. Pure."""

from collections.abc import Sequence

from annotateforge.api.registry.v1.model_pb2 import ComparedModel, CurvePoint
from annotateforge.api.registry.v1.registry_service_pb2 import CompareModelsResponse
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.registry.curves import thinned
from annotateforge.registry.messages import model_message
from annotateforge.registry.models import Model
from annotateforge.runtime.differences import field_texts, fields_that_differ
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.ranking import best_of

FEWEST_COMPARED = 2
MOST_COMPARED = 6
"""Most models in one comparison: more lines in one plot cannot be told apart."""


def check_number(model_ids: Sequence[str]) -> None:
    """InvalidArgument INVALID_COMPARISON for too few or too many models."""
    if not FEWEST_COMPARED <= len(model_ids) <= MOST_COMPARED:
        raise InvalidArgument.of_field(
            "INVALID_COMPARISON",
            "model_ids",
            f"are {len(model_ids):,}; name {FEWEST_COMPARED} to {MOST_COMPARED} models",
        )


def check_tasks(models: Sequence[Model]) -> None:
    """InvalidArgument INVALID_COMPARISON for models of several tasks."""
    if len({model.training.task_type for model in models}) > 1:
        told = ", ".join(f"{model.name} ({model.training.task_type})" for model in models)
        raise InvalidArgument.of_field(
            "INVALID_COMPARISON",
            "model_ids",
            f"are for different tasks, whose metrics have nothing in common: {told}; name models of one task",
        )


def compared(models: Sequence[Model], curves: Sequence[Sequence[CurvePoint]]) -> CompareModelsResponse:
    """The comparison of models, each with its curve."""
    shown = [model_message(model) for model in models]
    differing = fields_that_differ(JobConfig.DESCRIPTOR, [message.config for message in shown])
    lines = []
    for message, curve in zip(shown, curves, strict=True):
        texts = field_texts(message.config)
        lines.append(
            ComparedModel(
                model=message,
                settings={name: texts[name] for name in differing if name in texts},
                curve=thinned(curve, message.best_epoch),
            )
        )
    digests = {message.dataset_digest or message.dataset_id for message in shown}
    return CompareModelsResponse(
        settings=differing,
        models=lines,
        best_model_id=best_of((message.id, message.metrics) for message in shown),
        same_dataset=len(digests) == 1,
    )
