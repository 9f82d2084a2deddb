"""`annotateforge jobs`: training jobs."""

from typing import Annotated

import typer
from rich.markup import escape

from annotateforge.api.trainer.v1 import job_pb2
from annotateforge.client.command.session import Session, with_session
from annotateforge.client.command.texts import ago, duration, metrics_text, styled_status, task_name

app = typer.Typer(help="Training jobs; without a further word, list them.", invoke_without_command=True)

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Its id.", show_default=False)]


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.add_typer(app, name="jobs")


@app.callback()
@with_session
def list_jobs(
    session: Session,
    context: typer.Context,
    status: Annotated[str, typer.Option(help="pending, preparing, training, completed, …")] = "",
    task: Annotated[str, typer.Option(help="classify, detect or segment.")] = "",
) -> None:
    """Training jobs; without a further word, list them, the newest first."""
    if context.invoked_subcommand is not None:
        return

    def row(job: job_pb2.Job) -> list[str]:
        return [
            job.id,
            escape(job.name),
            task_name(job.task_type),
            styled_status(job.status),
            f"{job.current_epoch}/{job.total_epochs}",
            metrics_text(job.latest_metrics, limit=2),
            ago(job.create_time),
        ]

    session.output.table(
        session.client.jobs(status=status, task_type=task),
        ["id", "name", "task", "status", "epochs", "metrics", "made"],
        row,
        "There are no such jobs. Start one with `annotateforge train --project NAME --task detect`.",
    )


@app.command("show")
@with_session
def show(session: Session, job: JobArgument) -> None:
    """Show a job: its progress, its metrics, why it failed."""
    found = session.client.job(job)
    facts = {
        "id": found.id,
        "name": escape(found.name),
        "task": task_name(found.task_type),
        "status": styled_status(found.status),
        "epochs": f"{found.current_epoch} of {found.total_epochs}",
        "model": found.config.model,
        "data set": f"{found.dataset.train_images} training and {found.dataset.val_images} validation images",
        "classes": escape(", ".join(found.dataset.classes)),
        "metrics": metrics_text(found.latest_metrics) or "-",
        "worker": found.worker_name or "-",
        "made": ago(found.create_time),
    }
    if found.HasField("eta_seconds"):
        facts["ready in"] = duration(found.eta_seconds)
    if found.model_id:
        facts["model id"] = found.model_id
    if found.HasField("failure"):
        facts["failed"] = f"[red]{found.failure.reason}[/red] {escape(found.failure.message)}"
        facts["what to do"] = escape(found.failure.hint)
    session.output.facts(found, facts)


@app.command("cancel")
@with_session
def cancel(session: Session, job: JobArgument) -> None:
    """Cancel a job: a waiting one at once, a running one within seconds."""
    found = session.client.cancel_job(job)
    session.output.message(found, f"Job {found.id} is {'being ' if found.cancel_requested else ''}cancelled.")


@app.command("restart")
@with_session
def restart(session: Session, job: JobArgument) -> None:
    """Make a new job with the config of another."""
    found = session.client.restart_job(job)
    session.output.message(found, f"Job {found.id} is made; watch it with `annotateforge watch {found.id}`.")


@app.command("delete")
@with_session
def delete(session: Session, job: JobArgument) -> None:
    """Delete a job that has ended, with its history; one that has not is cancelled and kept."""
    found = session.client.job(job)
    session.client.delete_job(job)
    session.output.message(found, f"Job {found.id} is deleted or, if it had not ended, cancelled.")
