"""`annotateforge predict`: what a model sees in an image."""

from pathlib import Path
from typing import Annotated

import typer

from annotateforge.api.inference.v1 import prediction_pb2
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_session
from annotateforge.client.errors import ClientError


def register(root: typer.Typer) -> None:
    """Add the command to the program."""
    root.command("predict")(predict)


@with_session
def predict(
    session: Session,
    image: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="An image file.", show_default=False)
    ],
    task: Annotated[
        str | None, typer.Option(help="Task whose active model predicts.", show_default="detect")
    ] = None,
    model: Annotated[str, typer.Option(help="Id of a model, instead of the active one.")] = "",
    confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Least confidence of an object.", show_default="0.25")
    ] = None,
) -> None:
    """Say what the active model of a task, or a certain model, sees in an image."""
    if model and task:
        raise typer.BadParameter("Give either --task or --model.")
    try:
        content = image.read_bytes()
    except OSError as error:
        raise ClientError(f"{image} cannot be read: {error.strerror}.") from error
    prediction = session.client.predict(
        content, task_type="" if model else task or "detect", model_id=model, confidence=confidence
    )
    if session.output.as_json:
        session.output.message(prediction, "")
    elif prediction.classes:
        session.output.table(prediction.classes, ["class", "probability"], _class_row, "")
    else:
        session.output.table(
            prediction.objects, ["class", "confidence", "box"], _object_row, "Nothing was found in the image."
        )


def _class_row(entry: prediction_pb2.ClassProbability) -> list[Cell]:
    return [entry.class_label, f"{entry.probability:.3f}"]


def _object_row(found: prediction_pb2.PredictedObject) -> list[Cell]:
    box = found.box
    corners = f"{box.x_min:.1f}, {box.y_min:.1f} to {box.x_max:.1f}, {box.y_max:.1f}"
    return [found.class_label, f"{found.confidence:.3f}", corners]
