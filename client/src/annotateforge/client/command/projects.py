"""`annotateforge project`: projects of images."""

from typing import Annotated

import typer

from annotateforge.api.dataset.v1 import project_pb2
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_session
from annotateforge.client.command.texts import ago, size

app = typer.Typer(help="Projects of images and their annotations.", no_args_is_help=True)

ProjectArgument = Annotated[
    str, typer.Argument(metavar="PROJECT", help="Its name or id.", show_default=False)
]


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.add_typer(app, name="project")


@app.command("create")
@with_session
def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="Name, unique in the installation.", show_default=False)],
    description: Annotated[str, typer.Option(help="Free text.")] = "",
) -> None:
    """Make an empty project."""
    project = session.client.create_project(name, description)
    session.output.message(project, f"Project {project.name} is made. Its id is {project.id}.")


@app.command("list")
@with_session
def list_projects(session: Session) -> None:
    """List projects, the newest first."""

    def row(project: project_pb2.Project) -> list[Cell]:
        return [
            project.id,
            project.name,
            str(project.image_count),
            str(project.annotation_count),
            ago(project.create_time),
        ]

    session.output.table(
        session.client.projects(),
        ["id", "name", "images", "annotations", "made"],
        row,
        "There are no projects yet. Make one with `annotateforge project create NAME`.",
    )


@app.command("show")
@with_session
def show(session: Session, project: ProjectArgument) -> None:
    """Show what a project holds, class by class."""
    found = session.client.find_project(project)
    stats = session.client.project_stats(found.id)
    if session.output.as_json:
        session.output.message(stats, "")
        return
    session.output.facts(
        {
            "id": found.id,
            "name": found.name,
            "description": found.description or "-",
            "images": f"{stats.image_count}, {size(stats.size_bytes)}",
            "annotated": str(stats.annotated_image_count),
            "with image class": str(stats.classified_image_count),
            "annotations": str(stats.annotation_count),
        }
    )

    def row(entry: project_pb2.ClassStats) -> list[Cell]:
        counts = (entry.circle_count, entry.box_count, entry.rectangle_count, entry.polygon_count)
        return [entry.class_label or "(no class)", *map(str, counts), str(entry.classified_image_count)]

    session.output.table(
        stats.classes,
        ["class", "circles", "boxes", "rectangles", "polygons", "images of the class"],
        row,
        "No image is labelled yet.",
    )


@app.command("delete")
@with_session
def delete(
    session: Session,
    project: ProjectArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a project with its images and annotations. Frozen data sets keep what they need."""
    found = session.client.find_project(project)
    if not yes:
        session.output.confirm(f"Delete {found.name} with {found.image_count} images?")
    session.client.delete_project(found.id)
    session.output.message(found, f"Project {found.name} is deleted.")
