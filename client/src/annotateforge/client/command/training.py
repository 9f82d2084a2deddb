"""`annotateforge train` and `watch`."""

from typing import Annotated

import typer

from annotateforge.api.trainer.v1 import trainer_service_pb2
from annotateforge.client.client import Client
from annotateforge.client.command import completion
from annotateforge.client.command.health import list_findings
from annotateforge.client.command.jobs import ENDED
from annotateforge.client.command.option_groups import with_options
from annotateforge.client.command.session import Session, with_session
from annotateforge.client.command.setting_options import SamplesOption, SweepOption, sweep_axes
from annotateforge.client.command.sweeps import make_sweep
from annotateforge.client.command.training_options import TrainingOptions
from annotateforge.client.command.waiting import DryRunOption, told, watch_job
from annotateforge.client.errors import WrongArgument
from annotateforge.client.references import is_id


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.command("train")(train)
    root.command("watch")(watch)


@with_session
@with_options(TrainingOptions)
def train(
    session: Session,
    chosen: TrainingOptions,
    sweep: SweepOption = None,
    samples: SamplesOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show every epoch.")] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Train a model on the images of projects or of a frozen data set; with --sweep several that differ."""
    axes = sweep_axes(sweep or ())
    if axes and watch:
        raise typer.BadParameter("--watch shows one job, and --sweep makes several.")
    if samples is not None and not axes:
        raise typer.BadParameter("--samples says how many jobs of a --sweep to draw.")
    chosen.check()
    ordered = chosen.training(session.client)
    if not told(session, ordered.config, ordered.spec, dry_run=dry_run):
        return
    if axes:
        make_sweep(
            session,
            trainer_service_pb2.CreateSweepRequest(
                name=ordered.name,
                description=chosen.description,
                task_type=ordered.task_type,
                config=ordered.config,
                axes=axes,
                samples=samples or 0,
                seed=chosen.seed or 0,
            ),
        )
        return
    job = session.client.create_job(
        trainer_service_pb2.CreateJobRequest(
            name=ordered.name,
            description=chosen.description,
            task_type=ordered.task_type,
            config=ordered.config,
        )
    )
    if session.output.as_json:
        # Otherwise they were told before.
        list_findings(session.output.note, job.dataset.findings)
    if watch:
        watch_job(session, job.id)
    else:
        session.output.message(job, f"Job {job.id} is made; watch it with `annotateforge watch {job.id}`.")
        # Such as that no worker can take it, which nobody would see otherwise before they ask why it waits.
        for event in session.client.events(job.id):
            if event.HasField("warning"):
                session.output.note(f"warning {event.warning.message} {event.warning.hint}", style="yellow")


@with_session
def watch(
    session: Session,
    job: Annotated[
        str,
        typer.Argument(
            help="Its id, the beginning or end of it, or its name.",
            show_default="the newest that has not ended",
            autocompletion=completion.jobs,
        ),
    ] = "",
    after: Annotated[int, typer.Option(min=0, help="Only events after this sequence.")] = 0,
) -> None:
    """Show a job's events until it has ended. Exits with 0 when it is completed, else with 1."""
    client = session.client
    if not job:
        job = _newest(client)
    # A whole id is not looked for first: the server that watches knows best whether it is there.
    watch_job(session, job if is_id(job) else client.find_job(job).id, after)


def _newest(client: Client) -> str:
    """The id of the newest job that has not ended."""
    for job in client.jobs():
        if job.status not in ENDED:
            return job.id
    raise WrongArgument("Every job has ended; name one. `annotateforge job list` shows them.")
