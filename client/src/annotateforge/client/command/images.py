"""`annotateforge image`: images of a project."""

import mimetypes
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from annotateforge.api.dataset.v1 import dataset_service_pb2, image_pb2
from annotateforge.client.command import completion
from annotateforge.client.command.arguments import (
    ImageArgument,
    LimitOption,
    ProjectArgument,
    YesOption,
)
from annotateforge.client.command.nouns import ListsWithArguments
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_session, with_table
from annotateforge.client.command.texts import ago, plain, size, styled_severity
from annotateforge.client.command.transfers import save, target
from annotateforge.client.errors import ClientError, WrongArgument
from annotateforge.client.messages import to_dict
from annotateforge.runtime.rest.names import choices

app = typer.Typer(cls=ListsWithArguments, help="Images of a project; `images PROJECT` lists them.")

# Below the table of options, whose columns are too narrow for these names.
_PROBLEMS = f"Problems: {', '.join(choices(image_pb2.ImageProblem.DESCRIPTOR))}."


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.add_typer(app, name="image")


@app.command("list", epilog=_PROBLEMS)
@with_table
def list_images(
    session: Session,
    project: ProjectArgument,
    class_label: Annotated[str, typer.Option("--class", help="Only those that show this class.")] = "",
    name: Annotated[str, typer.Option(help="Only those whose file name contains this.")] = "",
    annotation_type: Annotated[
        str,
        typer.Option(help="Only those with such an annotation: box, …", autocompletion=completion.shapes),
    ] = "",
    annotated: Annotated[
        bool | None, typer.Option("--annotated/--not-annotated", help="Only these.", show_default=False)
    ] = None,
    labelled: Annotated[
        bool | None,
        typer.Option("--labelled/--unlabelled", help="Only these; a class counts.", show_default=False),
    ] = None,
    reviewed: Annotated[
        bool | None, typer.Option("--reviewed/--not-reviewed", help="Only these.", show_default=False)
    ] = None,
    problem: Annotated[
        str,
        typer.Option(
            help="Only those with it: copy, corrupt, …; see below.", autocompletion=completion.problems
        ),
    ] = "",
    dataset: Annotated[
        str, typer.Option(help="Only those of this data set.", autocompletion=completion.datasets)
    ] = "",
    side: Annotated[str, typer.Option(help="Only those on this side of --dataset: train, val, test.")] = "",
    limit: LimitOption = 0,
) -> None:
    """List the images of a project by file name."""
    if side and not dataset:
        raise WrongArgument("--side is a side of a data set's split; name the data set with --dataset.")

    def row(image: image_pb2.Image) -> list[Cell]:
        return [
            image.filename,
            f"{image.width} × {image.height}",
            size(image.size_bytes),
            f"{image.annotation_count:,}",
            image.image_class,
            image.group,
            "reviewed" if image.reviewed else "",
            image.id if session.output.wide else "",
        ]

    images = session.client.images(
        session.client.find_project(project).id,
        class_label=class_label,
        annotated=annotated,
        filename_contains=name,
        annotation_type=annotation_type,
        dataset_id=session.client.find_dataset(dataset).id if dataset else "",
        side=side,
        unlabelled=None if labelled is None else not labelled,
        problem=problem,
        reviewed=reviewed,
    )
    session.output.table(
        islice(images, limit or None),
        ["file", "pixels", "size", "annotations", "class", "group", "", "image id"],
        row,
        "There are no such images. Bring some with `annotateforge import PROJECT FOLDER`.",
    )


