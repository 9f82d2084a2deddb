"""Where and how commands print."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import typer
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

from annotateforge.client.command.texts import plain
from annotateforge.client.errors import WrongArgument
from annotateforge.client.messages import to_dict

Cell = str | Text
"""A text is shown as it is; a Text brings a style."""

# What goes into a file or a pipe is not folded to some terminal's width.
_UNFOLDED = 4000


@dataclass(frozen=True)
class Output:
    """Where a command prints. Data go to standard output, all else to standard error."""

    as_json: bool
    out: Console
    notes: Console

    @classmethod
    def choose(cls, as_json: bool) -> "Output":
        """The output of this process."""
        folded = sys.stdout.isatty() or "COLUMNS" in os.environ
        out = Console(highlight=False, width=None if folded else _UNFOLDED)
        return cls(as_json, out, notes_console())

    def say(self, text: Cell) -> None:
        """Print a text that is the command's result."""
        write(self.out, text)

    def note(self, text: Cell, style: str = "") -> None:
        """Print a text beside the result."""
        write(self.notes, text, style)

    def confirm(self, question: str) -> None:
        """Go on when the person says so; typer.Abort otherwise, WrongArgument when there is nobody to ask."""
        if not sys.stdin.isatty():
            raise WrongArgument(f"{question} There is nobody to ask; say --yes.")
        typer.confirm(plain(question).plain, abort=True, err=True)

    def json(self, value: object) -> None:
        """Print a value as one JSON document."""
        sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")

    def message(self, message: Message, text: Cell) -> None:
        """Print a resource: as JSON, or the text that says the same."""
        if self.as_json:
            self.json(to_dict(message))
        else:
            self.say(text)

    def facts(self, facts: Mapping[str, Cell]) -> None:
        """Print facts about one thing, line by line."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True, style="dim")
        grid.add_column(overflow="fold")
        for name, value in facts.items():
            grid.add_row(name, _shown(value))
        self.out.print(grid)

    def table(
        self,
        messages: Iterable[Message],
        columns: Sequence[str],
        row: Callable[[Any], Sequence[Cell]],
        empty: str,
    ) -> None:
        """Print resources: as a JSON list, or as a table; `empty` says what to do when there are none."""
        listed = list(messages)
        if self.as_json:
            self.json([to_dict(message) for message in listed])
            return
        if not listed:
            self.note(empty)
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            # Ids are copied from here: they must be whole, whatever the terminal's width.
            table.add_column(column, no_wrap=column == "id", overflow="fold")
        for message in listed:
            table.add_row(*(_shown(cell) for cell in row(message)))
        self.out.print(table)


def write(console: Console, text: Cell, style: str = "") -> None:
    """Print a text, folded between words on a terminal, and in one line for whatever else reads it."""
    console.print(_shown(text), style=style, soft_wrap=not console.is_terminal)


def notes_console() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False)


def _shown(cell: Cell) -> Text:
    return plain(cell) if isinstance(cell, str) else cell
