"""Names of what is told over NATS. Whoever publishes or subscribes takes the subject from here."""

from uuid import UUID

JOBS = "annotateforge.training.jobs"
MODELS = "annotateforge.registry.models"


def job_events(job_id: UUID | str) -> str:
    """Events of one job as stored, captured by the stream TRAINING."""
    return f"{JOBS}.{job_id}.events"


def all_job_events() -> str:
    """Events of all jobs."""
    return f"{JOBS}.*.events"


def job_progress(job_id: UUID | str) -> str:
    """Progress within an epoch of one job: live only, captured by no stream."""
    return f"{JOBS}.{job_id}.progress"


def job_log(job_id: UUID | str) -> str:
    """What the training of one job prints: live only, captured by no stream."""
    return f"{JOBS}.{job_id}.log"


def job_control(job_id: UUID | str) -> str:
    """The directive of one job has changed; live only."""
    return f"{JOBS}.{job_id}.control"


def job_feed(job_id: UUID | str) -> str:
    """Everything that is told of one job: events, progress, log and control."""
    return f"{JOBS}.{job_id}.*"


def job_wake() -> str:
    """A job may have become acquirable; live only."""
    return "annotateforge.training.queue"


def model_event(model_id: UUID | str, what: str) -> str:
    """Something has happened to one model, such as `activated`; captured by the stream REGISTRY."""
    return f"{MODELS}.{model_id}.{what}"


def all_model_events() -> str:
    """Everything that happens to models."""
    return f"{MODELS}.>"