@app.command("upload")
@with_session
def upload(
    session: Session,
    project: ProjectArgument,
    file: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="Image files.", show_default=False)
    ],
    image_class: Annotated[str, typer.Option("--class", help="Class of these images.")] = "",
    group: Annotated[str, typer.Option(help="Group that stays on one side of a split.")] = "",
) -> None:
    """Add image files to a project. 64 are sent at a time, which land together or not at all."""
    found = session.client.find_project(project)
    answers = session.client.upload_images(
        found.id, ((path.name, _content(path)) for path in file), image_class=image_class, group=group
    )
    images = [image for answer in answers for image in answer.images]
    problems = [problem for answer in answers for problem in answer.problems]
    whole = dataset_service_pb2.UploadImagesResponse(images=images, problems=problems)
    left_out = f", {len(problems)} left out" if problems else ""
    session.output.message(whole, f"{found.name}: {len(images)} images added{left_out}.")
    if not session.output.as_json:
        for problem in problems:
            place = Text.assemble(styled_severity(problem.severity), " ", plain(problem.file))
            session.output.note(Text.assemble(place, ": ", plain(f"{problem.message} {problem.hint}")))
    if problems and not images:
        raise ClientError("No image was added.")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ClientError(f"{path} cannot be read: {error.strerror}.") from error


@app.command("show")
@with_table
def show(session: Session, image: ImageArgument) -> None:
    """Show an image's facts and its annotations."""
    found = session.client.find_image(image)
    annotations = session.client.annotations(found.id)
    if session.output.as_json:
        listed = [to_dict(annotation) for annotation in annotations]
        session.output.json({**to_dict(found), "annotations": listed})
        return
    session.output.facts(
        {
            "id": found.id,
            "file": found.filename,
            "pixels": f"{found.width} × {found.height}",
            "size": size(found.size_bytes),
            "class": found.image_class or "-",
            "group": found.group or "-",
            "reviewed": "yes" if found.reviewed else "no",
            "added": ago(found.create_time),
            "annotations": f"{found.annotation_count:,}; `annotateforge image annotations` lists them",
        }
    )


@app.command("set")
@with_session
def change(
    session: Session,
    image: ImageArgument,
    image_class: Annotated[
        str | None, typer.Option("--class", help="Class of the whole image; empty for none.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Group that stays on one side of a split; empty for none.")
    ] = None,
    reviewed: Annotated[
        bool | None,
        typer.Option("--reviewed/--not-reviewed", help="Its labels are complete.", show_default=False),
    ] = None,
) -> None:
    """Set an image's class or group, or that somebody has reviewed it."""
    if image_class is None and group is None and reviewed is None:
        raise WrongArgument("Nothing is to be set; give --class, --group or --reviewed.")
    found = session.client.find_image(image)
    changed = session.client.update_image(found.id, image_class=image_class, group=group, reviewed=reviewed)
    session.output.message(changed, f"{changed.filename} is changed.")


@app.command("delete")
@with_session
def delete(
    session: Session,
    image: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Ids, or PROJECT:FILE NAME.", show_default=False),
    ],
    yes: YesOption = False,
) -> None:
    """Delete images with their annotations. Frozen data sets keep them."""
    found = [session.client.find_image(one) for one in image]
    if not yes:
        shown = found[0].filename if len(found) == 1 else f"{len(found)} images"
        session.output.confirm(f"Delete {shown}?")
    by_project: dict[str, list[str]] = {}
    for one in found:
        by_project.setdefault(one.project_id, []).append(one.id)
    deleted = sum(session.client.delete_images(project, ids) for project, ids in by_project.items())
    answer = dataset_service_pb2.DeleteImagesResponse(deleted_count=deleted)
    session.output.message(answer, f"{deleted} deleted.")


@app.command("download")
@with_session
def download(
    session: Session,
    image: ImageArgument,
    to: Annotated[
        Path | None, typer.Option(help="File or folder to write to, - for standard output; by default here.")
    ] = None,
    thumbnail: Annotated[
        int, typer.Option(metavar="SIDE", help="A small JPEG instead, its longest side 16 to 1,024 pixels.")
    ] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Download an image as it came, or a small upright one."""
    client, found = session.client, session.client.find_image(image)
    if thumbnail:
        name = str(Path(found.filename).with_suffix(mimetypes.guess_extension("image/jpeg") or ".jpg"))
        save(
            session.output,
            target(to, name),
            lambda file: client.download_thumbnail(found.id, file, thumbnail),
            None,
            force,
        )
    else:
        path = target(to, found.filename)
        save(
            session.output, path, lambda file: client.download_image(found.id, file), found.size_bytes, force
        )
