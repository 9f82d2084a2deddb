"""`annotateforge predict`: what a model sees in an image."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from annotateforge.api.inference.v1 import prediction_pb2
from annotateforge.client.command import completion
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_table
from annotateforge.client.errors import ClientError
from annotateforge.client.messages import to_dict


def register(root: typer.Typer) -> None:
    """Add the command to the program."""
    root.command("predict")(predict)


@with_table
def predict(
    session: Session,
    image: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help="Image files.", show_default=False),
    ],
    task: Annotated[
        str | None,
        typer.Option(
            help="Task whose active model predicts.", show_default="detect", autocompletion=completion.tasks
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="A model's id or name, instead of the active one.", autocompletion=completion.models
        ),
    ] = "",
    confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Least confidence of an object.", show_default="0.25")
    ] = None,
    iou: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Overlap above which one of two is dropped.", show_default="0.7"),
    ] = None,
    max_objects: Annotated[
        int | None, typer.Option(min=1, max=3000, help="Most objects.", show_default="300")
    ] = None,
) -> None:
    """Say what the active model of a task, or a certain model, sees in images.

    With --json, one prediction; of several images one a line, with the file's name before it.
    """
    if model and task:
        raise typer.BadParameter("Give either --task or --model.")
    model_id = session.client.find_model(model).id if model else ""
    for path in image:
        prediction = session.client.predict(
            _content(path),
            task_type="" if model else task or "detect",
            model_id=model_id,
            confidence=confidence,
            iou=iou,
            max_objects=max_objects,
        )
        if not session.output.as_json:
            if len(image) > 1:
                session.output.say(Text(str(path), "bold"))
            _show(session, prediction)
        elif len(image) > 1:
            session.output.json_line({"file": str(path), **to_dict(prediction)})
        else:
            session.output.message(prediction, "")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ClientError(f"{path} cannot be read: {error.strerror}.") from error


def _show(session: Session, prediction: prediction_pb2.Prediction) -> None:
    if prediction.classes:
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
