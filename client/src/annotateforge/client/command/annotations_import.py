"""`annotateforge import`: an archive or a folder of images and labels into a project."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text

from annotateforge.api.dataset.v1 import problem_pb2
from annotateforge.client.archives import archive_of
from annotateforge.client.command.arguments import ProjectArgument
from annotateforge.client.command.output import Output
from annotateforge.client.command.session import Session, with_session
from annotateforge.client.command.texts import styled_severity

_SHOWN_OF_EACH = 5
_COUNTED = {
    "images": "classified_image_count",
    "boxes": "box_count",
    "circles": "circle_count",
    "rectangles": "rectangle_count",
    "polygons": "polygon_count",
}
"""Columns of the table of classes, and the fields that they show."""


def register(root: typer.Typer) -> None:
    """Add the command to the program."""
    root.command("import")(import_archive)


@with_session
def import_archive(
    session: Session,
    project: ProjectArgument,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="ARCHIVE_OR_FOLDER",
            exists=True,
            help="zip, tar, tar.gz, or a folder.",
            show_default=False,
        ),
    ],
    format: Annotated[
        str, typer.Option(help="auto, images for no labels, or a format of docs/import-formats.md.")
    ] = "auto",
    create: Annotated[bool, typer.Option("--create", help="Make the project where it is missing.")] = False,
) -> None:
    """Import images and labels; the label format is found by itself.

    The import lands whole or not at all; problems of single files are listed and the rest goes in.
    """
    client = session.client
    with archive_of(source) as archive:
        found = client.find_or_create_project(project) if create else client.find_project(project)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=session.output.notes,
            transient=True,
            disable=not session.output.notes.is_terminal,
        ) as progress:
            bar = progress.add_task("Sending", total=archive.size)

            def sent(count: int) -> None:
                progress.advance(bar, count)
                if progress.tasks[0].finished:
                    progress.update(bar, description="Reading")

            report = client.import_archive(found.id, archive.chunks, format=format, sent=sent)
        left_out = archive.left_out
    if left_out:
        session.output.note(f"Left out, because they are no files: {', '.join(left_out)}", style="yellow")
    session.output.message(report, _summary(found.name, report))
    if not session.output.as_json:
        _list_classes(session.output, report)
        _list_problems(session.output, report)


def _summary(project: str, report: problem_pb2.ImportReport) -> str:
    skipped = f", {report.images_skipped:,} images skipped" if report.images_skipped else ""
    classes = f"\nClasses: {', '.join(report.classes)}" if report.classes else ""
    return (
        f"{project}: {report.images_added:,} images and {report.annotations_added:,} annotations added "
        f"({report.format}){skipped}.{classes}"
    )


def _list_classes(output: Output, report: problem_pb2.ImportReport) -> None:
    """A table with a column for each kind of thing that there is."""
    columns = [
        (title, field)
        for title, field in _COUNTED.items()
        if any(getattr(each, field) for each in report.class_counts)
    ]
    output.table(
        report.class_counts,
        ["class", *(title for title, _ in columns)],
        lambda each: [
            each.class_label or "(without class)",
            *(f"{getattr(each, name):,}" for _, name in columns),
        ],
        empty="No classes: the images can be labelled now.",
    )


def _list_problems(output: Output, report: problem_pb2.ImportReport) -> None:
    """The problems: how many of each kind, and the first of them, those of each kind together."""
    by_reason = {
        each.reason: [p for p in report.problems if p.reason == each.reason] for each in report.problem_counts
    }
    for kind in report.problem_counts:
        output.note(Text.assemble(styled_severity(kind.severity), f" {kind.reason} × {kind.count:,}"))
        shown = by_reason[kind.reason][:_SHOWN_OF_EACH]
        for problem in shown:
            output.note(f"  {_place(problem)}{problem.message}")
        if shown and kind.count > len(shown):
            output.note(f"  … and {kind.count - len(shown):,} more")
        for hint in dict.fromkeys(problem.hint for problem in shown):
            output.note(f"  → {hint}", style="dim")
    if sum(each.count for each in report.problem_counts) > _SHOWN_OF_EACH * len(report.problem_counts):
        output.note(f"--json lists {len(report.problems):,} of them.", style="dim")


def _place(problem: problem_pb2.Problem) -> str:
    line = f":{problem.line}" * bool(problem.line)
    path = f" {problem.path}" * bool(problem.path)
    return f"{problem.file}{line}{path}: " if problem.file else ""
