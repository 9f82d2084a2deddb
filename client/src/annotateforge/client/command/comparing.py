"""`annotateforge compare`, `job compare` and `model compare`: side by side."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from annotateforge.api.registry.v1 import model_pb2
from annotateforge.api.trainer.v1 import sweep_pb2, trainer_service_pb2
from annotateforge.client.command import completion, jobs, models
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_table
from annotateforge.client.command.texts import best_first, sparkline, styled_status
from annotateforge.client.errors import WrongArgument

FEWEST_MODELS = 2
MOST_MODELS = 6

_CURVE = 12

_OF_THE_DATA = frozenset({"project_ids", "classes", "dataset_id"})
"""Settings that the rows about the model tell better."""

JobsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[JOB]...", show_default=False, autocompletion=completion.jobs),
]


def register(root: typer.Typer) -> None:
    """Add the commands to the program, to jobs and to models."""
    root.command("compare")(compare)
    jobs.app.command("compare")(compare)
    models.app.command("compare")(compare_models)


@with_table
def compare(
    session: Session,
    job: JobsArgument = None,
    sweep: Annotated[
        str,
        typer.Option(
            help="Id or name of a sweep, instead of jobs.",
            show_default=False,
            autocompletion=completion.sweeps,
        ),
    ] = "",
) -> None:
    """Put jobs, or those of a sweep, side by side: the settings that differ, and the best of each."""
    if bool(job) == bool(sweep):
        raise typer.BadParameter("Name jobs, or one --sweep.")
    ids = [session.client.find_job(one).id for one in job or ()]
    sweep_id = session.client.find_sweep(sweep).id if sweep else ""
    show_comparison(session, session.client.compare_jobs(ids, sweep_id))


def show_comparison(session: Session, found: trainer_service_pb2.CompareJobsResponse) -> None:
    """Print jobs that were compared."""
    if session.output.as_json:
        session.output.message(found, "")
        return
    names = best_first(dict.fromkeys(name for one in found.jobs for name in one.metrics))

    def row(one: sweep_pb2.ComparedJob) -> list[Cell]:
        best = Text("best", "green") if one.job_id == found.best_job_id else ""
        settings = [one.settings.get(name, "-") for name in found.settings]
        metrics = [_number(one.metrics.get(name)) for name in names]
        return [
            one.job_id,
            one.name,
            styled_status(one.status),
            *settings,
            str(one.best_epoch),
            *metrics,
            best,
        ]

    settings = [name.removeprefix("settings.") for name in found.settings]
    columns = ["id", "name", "status", *settings, "epoch", *names, ""]
    session.output.rows(columns, [row(one) for one in found.jobs], "There are no jobs.")


@with_table
def compare_models(
    session: Session,
    model: Annotated[list[str], typer.Argument(metavar="MODEL MODEL...", autocompletion=completion.models)],
) -> None:
    """Put models side by side: their metrics, each on its own data set's validation images, and the settings
    in which they differ.
    """
    if not FEWEST_MODELS <= len(model) <= MOST_MODELS:
        raise WrongArgument(f"Name {FEWEST_MODELS} to {MOST_MODELS} models.")
    compared = session.client.compare_models([session.client.find_model(one).id for one in model])
    if session.output.as_json:
        session.output.message(compared, "")
        return
    if not compared.same_dataset:
        session.output.note(
            "They were validated on different data sets, so their metrics are not of the same images.",
            style="yellow",
        )
    found = [one.model for one in compared.models]
    names = best_first(dict.fromkeys(name for one in found for name in one.metrics))
    differing = [name for name in compared.settings if name not in _OF_THE_DATA]
    facts: list[tuple[str, Sequence[Cell]]] = [
        ("name", [one.name for one in found]),
        ("", [Text("best", "green") if one.id == compared.best_model_id else "" for one in found]),
        ("architecture", [one.architecture for one in found]),
        ("active", ["yes" if one.is_active else "no" for one in found]),
        *((name, [_number(one.metrics.get(name)) for one in found]) for name in names),
        ("best epoch", [f"{one.best_epoch} of {one.epochs_trained}" for one in found]),
        ("validation loss", [_course(one.curve) for one in compared.models]),
        ("images", [str(one.image_size) for one in found]),
        ("classes", [", ".join(one.classes) for one in found]),
        *(
            (name.removeprefix("settings."), [one.settings.get(name, "-") for one in compared.models])
            for name in differing
        ),
    ]
    rows: list[list[Cell]] = [[Text(title, "dim"), *cells] for title, cells in facts]
    session.output.rows(["", *(one.id[-8:] for one in found)], rows, "")


def _course(curve: Sequence[model_pb2.CurvePoint]) -> str:
    """The losses of a training as a line of bars."""
    return sparkline([point.val_loss for point in curve if point.HasField("val_loss")], _CURVE) or "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
