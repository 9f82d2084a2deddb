"""`annotateforge compare`, `job compare` and `model compare`: side by side."""

from typing import Annotated, Any

import typer
from rich.text import Text

from annotateforge.api.registry.v1 import model_pb2
from annotateforge.api.trainer.v1 import sweep_pb2, trainer_service_pb2
from annotateforge.client.command import completion, jobs, models
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_table
from annotateforge.client.command.texts import best_first, styled_status, task_name
from annotateforge.client.errors import WrongArgument
from annotateforge.client.messages import to_dict

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
    sweep: Annotated[str, typer.Option(help="Id of a sweep, instead of jobs.", show_default=False)] = "",
) -> None:
    """Put jobs, or those of a sweep, side by side: the settings that differ, and the best of each."""
    if bool(job) == bool(sweep):
        raise typer.BadParameter("Name jobs, or one --sweep.")
    ids = [session.client.find_job(one).id for one in job or ()]
    show_comparison(session, session.client.compare_jobs(ids, sweep))


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
    if len(model) < 2:
        raise WrongArgument("Name two models or more.")
    found = [session.client.find_model(one) for one in model]
    if len({one.task_type for one in found}) > 1:
        told = ", ".join(f"{one.name} {task_name(one.task_type)}" for one in found)
        raise WrongArgument(f"Models of different tasks have no metrics in common: {told}.")
    configs = [_flat(to_dict(one.config)) for one in found]
    differing = [
        name
        for name in dict.fromkeys(name for config in configs for name in config)
        if len({config.get(name, "-") for config in configs}) > 1
    ]
    if session.output.as_json:
        session.output.json({"settings": differing, "models": [to_dict(one) for one in found]})
        return
    if len({one.dataset_digest for one in found}) > 1:
        session.output.note(
            "They were validated on different data sets, so their metrics are not of the same images.",
            style="yellow",
        )
    names = best_first(dict.fromkeys(name for one in found for name in one.metrics))
    facts: list[tuple[str, list[str]]] = [
        ("name", [one.name for one in found]),
        ("architecture", [one.architecture for one in found]),
        ("active", ["yes" if one.is_active else "no" for one in found]),
        *((name, [_number(one.metrics.get(name)) for one in found]) for name in names),
        ("best epoch", [f"{one.best_epoch} of {one.epochs_trained}" for one in found]),
        ("images", [str(one.image_size) for one in found]),
        ("classes", [_classes(one) for one in found]),
        *((name, [config.get(name, "-") for config in configs]) for name in differing),
    ]
    rows: list[list[Cell]] = [[Text(title, "dim"), *cells] for title, cells in facts]
    session.output.rows(["", *(one.id[-8:] for one in found)], rows, "")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _classes(model: model_pb2.Model) -> str:
    return ", ".join(model.classes)


def _flat(config: dict[str, Any]) -> dict[str, str]:
    """Settings by name as texts; where the data came from aside, which the data set tells."""
    found: dict[str, str] = {}
    for name, value in config.items():
        if name in ("project_ids", "classes", "dataset_id"):
            continue
        inner = value if isinstance(value, dict) else {name: value}
        found |= {key: str(one) for key, one in inner.items()}
    return found
