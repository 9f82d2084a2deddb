"""`annotateforge import`: an archive or a folder of images and labels into a project."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text

from annotateforge.api.dataset.v1 import problem_pb2
from annotateforge.client.archives import archive_of
from annotateforge.client.command.output import Output
from annotateforge.client.command.session import Session, with_session
from annotateforge.client.command.texts import plain, styled_severity

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
        str,
        typer.Option(
            help="auto, yolo, coco, voc or another of docs/import-formats.md, or images for no labels."
        ),
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
        _list_problems(session.output, report)


def _summary(project: str, report: problem_pb2.ImportReport) -> str:
    skipped = f", {report.images_skipped} images skipped" if report.images_skipped else ""
    classes = f"\nClasses: {', '.join(report.classes)}" if report.classes else ""
    return (
        f"{project}: {report.images_added} images and {report.annotations_added} annotations added "
        f"({report.format}){skipped}.{classes}"
    )


def _list_problems(output: Output, report: problem_pb2.ImportReport) -> None:
    for problem in report.problems[:_SHOWN_PROBLEMS]:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        output.note(Text.assemble("  ", styled_severity(problem.severity), " ", plain(place)))
        output.note(f"    {problem.message} {problem.hint}")
    more = len(report.problems) + report.problems_omitted - _SHOWN_PROBLEMS
    if more > 0:
        output.note(f"  … and {more} more; --json lists {len(report.problems)} of them.")
