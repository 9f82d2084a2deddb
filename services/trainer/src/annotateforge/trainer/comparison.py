"""Jobs side by side: the settings in which they differ, and the best that each has reached. Pure."""

from collections.abc import Mapping, Sequence

from annotateforge.api.trainer.v1.event_pb2 import TrainingComplete
from annotateforge.api.trainer.v1.job_pb2 import Epoch, Job, JobConfig
from annotateforge.api.trainer.v1.sweep_pb2 import ComparedJob
from annotateforge.runtime.rest.parameters import parameters_of

MAIN_METRICS = ("map50_95", "mask_map50_95", "top1_accuracy")
"""The metric by which jobs of a task are ranked: each task has one of them."""


def settings_that_differ(configs: Sequence[JobConfig]) -> list[str]:
    """Paths of the fields of which not all configs have the same value, in the proto's order."""
    shown = [setting_texts(config) for config in configs]
    return [
        name for name in parameters_of(JobConfig.DESCRIPTOR) if len({texts.get(name) for texts in shown}) > 1
    ]


def setting_texts(config: JobConfig) -> Mapping[str, str]:
    """All fields of a config that are set, as texts by path; several values are separated by commas."""
    return {
        name: ",".join(texts)
        for name, parameter in parameters_of(JobConfig.DESCRIPTOR).items()
        if (texts := parameter.texts(config))
    }


def compared(
    job: Job, differing: Sequence[str], best: Epoch | None, result: TrainingComplete | None
) -> ComparedJob:
    """A job's line: of one that is completed what `result` tells, else its best epoch so far."""
    texts = setting_texts(job.config)
    line = ComparedJob(
        job_id=job.id,
        name=job.name,
        status=job.status,
        settings={name: texts[name] for name in differing if name in texts},
        current_epoch=job.current_epoch,
        model_id=job.model_id,
    )
    if result is not None:
        line.best_epoch = result.best_epoch
        line.metrics.update(result.metrics)
    elif best is not None:
        line.best_epoch = best.epoch
        line.metrics.update(best.metrics)
    return line


def best_of(lines: Sequence[ComparedJob]) -> str:
    """The job with the best main metric, of equal ones the first; empty when none has measured anything."""
    ranked = [
        (line.metrics[name], line.job_id) for line in lines for name in MAIN_METRICS if name in line.metrics
    ]
    return max(ranked, key=lambda one: one[0], default=(0.0, ""))[1]
