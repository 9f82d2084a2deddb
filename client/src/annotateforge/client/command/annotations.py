"""`annotateforge image annotations` and `annotate`: what is drawn on an image."""

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from annotateforge.api.dataset.v1 import annotation_pb2, dataset_service_pb2
from annotateforge.client.command.arguments import ImageArgument
from annotateforge.client.command.images import app
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_session, with_table
from annotateforge.client.errors import ClientError, WrongArgument
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rest.codec import from_object


def register(root: typer.Typer) -> None:
    """Add the commands to those of images, which are registered by themselves."""
    del root
    app.command("annotations")(list_annotations)
    app.command("annotate")(annotate)


@with_table
def list_annotations(session: Session, image: ImageArgument) -> None:
    """List the annotations of an image, in pixels of the upright image."""

    def row(one: annotation_pb2.Annotation) -> list[Cell]:
        shape = one.WhichOneof("shape") or ""
        return [one.class_label or "(no class)", shape, _drawn(one), one.source]

    session.output.table(
        session.client.annotations(session.client.find_image(image).id),
        ["class", "shape", "where", "source"],
        row,
        "Nothing is drawn on this image.",
    )


def _drawn(one: annotation_pb2.Annotation) -> str:
    """Where a shape is, such as "10, 20 to 40, 60"."""
    match one.WhichOneof("shape"):
        case "circle":
            return f"around {one.circle.x:.1f}, {one.circle.y:.1f}, radius {one.circle.radius:.1f}"
        case "box":
            box = one.box
            return f"{box.x_min:.1f}, {box.y_min:.1f} to {box.x_max:.1f}, {box.y_max:.1f}"
        case "rectangle":
            return "  ".join(f"{point.x:.1f}, {point.y:.1f}" for point in one.rectangle.corners)
        case _:
            return f"{len(one.polygon.points)} points"


@with_session
def annotate(
    session: Session,
    image: ImageArgument,
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            allow_dash=True,
            help="JSON as `image annotations --json` prints it; - reads standard input.",
            show_default=False,
        ),
    ],
) -> None:
    """Replace all annotations of an image by those of a JSON file."""
    annotations = _read(file)
    found = session.client.find_image(image)
    kept = session.client.set_annotations(found.id, annotations)
    answer = dataset_service_pb2.SetAnnotationsResponse(annotations=kept)
    session.output.message(answer, f"{found.filename} has {len(kept)} annotations now.")


def _read(file: Path) -> list[annotation_pb2.Annotation]:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise ClientError(f"{file} cannot be read: {error.strerror}.") from error
    try:
        listed = orjson.loads(content)
        listed = listed.get("annotations") if isinstance(listed, dict) else listed
        if not isinstance(listed, list):
            raise WrongArgument(f'{file} holds no list of annotations, nor {{"annotations": [...]}}.')
        for one in listed:
            # Given by the server.
            one.pop("id", None)
        return [from_object(annotation_pb2.Annotation, one) for one in listed]
    except (ValueError, AttributeError) as error:
        raise WrongArgument(f"{file} is no JSON of annotations: {error}") from error
    except DomainError as error:
        raise WrongArgument(f"{file}: {error.message}") from error
