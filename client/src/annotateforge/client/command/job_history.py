"""`annotateforge job epochs`, `events` and `evaluation`: what has happened to a job and what came out."""

from typing import Annotated

import typer
from rich.text import Text

from annotateforge.api.trainer.v1 import event_pb2, job_pb2
from annotateforge.client.command.arguments import JobArgument
from annotateforge.client.command.jobs import app
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_table
from annotateforge.client.command.texts import ago, best_first, metrics_text, status_name
from annotateforge.client.messages import to_dict


def register(root: typer.Typer) -> None:
    """Add the commands to those of jobs, which are registered by themselves."""
    del root
    app.command("epochs")(list_epochs)
    app.command("events")(list_events)
    app.command("evaluation")(evaluation)


@with_table
def list_epochs(session: Session, job: JobArgument) -> None:
    """List the complete epochs of a job with their losses and metrics."""
    epochs = list(session.client.epochs(session.client.find_job(job).id))
    names = best_first(dict.fromkeys(name for epoch in epochs for name in epoch.metrics))

    def row(epoch: job_pb2.Epoch) -> list[Cell]:
        return [
            str(epoch.epoch),
            str(epoch.attempt),
            f"{epoch.train_loss:.3f}" if epoch.HasField("train_loss") else "-",
            f"{epoch.val_loss:.3f}" if epoch.HasField("val_loss") else "-",
            *(f"{epoch.metrics[name]:.3f}" if name in epoch.metrics else "-" for name in names),
            f"{epoch.learning_rate:.2g}",
            f"{epoch.epoch_seconds:.1f} s",
            Text("best", "green") if epoch.best else "",
        ]

    session.output.table(
        epochs,
        ["epoch", "attempt", "train", "val", *names, "rate", "took", ""],
        row,
        "No epoch is complete so far.",
    )


@with_table
def list_events(
    session: Session,
    job: JobArgument,
    after: Annotated[int, typer.Option(min=0, help="Only events after this sequence.")] = 0,
) -> None:
    """List the stored events of a job. `annotateforge watch` goes on with what comes."""

    def row(event: event_pb2.JobEvent) -> list[Cell]:
        kind = event.WhichOneof("payload") or "unknown"
        return [str(event.sequence), ago(event.time), str(event.attempt or "-"), kind, _told(event)]

    session.output.table(
        session.client.events(session.client.find_job(job).id, after),
        ["sequence", "when", "attempt", "event", "what"],
        row,
        "Nothing has happened after that.",
    )


def _told(event: event_pb2.JobEvent) -> str:
    """What an event tells, in a few words."""
    match event.WhichOneof("payload"):
        case "status_change":
            return status_name(event.status_change.status)
        case "dataset_ready":
            ready = event.dataset_ready
            return f"{ready.train_images} training and {ready.val_images} validation images"
        case "epoch_start":
            return f"epoch {event.epoch_start.epoch} of {event.epoch_start.total_epochs}"
        case "epoch_complete":
            epoch = event.epoch_complete
            return f"epoch {epoch.epoch} of {epoch.total_epochs}: {metrics_text(epoch.metrics, limit=2)}"
        case "checkpoint_saved":
            return f"after epoch {event.checkpoint_saved.epoch}"
        case "warning":
            return f"{event.warning.reason} {event.warning.message}"
        case "retry":
            return f"{event.retry.reason} {event.retry.message}"
        case "training_complete":
            return f"model {event.training_complete.model_id}"
        case "training_failed":
            return f"{event.training_failed.reason} {event.training_failed.message}"
        case _:
            return ""


@with_table
def evaluation(
    session: Session,
    job: JobArgument,
    confusion: Annotated[bool, typer.Option("--confusion", help="Show what was taken for what.")] = False,
) -> None:
    """Show what the evaluation of a completed job's model found, class by class."""
    found = session.client.evaluation(session.client.find_job(job).id)
    output = session.output
    if output.as_json:
        output.json(to_dict(found))
        return
    output.say(f"Epoch {found.best_epoch} of {found.epochs_trained}: {metrics_text(found.metrics)}")
    if confusion:
        matrix = found.confusion_matrix
        rows = [
            [label, *map(str, row.counts)] for label, row in zip(matrix.labels, matrix.rows, strict=False)
        ]
        output.note("Rows are what was predicted, columns what is true.", style="dim")
        output.rows(["", *matrix.labels], rows, "There is no matrix: the model has more than 100 classes.")
        return

    names = list(dict.fromkeys(name for one in found.class_metrics for name in one.metrics))

    def row(one: job_pb2.ClassMetrics) -> list[Cell]:
        metrics = [f"{one.metrics[name]:.3f}" if name in one.metrics else "-" for name in names]
        return [one.class_label, str(one.images), str(one.instances), *metrics]

    columns = ["class", "images", "instances", *names]
    output.rows(columns, [row(one) for one in found.class_metrics], "There are no classes.")
