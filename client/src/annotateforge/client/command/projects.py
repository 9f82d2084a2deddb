"""`annotateforge project`: projects of images."""

from collections.abc import Mapping
from itertools import islice
from typing import Annotated

import typer

from annotateforge.api.dataset.v1 import project_pb2
from annotateforge.client.command.arguments import (
    DescriptionArgument,
    LimitOption,
    NewNameArgument,
    ProjectArgument,
    YesOption,
)
from annotateforge.client.command.nouns import ListsByDefault
from annotateforge.client.command.output import Cell, Output
from annotateforge.client.command.project_sizes import area_rows, size_facts
from annotateforge.client.command.session import Session, with_session, with_table
from annotateforge.client.command.texts import ago, size
from annotateforge.client.messages import to_dict

app = typer.Typer(
    cls=ListsByDefault, help="Projects of images and their annotations; without a further word, list them."
)


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
@with_table
def list_projects(session: Session, limit: LimitOption = 0) -> None:
    """List projects, the newest first."""

    def row(project: project_pb2.Project) -> list[Cell]:
        return [
            project.id,
            project.name,
            f"{project.image_count:,}",
            f"{project.annotation_count:,}",
            ago(project.create_time),
            project.description,
        ]

    session.output.table(
        islice(session.client.projects(), limit or None),
        ["id", "name", "images", "annotations", "made", "description"],
        row,
        "There are no projects yet. Make one with `annotateforge project create NAME`.",
    )


@app.command("show")
@with_table
def show(session: Session, project: ProjectArgument) -> None:
    """Show a project and what it holds, class by class."""
    found = session.client.find_project(project)
    stats = session.client.project_stats(found.id)
    if session.output.as_json:
        session.output.json({**to_dict(found), **to_dict(stats)})
        return
    facts: dict[str, Cell] = {
        "id": found.id,
        "name": found.name,
        "description": found.description or "-",
        "made": ago(found.create_time),
        "changed": ago(found.update_time),
    }
    _show_stats(session.output, stats, facts)


@app.command("stats")
@with_table
def show_stats(session: Session, project: ProjectArgument) -> None:
    """Count what a project holds, class by class."""
    stats = session.client.project_stats(session.client.find_project(project).id)
    if session.output.as_json:
        session.output.message(stats, "")
    else:
        _show_stats(session.output, stats, {})


def _show_stats(output: Output, stats: project_pb2.ProjectStats, facts: Mapping[str, Cell]) -> None:
    output.facts(
        {
            **facts,
            "images": f"{stats.image_count:,}, {size(stats.size_bytes)}",
            "annotated": f"{stats.annotated_image_count:,}",
            "with image class": f"{stats.classified_image_count:,}",
            "reviewed": f"{stats.reviewed_image_count:,}",
            "annotations": f"{stats.annotation_count:,}",
            **size_facts(stats),
        }
    )

    def row(entry: project_pb2.ClassStats) -> list[Cell]:
        counts = (
            entry.circle_count,
            entry.box_count,
            entry.rectangle_count,
            entry.polygon_count,
            entry.classified_image_count,
        )
        shown = [f"{count:,}" if count else "" for count in counts]
        mean = f"{entry.mean_width:.0f} × {entry.mean_height:.0f}" if entry.mean_width else ""
        return [entry.class_label or "(no class)", *shown, mean]

    columns = ["class", "circles", "boxes", "rectangles", "polygons", "images of it", "mean size in pixels"]
    output.rows(columns, [row(entry) for entry in stats.classes], "No image is labelled yet.")
    if stats.box_areas:
        output.rows(["box covers", "annotations", ""], area_rows(stats.box_areas), "")


@app.command("rename")
@with_session
def rename(session: Session, project: ProjectArgument, name: NewNameArgument) -> None:
    """Give a project another name."""
    found = session.client.find_project(project)
    changed = session.client.update_project(found.id, name=name)
    session.output.message(changed, f"Project {found.name} is named {changed.name} now.")


@app.command("describe")
@with_session
def describe(session: Session, project: ProjectArgument, description: DescriptionArgument) -> None:
    """Give a project another description."""
    found = session.client.find_project(project)
    changed = session.client.update_project(found.id, description=description)
    session.output.message(changed, f"Project {found.name} is described anew.")


@app.command("delete")
@with_session
def delete(session: Session, project: ProjectArgument, yes: YesOption = False) -> None:
    """Delete a project with its images and annotations. Frozen data sets keep what they need."""
    found = session.client.find_project(project)
    if not yes:
        session.output.confirm(f"Delete {found.name} with {found.image_count} images?")
    session.client.delete_project(found.id)
    session.output.message(found, f"Project {found.name} is deleted.")
