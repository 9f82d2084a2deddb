"""`annotateforge job logs`: what a training prints."""

from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from annotateforge.api.trainer.v1 import event_pb2
from annotateforge.client.command.arguments import JobArgument
from annotateforge.client.command.jobs import app
from annotateforge.client.command.session import Session, with_session
from annotateforge.client.messages import to_dict

_INTERRUPTED = 130


def register(root: typer.Typer) -> None:
    """Add the command to those of jobs, which are registered by themselves."""
    del root
    app.command("logs")(show_logs)


@with_session
def show_logs(
    session: Session,
    job: JobArgument,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Stay and show what comes until the job has ended.")
    ] = False,
    after: Annotated[int, typer.Option(min=0, help="Only lines after the one of this number.")] = 0,
    attempt: Annotated[int, typer.Option(min=0, help="Only this attempt.", show_default="all")] = 0,
) -> None:
    """Show what a job's training prints."""
    client, output = session.client, session.output
    job_id = client.find_job(job).id
    if not follow:
        lines = client.logs(job_id, after, attempt)
        if output.as_json:
            output.json_list(to_dict(line) for line in lines)
        else:
            _print(session, lines, after)
        return
    lines = client.follow_logs(
        job_id, after, attempt, lambda problem: output.note(f"Reconnecting: {problem}.")
    )
    try:
        if output.as_json:
            for line in lines:
                output.json_line(to_dict(line))
        else:
            _print(session, lines, after)
    except KeyboardInterrupt:
        output.note("The job goes on.", style="dim")
        raise typer.Exit(_INTERRUPTED) from None


def _print(session: Session, lines: Iterable[event_pb2.LogLine], after: int) -> None:
    shown = 0
    for line in _noting_gaps(session, lines, after):
        session.output.say(line.text)
        shown += 1
    if not shown:
        session.output.note("The training has printed nothing so far." if not after else "Nothing new.")


def _noting_gaps(
    session: Session, lines: Iterable[event_pb2.LogLine], after: int
) -> Iterator[event_pb2.LogLine]:
    attempt = 0
    for line in lines:
        if attempt and line.attempt != attempt:
            session.output.note(f"Attempt {line.attempt}:", style="dim")
        elif line.number > after + 1 and (attempt or not after):
            session.output.note(f"{line.number - after - 1:,} lines are not kept.", style="dim")
        attempt, after = line.attempt, line.number
        yield line
