"""Jobs side by side: the settings in which they differ, and the best that each has reached. Pure."""

from collections.abc import Sequence

from annotateforge.api.trainer.v1.event_pb2 import TrainingComplete
from annotateforge.api.trainer.v1.job_pb2 import Epoch, Job
from annotateforge.api.trainer.v1.sweep_pb2 import ComparedJob
from annotateforge.runtime.differences import field_texts


def compared(
    job: Job, differing: Sequence[str], best: Epoch | None, result: TrainingComplete | None
) -> ComparedJob:
    """A job's line: of one that is completed what `result` tells, else its best epoch so far."""
    texts = field_texts(job.config)
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
