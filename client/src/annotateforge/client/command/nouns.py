"""Groups of commands: `annotateforge NOUN VERB`, in the singular and in the plural."""

from typing import Any

from typer.core import TyperGroup

_ALIASES = {
    "projects": "project",
    "images": "image",
    "datasets": "dataset",
    "jobs": "job",
    "sweeps": "sweep",
    "models": "model",
    "workers": "worker",
    "tokens": "token",
    "architecture": "architectures",
}


class Nouns(TyperGroup):
    """The program's own group: `annotateforge jobs` is `annotateforge job`."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, in whichever number."""
        found = super().get_command(ctx, cmd_name)
        alias = _ALIASES.get(cmd_name)
        return found if found is not None or alias is None else super().get_command(ctx, alias)


class ListsByDefault(TyperGroup):
    """`annotateforge job` is `annotateforge job list`, also with the options of `list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `list` where no command is named; a first option that is not --help belongs to it."""
        # A shell that completes a first word wants to hear of all commands.
        nothing = not args and not ctx.resilient_parsing
        if nothing or (args and args[0].startswith("-") and args[0] != "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


class ListsWithArguments(ListsByDefault):
    """`annotateforge images cells` is `annotateforge image list cells`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `list` where the first word is no command; it is an argument of `list` then."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            args = ["list", *args]
        return super().parse_args(ctx, args)
