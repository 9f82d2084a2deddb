"""What every command that talks to a server shares: finding the server, and the options that name it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Concatenate, ParamSpec

import typer

from annotateforge.client.client import Client
from annotateforge.client.command.output import Output
from annotateforge.client.errors import ClientError, ServerAway
from annotateforge.client.profile import DEFAULT_DATA_DIR, LocalServer

P = ParamSpec("P")

DataDirOption = Annotated[
    Path,
    typer.Option(
        "--data-dir", envvar="ANNOTATEFORGE_DATA_DIR", help="Data directory of the local installation."
    ),
]
ServerOption = Annotated[
    str | None,
    typer.Option("--server", envvar="ANNOTATEFORGE_SERVER", help="Address, such as http://host:8000."),
]
TokenOption = Annotated[
    str | None, typer.Option("--token", envvar="ANNOTATEFORGE_TOKEN", help="Token for the server.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@dataclass(frozen=True)
class Session:
    """A command at work: the server that it talks to and the place where it prints."""

    client: Client
    output: Output


def with_session(command: Callable[Concatenate[Session, P], None]) -> Callable[P, None]:
    """Give a command its session, and the options --server, --token, --data-dir and --json."""
    return _given(command, _OPTIONS)


def with_table(command: Callable[Concatenate[Session, P], None]) -> Callable[P, None]:
    """As `with_session`, for commands that print a table, which have the option --wide."""
    return _given(command, [*_OPTIONS, _WIDE])


def _given(
    command: Callable[Concatenate[Session, P], None], options: list[inspect.Parameter]
) -> Callable[P, None]:
    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        server, token = kwargs.pop("server"), kwargs.pop("token")
        data_dir, as_json = kwargs.pop("data_dir"), kwargs.pop("as_json")
        wide = bool(kwargs.pop("wide", False))
        assert isinstance(data_dir, Path)
        url, token = find_server(_text(server), _text(token), data_dir)
        with Client(url, token) as client:
            try:
                command(Session(client, Output.choose(bool(as_json), wide)), *args, **kwargs)
            except ServerAway as error:
                raise ServerAway(f"{error} {_advice(_text(server), data_dir)}") from error

    signature = inspect.signature(command)
    own = list(signature.parameters.values())[1:]
    run.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]  # Typer reads it
    run.__annotations__ = {
        **{name: kind for name, kind in command.__annotations__.items() if name != "session"},
        **{option.name: option.annotation for option in options},
    }
    return run


def _option(name: str, annotation: object, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_OPTIONS = [
    _option("server", ServerOption, None),
    _option("token", TokenOption, None),
    _option("data_dir", DataDirOption, DEFAULT_DATA_DIR),
    _option("as_json", JsonOption, False),
]
_WIDE = _option(
    "wide",
    Annotated[bool, typer.Option("--wide", "-w", help="Cut nothing off, however wide the table gets.")],
    False,
)


def _text(value: object) -> str | None:
    """The value of an option, None for one that is not given or empty."""
    return value if isinstance(value, str) and value else None


def find_server(server: str | None, token: str | None, data_dir: Path) -> tuple[str, str]:
    """The address and token to use: as told, else those of the local installation."""
    if server is not None:
        return server, token or ""
    local = LocalServer.find(data_dir)
    if local is None:
        raise ClientError(
            f"No server is known: none runs on {data_dir}, and neither --server nor ANNOTATEFORGE_SERVER "
            "names one. Start one with `annotateforge up`, or name it."
        )
    return local.url, token or local.token


def _advice(server: str | None, data_dir: Path) -> str:
    """What to do about a server that is away."""
    if server is not None:
        return "Is the address right, and does it run?"
    return f"`annotateforge up` left this address in {data_dir}; if it was killed, start it again."
