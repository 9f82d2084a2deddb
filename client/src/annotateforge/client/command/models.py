"""`annotateforge models`, `activate` and `deactivate`: trained models."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.text import Text

from annotateforge.api.registry.v1 import model_pb2
from annotateforge.client.command.listing import ListsByDefault
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_session
from annotateforge.client.command.texts import ago, metrics_text, size, task_name
from annotateforge.client.messages import to_dict

app = typer.Typer(cls=ListsByDefault, help="Trained models; without a further word, list them.")

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="Its id.", show_default=False)]


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.add_typer(app, name="models")
    root.command("activate")(activate)
    root.command("deactivate")(deactivate)


@app.command("list")
@with_session
def list_models(
    session: Session,
    task: Annotated[str, typer.Option(help="Only those for classify, detect or segment.")] = "",
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="Only these.")] = None,
) -> None:
    """List models, the newest first."""

    def row(model: model_pb2.Model) -> list[Cell]:
        return [
            model.id,
            model.name,
            task_name(model.task_type),
            Text("active", "green") if model.is_active else "",
            model.architecture,
            metrics_text(model.metrics, limit=4),
            ago(model.create_time),
        ]

    session.output.table(
        session.client.models(task_type=task, is_active=active),
        ["id", "name", "task", "", "architecture", "metrics", "made"],
        row,
        "There are no such models. A training that completes registers one.",
    )


@app.command("show")
@with_session
def show(session: Session, model: ModelArgument) -> None:
    """Show a model: its metrics, where it came from, its files."""
    found = session.client.model(model)
    files = session.client.artifacts(model)
    if session.output.as_json:
        session.output.json({**to_dict(found), "artifacts": [to_dict(file) for file in files]})
        return
    session.output.facts(
        {
            "id": found.id,
            "name": found.name,
            "description": found.description or "-",
            "task": task_name(found.task_type),
            "active": "yes" if found.is_active else "no",
            "architecture": f"{found.architecture}, trained at {found.image_size} pixels",
            "classes": ", ".join(found.classes),
            "metrics": metrics_text(found.metrics),
            "best epoch": f"{found.best_epoch} of {found.epochs_trained}",
            "job": found.job_id,
            "data set": found.dataset_id,
            "weights": size(found.weights_size_bytes),
            "files": ", ".join(file.name for file in files),
        }
    )


@app.command("rename")
@with_session
def rename(
    session: Session,
    model: ModelArgument,
    name: Annotated[str, typer.Argument(help="The new name.", show_default=False)],
) -> None:
    """Give a model another name."""
    found = session.client.update_model(model, name=name)
    session.output.message(found, f"Model {found.id} is named {found.name} now.")


@app.command("download")
@with_session
def download(
    session: Session,
    model: ModelArgument,
    artifact: Annotated[str, typer.Argument(help="Which file; `models show` lists them.")] = "best.pt",
    to: Annotated[
        Path | None, typer.Option(help="File or folder to write it to; by default its name, here.")
    ] = None,
) -> None:
    """Download the weights or another file of a model."""
    path = to or Path()
    if path.is_dir():
        path /= Path(artifact).name
    sizes = {file.name: file.size_bytes for file in session.client.artifacts(model)}
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        console=session.output.notes,
        transient=True,
    ) as progress:
        bar = progress.add_task(artifact, total=sizes.get(artifact))
        written = session.client.download_artifact(
            model, artifact, path, received=lambda count: progress.advance(bar, count)
        )
    if session.output.as_json:
        session.output.json({"path": str(path), "size_bytes": written})
    else:
        session.output.say(f"{path}: {size(written)}")


@app.command("delete")
@with_session
def delete(
    session: Session,
    model: ModelArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a model with its files. An active one must be deactivated first."""
    found = session.client.model(model)
    if not yes:
        session.output.confirm(f"Delete the model {found.name}?")
    session.client.delete_model(model)
    session.output.message(found, f"Model {found.name} is deleted.")


@with_session
def activate(session: Session, model: ModelArgument) -> None:
    """Make a model the active one of its task."""
    found = session.client.activate_model(model)
    session.output.message(found, f"{found.name} is the active model for {task_name(found.task_type)} now.")


@with_session
def deactivate(session: Session, model: ModelArgument) -> None:
    """Leave a model's task without an active model."""
    found = session.client.deactivate_model(model)
    session.output.message(found, f"{found.name} is not active any more.")
