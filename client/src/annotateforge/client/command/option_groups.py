"""Options that several commands take together, declared once as the fields of a dataclass."""

import dataclasses
import inspect
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import typer

from annotateforge.client.command.session import Session

P = ParamSpec("P")
G = TypeVar("G")


def with_options(
    group: type[G],
) -> Callable[[Callable[Concatenate[Session, G, P], None]], Callable[Concatenate[Session, P], None]]:
    """Give a command the options of a group before its own; it gets their values in one `group`.

    Below `with_session` or `with_table`.
    """
    fields = dataclasses.fields(group)  # type: ignore[arg-type]  # a dataclass
    added = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type
        )
        for field in fields
    ]

    def decorate(
        command: Callable[Concatenate[Session, G, P], None],
    ) -> Callable[Concatenate[Session, P], None]:
        session, _, *own = inspect.signature(command).parameters.values()

        @wraps(command)
        def run(session: Session, /, *args: P.args, **kwargs: P.kwargs) -> None:
            values: dict[str, Any] = {field.name: kwargs.pop(field.name) for field in fields}
            command(session, group(**values), *args, **kwargs)

        own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        run.__signature__ = inspect.Signature([session, *added, *own])  # type: ignore[attr-defined]  # Typer reads it
        run.__annotations__ = {
            **{parameter.name: parameter.annotation for parameter in (session, *own)},
            **{field.name: field.type for field in fields},
        }
        return run

    return decorate


def only_options(context: typer.Context, allowed: Collection[str], because: str) -> None:
    """BadParameter when an option is given that would have no effect; `allowed` are names of parameters."""
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name not in allowed and source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"{because}, so {parameter.opts[0]} would have no effect; leave it out.")
