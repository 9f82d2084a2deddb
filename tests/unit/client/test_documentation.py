"""The commands that the documentation shows are there, with the options that it gives them."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from annotateforge.client.command.program import app

REPOSITORY = Path(__file__).resolve().parents[3]


def shown(page: str) -> list[str]:
    """The lines of a page's shell blocks that run our program."""
    text = (REPOSITORY / page).read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.strip().removeprefix(".venv/bin/") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("annotateforge ")]


@pytest.mark.parametrize("line", [*shown("README.md"), *shown("docs/command-line.md")])
def test_a_command_that_is_shown_is_understood(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cells.zip", "image.jpg", "labels.json", "sweep.yaml"):
        (tmp_path / name).touch()
    words = shlex.split(line, comments=True)[1:]
    command: Any = typer.main.get_command(app)
    context = command.make_context("annotateforge", list(words))
    while hasattr(command, "commands"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


def test_every_command_is_shown() -> None:
    lines = shown("docs/command-line.md")

    def leaves(command: Any, path: str) -> list[str]:
        below = getattr(command, "commands", None)
        if below is None:
            return [path]
        return [leaf for name, one in below.items() for leaf in leaves(one, f"{path} {name}")]

    # Lists are the default of their groups.
    paths = [path.removesuffix(" list") for path in leaves(typer.main.get_command(app), "annotateforge")]
    assert [path for path in paths if not any(line.startswith(path) for line in lines)] == []
