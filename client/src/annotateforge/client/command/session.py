"""What every command shares: the server, the output, and the options that choose them."""

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import orjson
import typer
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table

from annotateforge.client.client import Client, to_dict
from annotateforge.client.errors import ClientError
from annotateforge.client.profile import DEFAULT_DATA_DIR, LocalServer

P = ParamSpec("P")

DataDirOption = Annotated[
    Path,
    typer.Option(
        "--data-dir", envvar="ANNOTATEFORGE_DATA_DIR", help="Data directory of the local installation."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@dataclass(frozen=True)
class Output:
    """Where a command prints. Data go to standard output, all else to standard error."""

    as_json: bool
    out: Console
    notes: Console

    @classmethod
    def choose(cls, as_json: bool) -> "Output":
        """The output of this process."""
        return cls(as_json, Console(highlight=False), Console(stderr=True, highlight=False))

    def json(self, value: object) -> None:
        """Print a value as one JSON document."""
        sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")

    def message(self, message: Message, text: str) -> None:
        """Print a resource: as JSON, or the text that says the same."""
        if self.as_json:
            self.json(to_dict(message))
        else:
            self.out.print(text)

    def facts(self, message: Message, facts: Mapping[str, str]) -> None:
        """Print a resource: as JSON, or its facts line by line."""
        if self.as_json:
            self.json(to_dict(message))
            return
        grid = Table.grid(padding=(0, 2))
        for name, value in facts.items():
            grid.add_row(f"[dim]{name}[/dim]", value)
        self.out.print(grid)

    def table(
        self,
        messages: Iterable[Message],
        columns: Sequence[str],
        row: Callable[[Any], Sequence[str]],
        empty: str,
    ) -> None:
        """Print resources: as a JSON list, or as a table; `empty` is what to say, and to do, when none are."""
        listed = list(messages)
        if self.as_json:
            self.json([to_dict(message) for message in listed])
            return
        if not listed:
            self.notes.print(empty)
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            # Ids are copied from here: they must be whole, whatever the terminal's width.
            table.add_column(column, no_wrap=column == "id", overflow="fold")
        for message in listed:
            table.add_row(*row(message))
        self.out.print(table)


@dataclass(frozen=True)
class Session:
    """A command at work: the server that it talks to and the place where it prints."""

    client: Client
    output: Output


def with_session(command: Callable[Concatenate[Session, P], None]) -> Callable[P, None]:
    """Give a command its session, and the options --server, --token, --data-dir and --json."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        server, token = kwargs.pop("server"), kwargs.pop("token")
        data_dir, as_json = kwargs.pop("data_dir"), kwargs.pop("as_json")
        assert isinstance(data_dir, Path)
        url, token = _find(_text(server), _text(token), data_dir)
        with Client(url, token) as client:
            command(Session(client, Output.choose(bool(as_json))), *args, **kwargs)

    signature = inspect.signature(command)
    own = list(signature.parameters.values())[1:]
    run.__signature__ = signature.replace(parameters=[*own, *_OPTIONS])  # type: ignore[attr-defined]  # Typer reads it
    run.__annotations__ = {
        **{name: kind for name, kind in command.__annotations__.items() if name != "session"},
        **{option.name: option.annotation for option in _OPTIONS},
    }
    return run


def _option(name: str, annotation: object, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_OPTIONS = [
    _option(
        "server",
        Annotated[
            str | None,
            typer.Option(
                "--server", envvar="ANNOTATEFORGE_SERVER", help="Address, such as http://host:8000."
            ),
        ],
        None,
    ),
    _option(
        "token",
        Annotated[
            str | None,
            typer.Option("--token", envvar="ANNOTATEFORGE_TOKEN", help="Token for the server."),
        ],
        None,
    ),
    _option("data_dir", DataDirOption, DEFAULT_DATA_DIR),
    _option("as_json", JsonOption, False),
]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _find(server: str | None, token: str | None, data_dir: Path) -> tuple[str, str]:
    """The address and token to use: as told, else those of the local installation."""
    if server is not None:
        return server, token or ""
    local = LocalServer.find(data_dir)
    if local is None:
        raise ClientError(
            f"No server is known: none runs on {data_dir}, and neither --server nor ANNOTATEFORGE_SERVER names "
            "one. Start one with `annotateforge up`, or name it."
        )
    return local.url, token or local.token
