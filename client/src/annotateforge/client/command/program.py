"""Puts the commands together, and turns what goes wrong into a text and an exit code."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.text import Text

from annotateforge.client.command import (
    annotations,
    annotations_import,
    architectures,
    comparing,
    datasets,
    exporting,
    images,
    installation,
    job_history,
    jobs,
    logs,
    models,
    prediction,
    projects,
    sweeps,
    training,
    workers,
)
from annotateforge.client.command.nouns import Nouns
from annotateforge.client.command.output import notes_console, write
from annotateforge.client.command.texts import plain
from annotateforge.client.errors import ClientError, ServerRefused, WrongArgument

EXIT_FAILED = 1
EXIT_WRONG_USE = 2
EXIT_REFUSED = 3

# From here on a server speaks of its own trouble, not of what it was asked.
_OWN_TROUBLE = 500

app = typer.Typer(
    name="annotateforge",
    cls=Nouns,
    help="Bring labelled images, train YOLO models on your own machines, watch every epoch live.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"annotateforge {version('annotateforge')}")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del show_version


for _commands in (
    installation,
    projects,
    annotations_import,
    exporting,
    images,
    annotations,
    datasets,
    training,
    jobs,
    job_history,
    logs,
    sweeps,
    models,
    comparing,
    prediction,
    workers,
    architectures,
):
    _commands.register(app)


def main() -> None:
    """Run the command of the process's arguments and exit: 0 done, 1 failed, 2 wrong use, 3 refused by the
    server, 130 interrupted.
    """
    try:
        app(prog_name=app.info.name)
    except ClientError as error:
        word, code = _outcome(error)
        write(notes_console(), Text.assemble((word, "red"), ": ", plain(str(error))))
        sys.exit(code)


def _outcome(error: ClientError) -> tuple[str, int]:
    if isinstance(error, WrongArgument):
        return "Wrong use", EXIT_WRONG_USE
    if isinstance(error, ServerRefused) and error.code < _OWN_TROUBLE:
        return "Refused", EXIT_REFUSED
    return "Failed", EXIT_FAILED
