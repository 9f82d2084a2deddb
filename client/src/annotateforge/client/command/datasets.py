"""`annotateforge dataset`: frozen data sets."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from annotateforge.api.dataset.v1 import dataset_pb2, problem_pb2
from annotateforge.client.command.arguments import DatasetArgument, LimitOption, TaskFilter, YesOption
from annotateforge.client.command.health import balance, list_findings, list_skipped, sides
from annotateforge.client.command.nouns import ListsByDefault
from annotateforge.client.command.option_groups import with_options
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_session, with_table
from annotateforge.client.command.spec_options import SpecOptions
from annotateforge.client.command.texts import ago, size, task_name
from annotateforge.client.command.transfers import save, target
from annotateforge.client.errors import ClientError

app = typer.Typer(cls=ListsByDefault, help="Frozen data sets; without a further word, list them.")


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.add_typer(app, name="dataset")


@app.command("check")
@with_table
@with_options(SpecOptions)
def check(session: Session, chosen: SpecOptions) -> None:
    """Say what a data set would hold and what may hurt; nothing is written. Exits with 1 if it cannot be
    trained.
    """
    spec = _spec(session, chosen)
    report = session.client.check_dataset(spec)
    if session.output.as_json:
        session.output.message(report, "")
    else:
        session.output.say(f"{report.total_images:,} images: {sides(report)}.")
        _show_classes(session, report.classes)
        list_findings(session.output.say, report.findings)
        list_skipped(session.output.say, report.skipped)
    if not report.trainable:
        raise ClientError("This cannot be trained until the errors above are mended.")
    session.output.note("It can be trained.", style="green")


@app.command("prepare")
@with_session
@with_options(SpecOptions)
def prepare(session: Session, chosen: SpecOptions) -> None:
    """Freeze a data set; the one that is there when nothing has changed since."""
    spec = _spec(session, chosen)
    found = session.client.prepare_dataset(spec)
    list_findings(session.output.note, found.findings)
    session.output.message(
        found,
        f"Data set {found.id} is frozen: {sides(found)}. Train on it with "
        f"`annotateforge train --dataset {found.id} --task {chosen.task}`.",
    )


@app.command("list")
@with_table
def list_datasets(session: Session, task: TaskFilter = "", limit: LimitOption = 0) -> None:
    """List data sets, the newest first."""

    def row(one: dataset_pb2.Dataset) -> list[Cell]:
        return [
            one.id,
            task_name(one.task_type),
            f"{one.train_images:,}",
            f"{one.val_images:,}",
            f"{one.test_images:,}" if one.test_images else "",
            size(one.archive_size_bytes),
            ago(one.create_time),
            ", ".join(one.classes),
        ]

    session.output.table(
        islice(session.client.datasets(task), limit or None),
        ["id", "task", "train", "val", "test", "size", "made", "classes"],
        row,
        "There are no such data sets. A training freezes one, and so does `annotateforge dataset prepare`.",
    )


@app.command("show")
@with_table
def show(session: Session, dataset: DatasetArgument) -> None:
    """Show what a data set holds, class by class, and what was found when it was frozen."""
    found = session.client.find_dataset(dataset)
    if session.output.as_json:
        session.output.message(found, "")
        return
    split = found.spec.split
    session.output.facts(
        {
            "id": found.id,
            "digest": found.digest,
            "task": task_name(found.task_type),
            "images": sides(found),
            "instances": balance(found.class_balance),
            "split": f"seed {split.seed}, {split.train_ratio:g} for training",
            "projects": ", ".join(found.spec.project_ids),
            "archive": size(found.archive_size_bytes),
            "frozen": ago(found.create_time),
        }
    )
    _show_classes(session, found.class_balance)
    list_findings(session.output.say, found.findings)
    list_skipped(session.output.say, found.skipped)


def _show_classes(session: Session, classes: Sequence[problem_pb2.ClassBalance]) -> None:
    tested = any(one.test_images for one in classes)

    def row(one: problem_pb2.ClassBalance) -> list[Cell]:
        counts = [one.train_images, one.train_instances, one.val_images, one.val_instances]
        shown = [f"{count:,}" for count in counts]
        return [one.class_label, *shown, f"{one.test_images:,}" if tested else ""]

    columns = ["class", "train images", "instances", "val images", "instances", "test images"]
    session.output.rows(columns, [row(one) for one in classes], "There are no classes.")


@app.command("download")
@with_session
def download(
    session: Session,
    dataset: DatasetArgument,
    to: Annotated[
        Path | None,
        typer.Option(help="File or folder to write to, - for standard output; by default here."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Download the YOLO archive of a data set, a zip with images, labels and data.yaml."""
    client, found = session.client, session.client.find_dataset(dataset)
    path = target(to, f"dataset-{found.digest[:12]}.zip")
    total = found.archive_size_bytes
    save(session.output, path, lambda file: client.download_archive(found.id, file), total, force)


@app.command("delete")
@with_session
def delete(session: Session, dataset: DatasetArgument, yes: YesOption = False) -> None:
    """Delete a data set. Models made from it stay; one that a job still needs is refused."""
    found = session.client.find_dataset(dataset)
    if not yes:
        session.output.confirm(f"Delete the data set {found.id} with {found.total_images} images?")
    session.client.delete_dataset(found.id)
    session.output.message(found, f"Data set {found.id} is deleted.")


def _spec(session: Session, chosen: SpecOptions) -> dataset_pb2.DatasetSpec:
    if not chosen.project:
        raise typer.BadParameter("Name the project with --project, several of them if you like.")
    return chosen.spec(session.client)[0]
