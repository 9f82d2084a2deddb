"""Enums by their short names."""

from typing import Any

from annotateforge.client.errors import WrongArgument
from annotateforge.runtime.rest.names import choices, enum_numbers


def enum_value(enum: Any, name: str, what: str) -> Any:
    """The value of a generated enum by its short name, such as "detect"; 0 for an empty name.

    WrongArgument names the choices when there is no such one.
    """
    if not name:
        return 0
    number = enum_numbers(enum.DESCRIPTOR).get(name, 0)
    if not number:
        known = ", ".join(choices(enum.DESCRIPTOR))
        raise WrongArgument(f"There is no {what} {name!r}; choose one of {known}.")
    return number
