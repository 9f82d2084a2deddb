"""`annotateforge import`: an archive or a folder of images and labels into a project."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from annotateforge.api.dataset.v1 import problem_pb2
from annotateforge.client.archives import archive_of
from annotateforge.client.command.session import Output, Session, with_session
from annotateforge.client.command.texts import styled_severity

_SHOWN_PROBLEMS = 20


def register(root: typer.Typer) -> None:
    """Add the command to the program."""
    root.command("import")(import_archive)


@with_session
def import_archive(
    session: Session,
    project: Annotated[str, typer.Argument(help="Name or id of the project.", show_default=False)],
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
        str, typer.Option(help="auto, yolo, coco, voc, folders, or images for no labels.")
    ] = "auto",
    create: Annotated[bool, typer.Option("--create", help="Make the project where it is missing.")] = False,
) -> None:
    """Import images and labels; the label format is found by itself.

    The import lands whole or not at all; problems of single files are listed and the rest goes in.
    """
    client = session.client
    found = client.find_or_create_project(project) if create else client.find_project(project)
    with (
        archive_of(source) as archive,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=session.output.notes,
            transient=True,
        ) as progress,
    ):
        bar = progress.add_task("Sending", total=archive.size)

        def sent(count: int) -> None:
            progress.advance(bar, count)
            if progress.tasks[0].finished:
                progress.update(bar, description="Reading")

        report = client.import_archive(found.id, archive.chunks(), format=format, sent=sent)
    if session.output.as_json:
        session.output.message(report, "")
    else:
        _show(session.output, found.name, report)


def _show(output: Output, project: str, report: problem_pb2.ImportReport) -> None:
    output.out.print(
        f"{project}: {report.images_added} images and {report.annotations_added} annotations added"
        f" ({report.format})"
        + (f", {report.images_skipped} images skipped." if report.images_skipped else ".")
    )
    if report.classes:
        output.out.print(f"Classes: {', '.join(report.classes)}", markup=False)
    for problem in report.problems[:_SHOWN_PROBLEMS]:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        output.notes.print(f"  {styled_severity(problem.severity)} {place}", soft_wrap=True)
        output.notes.print(f"    {problem.message} {problem.hint}", soft_wrap=True, markup=False)
    more = len(report.problems) + report.problems_omitted - _SHOWN_PROBLEMS
    if more > 0:
        output.notes.print(f"  … and {more} more; --json lists them.")
