"""Groups of commands that list when nothing else is asked of them."""

from typing import Any

from typer.core import TyperGroup


class ListsByDefault(TyperGroup):
    """`annotateforge jobs` is `annotateforge jobs list`, also with the options of `list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `list` where no command is named; a first option that is not --help belongs to it."""
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)
