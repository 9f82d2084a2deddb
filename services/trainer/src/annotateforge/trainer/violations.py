"""Collects everything that is wrong with an input, so that a caller learns of it at once."""

import math
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from annotateforge.runtime.errors import FieldViolation, InvalidArgument
from annotateforge.runtime.texts import text_defect

_MOST = 100
_FLOATS = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)


class Violations:
    """What is wrong, field by field, in the order in which it was found."""

    def __init__(self) -> None:
        self._found: list[FieldViolation] = []

    def __len__(self) -> int:
        """How many there are."""
        return len(self._found)

    def add(self, field: str, description: str) -> None:
        """Note that a field, named by its path as the caller wrote it, is wrong."""
        if len(self._found) < _MOST:
            self._found.append(FieldViolation(field, description))

    def text(
        self, field: str, value: str, *, longest: int, required: bool = False, lines: bool = False
    ) -> str:
        """Check a text as `runtime.texts.text_defect` does, and answer it."""
        if wrong := text_defect(value, longest, required=required, lines=lines):
            self.add(field, wrong)
        return value

    def whole(self, field: str, value: int, low: int, high: int, otherwise: str = "") -> int:
        """Check a whole number and answer it: `low` to `high`; left out it would mean `otherwise`."""
        if not low <= value <= high:
            hint = f"; leave it out for {otherwise}" if otherwise else ""
            self.add(field, f"is {value}; it must be {low:,} to {high:,}{hint}")
        return value

    def finite(self, field: str, message: Message) -> None:
        """Check that no number in a message is NaN or infinite: neither JSON nor a chart could show it."""
        for path in _not_finite(message):
            self.add(f"{field}.{path}" if field else path, "is not a finite number; leave it out")

    def raise_any(self, reason: str) -> None:
        """Raise InvalidArgument with all that was found; nothing when all is well."""
        if self._found:
            raise InvalidArgument.of_fields(reason, self._found)


def shown(value: str, longest: int = 60) -> str:
    """A caller's text in quotes, short enough to be said back to them."""
    return f'"{value}"' if len(value) <= longest else f'"{value[:longest]}…"'


def _not_finite(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            entry = field.message_type
            if entry is not None and entry.GetOptions().map_entry:
                numbers = entry.fields_by_name["value"].cpp_type in _FLOATS
                yield from (
                    f"{field.name}[{shown(str(key))}]"
                    for key in (value if numbers else ())
                    if _bad(value[key])
                )
            elif field.is_repeated:
                for index, item in enumerate(value):
                    yield from (f"{field.name}[{index}].{path}" for path in _not_finite(item))
            else:
                yield from (f"{field.name}.{path}" for path in _not_finite(value))
        elif field.cpp_type in _FLOATS:
            if field.is_repeated:
                yield from (f"{field.name}[{index}]" for index, item in enumerate(value) if _bad(item))
            elif _bad(value):
                yield field.name


def _bad(value: Any) -> bool:
    return not math.isfinite(value)
