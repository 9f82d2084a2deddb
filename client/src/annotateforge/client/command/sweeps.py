"""`annotateforge sweep`: jobs that were made together and differ in some settings."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from annotateforge.api.trainer.v1 import sweep_pb2, trainer_service_pb2
from annotateforge.client.command.arguments import LimitOption, SweepArgument
from annotateforge.client.command.comparing import show_comparison
from annotateforge.client.command.jobs import ENDED
from annotateforge.client.command.nouns import ListsByDefault
from annotateforge.client.command.option_groups import only_options, with_options
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_session, with_table
from annotateforge.client.command.setting_options import SamplesOption, SweepOption, sweep_axes
from annotateforge.client.command.sweep_files import order_of_file
from annotateforge.client.command.texts import ago, task_name
from annotateforge.client.command.training_options import TrainingOptions
from annotateforge.client.command.waiting import DryRunOption, told

app = typer.Typer(
    cls=ListsByDefault,
    help="Jobs that were made together and differ in some settings; without a further word, list them.",
)

_BESIDE_A_FILE = frozenset({"file", "project", "name", "dry_run", "server", "token", "data_dir", "as_json"})


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.add_typer(app, name="sweep")


@app.command("create")
@with_session
@with_options(TrainingOptions)
def create(
    session: Session,
    chosen: TrainingOptions,
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="YAML or JSON as POST /api/v1/training/sweeps takes it, instead of options; --project and"
            " --name count over what it says.",
            show_default=False,
        ),
    ] = None,
    sweep: SweepOption = None,
    samples: SamplesOption = None,
    draw_seed: Annotated[
        int, typer.Option(help="Of the draw of --samples: the same one draws the same.")
    ] = 0,
    dry_run: DryRunOption = False,
) -> None:
    """Train models that differ in some settings: every combination of them, or so many that are drawn."""
    if file is not None:
        only_options(context, _BESIDE_A_FILE, "The file says how to train")
        request, spec = order_of_file(session.client, file, chosen.project or (), chosen.name)
    else:
        axes = sweep_axes(sweep or ())
        if not axes:
            raise typer.BadParameter("Say what is to differ with --sweep NAME=VALUES, or name a file.")
        chosen.check()
        ordered = chosen.training(session.client)
        spec = ordered.spec
        request = trainer_service_pb2.CreateSweepRequest(
            name=ordered.name,
            description=chosen.description,
            task_type=ordered.task_type,
            config=ordered.config,
            axes=axes,
            samples=samples or 0,
            seed=draw_seed,
        )
    if told(session, request.config, spec, dry_run=dry_run):
        make_sweep(session, request)


def make_sweep(session: Session, request: trainer_service_pb2.CreateSweepRequest) -> None:
    """Order a sweep and say what was made."""
    made = session.client.create_sweep(request)
    session.output.message(
        made,
        f"Sweep {made.id} is made, with {len(made.job_ids)} jobs; compare them with "
        f"`annotateforge sweep compare {made.id}`.",
    )


@app.command("list")
@with_table
def list_sweeps(session: Session, limit: LimitOption = 0) -> None:
    """List sweeps, the newest first."""

    def row(one: sweep_pb2.Sweep) -> list[Cell]:
        differs = "; ".join(map(_axis, one.axes))
        return [
            one.id,
            one.name,
            task_name(one.task_type),
            str(len(one.job_ids)),
            ago(one.create_time),
            differs,
        ]

    session.output.table(
        islice(session.client.sweeps(), limit or None),
        ["id", "name", "task", "jobs", "made", "differs"],
        row,
        "There are no sweeps. `annotateforge sweep create` makes one.",
    )


@app.command("show")
@with_session
def show(session: Session, sweep: SweepArgument) -> None:
    """Show a sweep: what differs, and its jobs."""
    found = session.client.find_sweep(sweep)
    if session.output.as_json:
        session.output.message(found, "")
        return
    facts: dict[str, Cell] = {
        "id": found.id,
        "name": found.name,
        "task": task_name(found.task_type),
        "made": ago(found.create_time),
        "drawn": f"{found.samples} jobs, seed {found.seed}" if found.samples else "every combination",
        "differs": "\n".join(map(_axis, found.axes)),
        "jobs": "\n".join(found.job_ids) or "all deleted",
    }
    session.output.facts(facts)


def _axis(axis: sweep_pb2.SweepAxis) -> str:
    name = axis.setting.removeprefix("settings.")
    if axis.HasField("range"):
        drawn = " by its logarithm" if axis.range.logarithmic else ""
        return f"{name}: {axis.range.low:g} to {axis.range.high:g}{drawn}"
    return f"{name}: {', '.join(axis.values)}"


@app.command("compare")
@with_table
def compare(session: Session, sweep: SweepArgument) -> None:
    """Put the jobs of a sweep side by side."""
    show_comparison(session, session.client.compare_jobs(sweep_id=session.client.find_sweep(sweep).id))


@app.command("cancel")
@with_session
def cancel(session: Session, sweep: SweepArgument) -> None:
    """Cancel all jobs of a sweep that have not ended."""
    found = session.client.find_sweep(sweep)
    running = [job for job in map(session.client.job, found.job_ids) if job.status not in ENDED]
    for job in running:
        session.client.cancel_job(job.id)
    session.output.message(found, f"{len(running)} of {len(found.job_ids)} jobs are cancelled.")
