"""`annotateforge job`: training jobs."""

from itertools import islice
from typing import Annotated

import typer
from rich.text import Text

from annotateforge.api.trainer.v1 import job_pb2
from annotateforge.client.command import completion
from annotateforge.client.command.arguments import (
    DescriptionArgument,
    JobArgument,
    LimitOption,
    NewNameArgument,
    TaskFilter,
)
from annotateforge.client.command.nouns import ListsByDefault
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_session, with_table
from annotateforge.client.command.setting_options import SetOption, change_config
from annotateforge.client.command.texts import (
    ago,
    duration,
    metrics_text,
    plain,
    styled_status,
    task_name,
)

app = typer.Typer(cls=ListsByDefault, help="Training jobs; without a further word, list them.")

ENDED = (job_pb2.JOB_STATUS_COMPLETED, job_pb2.JOB_STATUS_FAILED, job_pb2.JOB_STATUS_CANCELLED)


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.add_typer(app, name="job")


@app.command("list")
@with_table
def list_jobs(
    session: Session,
    status: Annotated[
        str,
        typer.Option(
            help="Only those that are pending, training, completed, …", autocompletion=completion.statuses
        ),
    ] = "",
    task: TaskFilter = "",
    limit: LimitOption = 0,
) -> None:
    """List jobs, the newest first."""

    def row(job: job_pb2.Job) -> list[Cell]:
        return [
            job.id,
            job.name,
            task_name(job.task_type),
            styled_status(job.status),
            f"{job.current_epoch}/{job.total_epochs}",
            metrics_text(job.latest_metrics, limit=2),
            ago(job.create_time),
        ]

    session.output.table(
        islice(session.client.jobs(status=status, task_type=task), limit or None),
        ["id", "name", "task", "status", "epochs", "metrics", "made"],
        row,
        "There are no such jobs. Start one with `annotateforge train --project NAME --task detect`.",
    )


@app.command("show")
@with_session
def show(session: Session, job: JobArgument) -> None:
    """Show a job: its progress, its metrics, why it failed."""
    found = session.client.find_job(job)
    if session.output.as_json:
        session.output.message(found, "")
        return
    data = found.dataset
    facts: dict[str, Cell] = {
        "id": found.id,
        "name": found.name,
        "description": found.description or "-",
        "task": task_name(found.task_type),
        "status": styled_status(found.status),
        "epochs": f"{found.current_epoch} of {found.total_epochs}",
        "model": found.config.model,
        "data set": f"{data.train_images} training and {data.val_images} validation images ({data.id})",
        "classes": ", ".join(data.classes),
        "metrics": metrics_text(found.latest_metrics) or "-",
        "priority": str(found.config.priority),
        "worker": found.worker_name or "-",
        "made": ago(found.create_time),
    }
    if found.attempt > 1:
        facts["attempt"] = str(found.attempt)
    if found.cancel_requested and found.status not in ENDED:
        facts["status"] = Text.assemble(styled_status(found.status), ", being cancelled")
    if found.HasField("queue_position"):
        facts["in the queue"] = f"{found.queue_position:,}"
    if found.HasField("eta_seconds") and found.status not in ENDED:
        facts["ready in"] = duration(found.eta_seconds)
    if found.model_id:
        facts["model id"] = found.model_id
    if found.HasField("failure"):
        facts["failed"] = Text.assemble((found.failure.reason, "red"), " ", plain(found.failure.message))
        facts["what to do"] = found.failure.hint
    session.output.facts(facts)


@app.command("cancel")
@with_session
def cancel(session: Session, job: JobArgument) -> None:
    """Cancel a job: a waiting one at once, a running one within seconds."""
    found = session.client.cancel_job(session.client.find_job(job).id)
    ended = found.status == job_pb2.JOB_STATUS_CANCELLED
    session.output.message(found, f"Job {found.id} is {'cancelled' if ended else 'being cancelled'}.")


@app.command("restart")
@with_session
def restart(
    session: Session,
    job: JobArgument,
    name: Annotated[str, typer.Option(help="Of the new job; by default the old one's.")] = "",
    setting: SetOption = None,
) -> None:
    """Make a new job with the config of another, but for what is set."""
    changes = job_pb2.JobConfig()
    paths = change_config(changes, setting or ())
    old = session.client.find_job(job)
    found = session.client.restart_job(old.id, name, changes if paths else None)
    session.output.message(found, f"Job {found.id} is made; watch it with `annotateforge watch {found.id}`.")


@app.command("rename")
@with_session
def rename(session: Session, job: JobArgument, name: NewNameArgument) -> None:
    """Give a job another name."""
    found = session.client.update_job(session.client.find_job(job).id, name=name)
    session.output.message(found, f"Job {found.id} is named {found.name} now.")


@app.command("describe")
@with_session
def describe(session: Session, job: JobArgument, description: DescriptionArgument) -> None:
    """Give a job another description."""
    found = session.client.update_job(session.client.find_job(job).id, description=description)
    session.output.message(found, f"Job {found.id} is described anew.")


# Or -5 would be taken for an option.
@app.command("priority", context_settings={"ignore_unknown_options": True})
@with_session
def prioritize(
    session: Session,
    job: JobArgument,
    priority: Annotated[
        int,
        typer.Argument(help="Higher is taken first, -100 to 100.", min=-100, max=100, show_default=False),
    ],
) -> None:
    """Change the priority of a job that waits."""
    found = session.client.update_job(session.client.find_job(job).id, priority=priority)
    place = f"; it is number {found.queue_position} in the queue" if found.HasField("queue_position") else ""
    session.output.message(found, f"Job {found.id} has the priority {found.config.priority} now{place}.")


@app.command("delete")
@with_session
def delete(session: Session, job: JobArgument) -> None:
    """Delete a job that has ended, with its history; one that has not is cancelled and kept."""
    found = session.client.find_job(job)
    session.client.delete_job(found.id)
    done = "deleted" if found.status in ENDED else "being cancelled, and kept, because it had not ended"
    session.output.message(found, f"Job {found.id} is {done}.")
