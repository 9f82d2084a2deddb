"""`annotateforge up`, `demo`, `doctor` and `token`: the installation on this machine.

They need the extra `local`, which a machine that only talks to a server elsewhere does without.
"""

import importlib
from datetime import timedelta
from typing import Annotated, Any

import typer

from annotateforge.client.command.output import Output
from annotateforge.client.command.session import DataDirOption, JsonOption, ServerOption, TokenOption
from annotateforge.client.errors import ClientError
from annotateforge.client.profile import DEFAULT_DATA_DIR, LocalServer
from annotateforge.client.wire import checked_address

tokens = typer.Typer(help="Tokens, which let clients in.", no_args_is_help=True)

PortOption = Annotated[
    int,
    typer.Option(
        envvar="ANNOTATEFORGE_PORT",
        min=0,
        max=65531,
        help="Of the web address; the gRPC services take the four after it. 0 takes free ones.",
    ),
]


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.command("up")(up)
    root.command("demo")(demo)
    root.command("doctor")(doctor)
    tokens.command("create")(create_token)
    root.add_typer(tokens, name="token")


def up(data_dir: DataDirOption = DEFAULT_DATA_DIR, port: PortOption = 8000) -> None:
    """Start everything on this machine, and keep it running until Ctrl-C."""
    raise typer.Exit(_local("up").up(data_dir, port))


def demo(
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    port: PortOption = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the sample images.")] = 20,
) -> None:
    """Train a small model on sample images and show what it learnt, in under three minutes."""
    raise typer.Exit(_local("demo.demo").demo(data_dir, port, epochs))


def doctor(
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check this machine, the installation on it or the server that is named, and say what to mend. Exits
    with 1 when something is broken.
    """
    named = LocalServer(checked_address(server), token or "") if server else None
    raise typer.Exit(_local("doctor").doctor(data_dir, Output.choose(as_json), named))


def create_token(
    role: Annotated[str, typer.Option(help="viewer, editor, admin or worker.")] = "viewer",
    subject: Annotated[str, typer.Option(help="Whom it stands for; shows up in logs.")] = "cli",
    days: Annotated[float, typer.Option(min=0.001, max=3650, help="How long it is good.")] = 30,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
) -> None:
    """Print a token for the installation of the data directory, or of ANNOTATEFORGE_SECRET."""
    try:
        typer.echo(_local("tokens").create_token(data_dir, role, subject, timedelta(days=days)))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _local(module: str) -> Any:
    """A module of the supervisor's package, imported only where it is needed."""
    try:
        return importlib.import_module(f"annotateforge.local.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("annotateforge"):
            raise
        raise ClientError(
            f"This needs the extra `local` ({error.name} is missing): pip install 'annotateforge[local]'."
        ) from error
