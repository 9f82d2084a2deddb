"""`annotateforge sweep`: jobs that were made together and differ in some settings."""

from typing import Annotated

import typer

from annotateforge.api.trainer.v1 import sweep_pb2
from annotateforge.client.command.comparing import show_comparison
from annotateforge.client.command.jobs import ENDED
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_session, with_table
from annotateforge.client.command.texts import ago, task_name

app = typer.Typer(help="Jobs that were made together by `annotateforge train --sweep`.", no_args_is_help=True)

SweepArgument = Annotated[
    str, typer.Argument(metavar="SWEEP", help="Its id, which `train --sweep` prints.", show_default=False)
]


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.add_typer(app, name="sweep")


@app.command("show")
@with_session
def show(session: Session, sweep: SweepArgument) -> None:
    """Show a sweep: what differs, and its jobs."""
    found = session.client.sweep(sweep)
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
    show_comparison(session, session.client.compare_jobs(sweep_id=sweep))


@app.command("cancel")
@with_session
def cancel(session: Session, sweep: SweepArgument) -> None:
    """Cancel all jobs of a sweep that have not ended."""
    found = session.client.sweep(sweep)
    running = [job for job in map(session.client.job, found.job_ids) if job.status not in ENDED]
    for job in running:
        session.client.cancel_job(job.id)
    session.output.message(found, f"{len(running)} of {len(found.job_ids)} jobs are cancelled.")
