"""`annotateforge export`: a project with its labels, for other tools."""

from pathlib import Path
from typing import Annotated

import typer

from annotateforge.client.command.arguments import ProjectArgument
from annotateforge.client.command.session import Session, with_session
from annotateforge.client.command.transfers import save, target

_UNSAFE = "".join(chr(code) for code in range(32)) + '/\\:*?"<>|'


def register(root: typer.Typer) -> None:
    """Add the command to the program."""
    root.command("export")(export)


@with_session
def export(
    session: Session,
    project: ProjectArgument,
    to: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="File or folder to write to, - for standard output; by default PROJECT-FORMAT.zip, here.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[str, typer.Option(help="yolo, coco or voc.")] = "yolo",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a project as a zip of its images and labels, which other tools and an import read."""
    client, found = session.client, session.client.find_project(project)
    name = "".join("_" if letter in _UNSAFE else letter for letter in found.name)
    path = target(to, f"{name}-{format}.zip")
    save(session.output, path, lambda file: client.export_project(found.id, file, format), None, force)
