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
from rich.text import Text

from annotateforge.client.command import tables
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
    wide: bool = False
    """Whether tables show everything, however wide that is."""

    @classmethod
    def choose(cls, as_json: bool, wide: bool = False) -> "Output":
        """The output of this process. What is no terminal is of any width, unless COLUMNS says one."""
        folded = sys.stdout.isatty() or "COLUMNS" in os.environ
        out = Console(highlight=False, width=None if folded else _UNFOLDED)
        return cls(as_json, out, notes_console(), wide or not folded)

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
        indent = max(map(len, facts), default=0) + 2
        for name, value in facts.items():
            shown = _shown(value)
            parts = [shown] if self.wide else shown.wrap(self.out, max(20, self.out.width - indent))
            for number, part in enumerate(parts):
                part.rstrip()
                title = (f"{'' if number else name:<{indent}}", "dim")
                self.out.print(Text.assemble(title, part), soft_wrap=True)

    def table(
        self,
        messages: Iterable[Message],
        columns: Sequence[str],
        row: Callable[[Any], Sequence[Cell]],
        empty: str,
    ) -> None:
        """Print resources: as a JSON list with one of them a line, or as a table; `empty` says what to do
        when there are none.
        """
        if self.as_json:
            self.json_list(to_dict(message) for message in messages)
            return
        self.rows(columns, [row(message) for message in messages], empty)

    def rows(self, columns: Sequence[str], rows: Sequence[Sequence[Cell]], empty: str) -> None:
        """Print a table of cells, or `empty` beside the result."""
        if not rows:
            self.note(empty)
            return
        cells = [[_shown(cell) for cell in row] for row in rows]
        for line in tables.lines(columns, cells, None if self.wide else self.out.width):
            self.out.print(line, soft_wrap=True)

    def json_list(self, values: Iterable[object]) -> None:
        """Print values as one JSON list, one of them a line, as they come."""
        before = "["
        for value in values:
            sys.stdout.write(f"{before}\n{orjson.dumps(value).decode()}")
            before = ","
        sys.stdout.write("[]\n" if before == "[" else "\n]\n")

    def json_line(self, value: object) -> None:
        """Print a value as a JSON document of one line, at once: whoever reads may be waiting for it."""
        sys.stdout.write(orjson.dumps(value).decode() + "\n")
        sys.stdout.flush()


def write(console: Console, text: Cell, style: str = "") -> None:
    """Print a text, folded between words on a terminal, and in one line for whatever else reads it."""
    console.print(_shown(text), style=style, soft_wrap=not console.is_terminal)


def notes_console() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False)


def _shown(cell: Cell) -> Text:
    return plain(cell) if isinstance(cell, str) else cell
