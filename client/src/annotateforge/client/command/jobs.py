"""`annotateforge jobs`: training jobs."""

from typing import Annotated

import typer
from rich.text import Text

from annotateforge.api.trainer.v1 import job_pb2, sweep_pb2
from annotateforge.client.command.listing import ListsByDefault
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_session
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

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Its id.", show_default=False)]

ENDED = (job_pb2.JOB_STATUS_COMPLETED, job_pb2.JOB_STATUS_FAILED, job_pb2.JOB_STATUS_CANCELLED)


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.add_typer(app, name="jobs")


@app.command("list")
@with_session
def list_jobs(
    session: Session,
    status: Annotated[str, typer.Option(help="Only those that are pending, training, completed, …")] = "",
    task: Annotated[str, typer.Option(help="Only those for classify, detect or segment.")] = "",
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
    if session.output.as_json:
        session.output.message(found, "")
        return
    facts: dict[str, Cell] = {
        "id": found.id,
        "name": found.name,
        "task": task_name(found.task_type),
        "status": styled_status(found.status),
        "epochs": f"{found.current_epoch} of {found.total_epochs}",
        "model": found.config.model,
        "data set": f"{found.dataset.train_images} training and {found.dataset.val_images} validation images",
        "classes": ", ".join(found.dataset.classes),
        "metrics": metrics_text(found.latest_metrics) or "-",
        "worker": found.worker_name or "-",
        "made": ago(found.create_time),
    }
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


@app.command("evaluation")
@with_session
def evaluation(session: Session, job: JobArgument) -> None:
    """Show what the evaluation of a completed job's model found, class by class."""
    found = session.client.evaluation(job)
    if session.output.as_json:
        session.output.message(found, "")
        return
    session.output.say(f"Epoch {found.best_epoch} of {found.epochs_trained}: {metrics_text(found.metrics)}")

    def row(one: job_pb2.ClassMetrics) -> list[Cell]:
        return [one.class_label, str(one.images), str(one.instances), metrics_text(one.metrics) or "-"]

    session.output.table(
        found.class_metrics, ["class", "images", "instances", "metrics"], row, "There are no classes."
    )


@app.command("compare")
@with_session
def compare(
    session: Session,
    job: Annotated[list[str] | None, typer.Argument(metavar="[JOB]...", show_default=False)] = None,
    sweep: Annotated[str, typer.Option(help="Id of a sweep, instead of jobs.", show_default=False)] = "",
) -> None:
    """Put jobs, or those of a sweep, side by side: the settings that differ, and the best of each."""
    if bool(job) == bool(sweep):
        raise typer.BadParameter("Name jobs, or one --sweep.")
    found = session.client.compare_jobs(job or (), sweep)
    if session.output.as_json:
        session.output.message(found, "")
        return

    def row(one: sweep_pb2.ComparedJob) -> list[Cell]:
        best = Text("best", "green") if one.job_id == found.best_job_id else ""
        settings = [one.settings.get(name, "-") for name in found.settings]
        metrics = metrics_text(one.metrics, limit=2) or "-"
        return [one.job_id, styled_status(one.status), *settings, str(one.best_epoch), metrics, best]

    names = [name.removeprefix("settings.") for name in found.settings]
    columns = ["id", "status", *names, "epoch", "metrics", ""]
    session.output.table(found.jobs, columns, row, "There are no jobs.")


@app.command("cancel")
@with_session
def cancel(session: Session, job: JobArgument) -> None:
    """Cancel a job: a waiting one at once, a running one within seconds."""
    found = session.client.cancel_job(job)
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
    found = session.client.restart_job(job, name, changes if paths else None)
    session.output.message(found, f"Job {found.id} is made; watch it with `annotateforge watch {found.id}`.")


@app.command("delete")
@with_session
def delete(session: Session, job: JobArgument) -> None:
    """Delete a job that has ended, with its history; one that has not is cancelled and kept."""
    found = session.client.job(job)
    session.client.delete_job(job)
    done = "deleted" if found.status in ENDED else "being cancelled, and kept, because it had not ended"
    session.output.message(found, f"Job {found.id} is {done}.")
