"""Watching a job from the command line: before it, while it runs, and what comes after."""

from collections.abc import Iterator
from typing import Annotated

import typer

from annotateforge.api.dataset.v1 import dataset_pb2, problem_pb2
from annotateforge.api.trainer.v1 import job_pb2
from annotateforge.client.command.health import balance, list_findings, list_skipped, sides
from annotateforge.client.command.live import ended_well, outcome, show_job
from annotateforge.client.command.session import Session
from annotateforge.client.command.texts import metrics_text, status_name, task_name
from annotateforge.client.errors import ClientError, ServerRefused
from annotateforge.client.references import short_id

_INTERRUPTED = 130


DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would be trained, and what may hurt.")
]


def told(
    session: Session,
    config: job_pb2.JobConfig,
    spec: dataset_pb2.DatasetSpec | None,
    *,
    dry_run: bool,
) -> bool:
    """Say what will be trained where that is wanted; False when that is all that is wanted."""
    if not session.output.as_json or dry_run:
        preview(session, config, spec)
    if dry_run:
        session.output.note("Nothing was made.", style="dim")
    return not dry_run


def preview(session: Session, config: job_pb2.JobConfig, spec: dataset_pb2.DatasetSpec | None) -> None:
    """Say what will be trained on what, and what may hurt, before it is ordered.

    spec: of a data set that is not frozen yet. ServerRefused DATASET_INVALID, with what is wrong, when it
    cannot be trained.
    """
    client, note = session.client, session.output.note
    report: problem_pb2.HealthReport | dataset_pb2.Dataset
    try:
        report = client.check_dataset(spec) if spec is not None else client.dataset(config.dataset_id)
    except ServerRefused as error:
        if error.status == "INVALID_ARGUMENT":
            # The order will be refused too, with all that is wrong with it.
            return
        raise
    balances = report.class_balance if isinstance(report, dataset_pb2.Dataset) else report.classes
    note(f"Data set  {sides(report)}")
    note(f"Classes   {balance(balances)}")
    note(f"Training  {', '.join(_order(config))}")
    list_findings(note, report.findings)
    list_skipped(note, report.skipped)
    if not isinstance(report, dataset_pb2.Dataset) and not report.trainable:
        raise ServerRefused(
            400,
            "FAILED_PRECONDITION",
            "DATASET_INVALID",
            "The data cannot be trained until the errors above are mended; no job was made.",
        )


def _order(config: job_pb2.JobConfig) -> Iterator[str]:
    yield config.model or "from a base model"
    yield f"{config.epochs} epochs" if config.HasField("epochs") else "100 epochs"
    if config.HasField("image_size"):
        yield f"images of {config.image_size} pixels"
    if config.HasField("batch_size"):
        yield f"batches of {config.batch_size}"


def watch_job(session: Session, job_id: str, after: int = 0) -> None:
    """Show a job until it has ended, and say what can be done then.

    typer.Exit 130 when it is interrupted, which leaves the job running; ClientError when it ends without a
    model.
    """
    output = session.output
    output.note(f"Watching job {job_id}. Ctrl-C leaves it running.", style="dim")
    try:
        status = show_job(session, job_id, after)
    except KeyboardInterrupt:
        output.note(
            f"The job goes on. See it again with `annotateforge watch {short_id(job_id)}`, or end it with "
            f"`annotateforge job cancel {short_id(job_id)}`."
        )
        raise typer.Exit(_INTERRUPTED) from None
    if not ended_well(status):
        raise ClientError(f"{outcome(status)} {_advice(status, short_id(job_id))}")
    if not output.as_json:
        _sum_up(session, session.client.job(job_id))


def _advice(status: job_pb2.JobStatus.ValueType, job: str) -> str:
    look = "" if status_name(status) == "cancelled" else f"`annotateforge job logs {job}` shows its output; "
    return f"{look}`annotateforge job restart {job}` trains it once more."


def _sum_up(session: Session, job: job_pb2.Job) -> None:
    if not job.model_id:
        return
    model = session.client.model(job.model_id)
    task = task_name(job.task_type)
    known = short_id(model.id)
    session.output.note(f"Model     {model.name} ({model.id})")
    session.output.note(f"Metrics   {metrics_text(model.metrics)}, from epoch {model.best_epoch}")
    session.output.note(f"By class  annotateforge job evaluation {short_id(job.id)}")
    again = "" if task == "detect" else f" --task {task}"
    session.output.note(f"Use it    annotateforge activate {known} && annotateforge predict IMAGE{again}")
