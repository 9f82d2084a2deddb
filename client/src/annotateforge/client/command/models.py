"""`annotateforge model`, `activate` and `deactivate`: trained models."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from annotateforge.api.registry.v1 import model_pb2
from annotateforge.client.command.arguments import (
    DescriptionArgument,
    LimitOption,
    ModelArgument,
    NewNameArgument,
    TaskFilter,
    YesOption,
)
from annotateforge.client.command.nouns import ListsByDefault
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_session, with_table
from annotateforge.client.command.texts import ago, metrics_text, size, task_name
from annotateforge.client.command.transfers import save, target
from annotateforge.client.messages import to_dict
from annotateforge.client.references import not_found

app = typer.Typer(cls=ListsByDefault, help="Trained models; without a further word, list them.")

_ACTIVE = Text("active", "green")


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.add_typer(app, name="model")
    for name, command in (("activate", activate), ("deactivate", deactivate)):
        root.command(name)(command)
        app.command(name)(command)


@app.command("list")
@with_table
def list_models(
    session: Session,
    task: TaskFilter = "",
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Only these.", show_default=False)
    ] = None,
    name: Annotated[str, typer.Option(help="Only those whose name contains this.")] = "",
    limit: LimitOption = 0,
) -> None:
    """List models, the newest first."""

    def row(model: model_pb2.Model) -> list[Cell]:
        return [
            model.id,
            model.name,
            task_name(model.task_type),
            _ACTIVE if model.is_active else "",
            model.architecture,
            metrics_text(model.metrics, limit=4),
            ago(model.create_time),
        ]

    session.output.table(
        islice(session.client.models(task, active, name_contains=name), limit or None),
        ["id", "name", "task", "", "architecture", "metrics", "made"],
        row,
        "There are no such models. A training that completes registers one.",
    )


@app.command("show")
@with_session
def show(session: Session, model: ModelArgument) -> None:
    """Show a model: its metrics, where it came from, its files."""
    found = session.client.find_model(model)
    files = session.client.artifacts(found.id)
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
            "made": ago(found.create_time),
        }
    )


@app.command("artifacts")
@with_table
def list_artifacts(session: Session, model: ModelArgument) -> None:
    """List the files of a model."""

    def row(file: model_pb2.Artifact) -> list[Cell]:
        return [file.name, size(file.size_bytes), file.content_type, file.sha256]

    session.output.table(
        session.client.artifacts(session.client.find_model(model).id),
        ["name", "size", "type", "sha256"],
        row,
        "The model has no files.",
    )


@app.command("activations")
@with_table
def list_activations(session: Session, task: TaskFilter = "", limit: LimitOption = 0) -> None:
    """List which models were active when, the newest first."""

    def row(one: model_pb2.Activation) -> list[Cell]:
        until = ago(one.deactivate_time) if one.HasField("deactivate_time") else _ACTIVE
        return [one.model_id, task_name(one.task_type), ago(one.activate_time), until, one.activated_by]

    session.output.table(
        islice(session.client.activations(task), limit or None),
        ["id", "task", "since", "until", "by"],
        row,
        "No model was ever active. `annotateforge activate MODEL` makes one so.",
    )


@app.command("rename")
@with_session
def rename(session: Session, model: ModelArgument, name: NewNameArgument) -> None:
    """Give a model another name."""
    found = session.client.update_model(session.client.find_model(model).id, name=name)
    session.output.message(found, f"Model {found.id} is named {found.name} now.")


@app.command("describe")
@with_session
def describe(session: Session, model: ModelArgument, description: DescriptionArgument) -> None:
    """Give a model another description."""
    found = session.client.update_model(session.client.find_model(model).id, description=description)
    session.output.message(found, f"Model {found.id} is described anew.")


@app.command("download")
@with_session
def download(
    session: Session,
    model: ModelArgument,
    artifact: Annotated[str, typer.Argument(help="Which file; `model artifacts` lists them.")] = "best.pt",
    to: Annotated[
        Path | None,
        typer.Option(help="File or folder to write to, - for standard output; by default its name, here."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Download the weights or another file of a model."""
    client, found = session.client, session.client.find_model(model)
    sizes = {file.name: file.size_bytes for file in client.artifacts(found.id)}
    if artifact not in sizes:
        raise not_found(
            "artifact",
            artifact,
            f"of {found.name}; `annotateforge model artifacts` lists those that there are",
        )
    path = target(to, artifact)
    save(
        session.output,
        path,
        lambda file: client.fetch_artifact(found.id, artifact, file),
        sizes[artifact],
        force,
    )


@app.command("delete")
@with_session
def delete(session: Session, model: ModelArgument, yes: YesOption = False) -> None:
    """Delete a model with its files. An active one must be deactivated first."""
    found = session.client.find_model(model)
    if not yes:
        session.output.confirm(f"Delete the model {found.name} ({found.id})?")
    session.client.delete_model(found.id)
    session.output.message(found, f"Model {found.name} is deleted.")


@with_session
def activate(session: Session, model: ModelArgument) -> None:
    """Make a model the active one of its task, which predictions use."""
    found = session.client.find_model(model)
    task = task_name(found.task_type)
    before = next(session.client.models(task, is_active=True), None)
    found = session.client.activate_model(found.id)
    replaced = f", in place of {before.name}" if before is not None and before.id != found.id else ""
    session.output.message(found, f"{found.name} is the active model for {task} now{replaced}.")


@with_session
def deactivate(session: Session, model: ModelArgument) -> None:
    """Leave a model's task without an active model."""
    found = session.client.deactivate_model(session.client.find_model(model).id)
    session.output.message(found, f"{found.name} is not active any more.")
