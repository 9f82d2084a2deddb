"""Fields of a message as texts in a path or a query: `page_size=5`, `status=completed`, `split.seed=7`."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from annotateforge.runtime.rest.decoding import single_checker
from annotateforge.runtime.rest.encoding import value_encoder
from annotateforge.runtime.rest.values import Refused

_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,3})?")
_DEEPEST = 3

_TEXTS = frozenset({FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_ENUM})
_NUMBERS = frozenset({FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT})
_SINGLE_MESSAGES = {"google.protobuf.Timestamp": False, "google.protobuf.Duration": True}
"""Messages that are one value in JSON, and whether that is a number."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field that a text can fill."""

    name: str
    """Its path from the message, with dots."""
    parents: tuple[str, ...]
    """The messages on the way to it."""
    field: FieldDescriptor
    check: Callable[[Any], Any]
    show: Callable[[Any], Any]

    def read(self, text: str) -> Any:
        """The field's value that a text stands for. Refused when it stands for none."""
        return self.check(self._json(text))

    def _json(self, text: str) -> Any:
        """The text as the JSON value that the field would have; one that is none is left for `check` to
        refuse.
        """
        kind = self.field.type
        number = kind in _NUMBERS
        if self.field.message_type is not None:
            number = _SINGLE_MESSAGES[self.field.message_type.full_name]
            if not number:
                return text
        if kind in _TEXTS:
            return text
        if kind == FieldDescriptor.TYPE_BOOL:
            return {"true": True, "false": False}.get(text, text)
        if number:
            return float(text) if _NUMBER.fullmatch(text) else text
        return int(text) if _WHOLE.fullmatch(text) else text

    def set(self, message: Message, values: list[str]) -> None:
        """Fill the field of `message` from texts, several where it is repeated. Refused for what it does not
        take.
        """
        try:
            if len(values) > 1 and not self.field.is_repeated:
                raise Refused("must be given once")
            found = [self.read(value) for value in values]
        except Refused as refused:
            raise refused.inside(self.name) from None
        for parent in self.parents:
            message = getattr(message, parent)
        if self.field.is_repeated:
            getattr(message, self.field.name).extend(found)
        elif self.field.message_type is not None:
            getattr(message, self.field.name).CopyFrom(found[0])
        else:
            setattr(message, self.field.name, found[0])

    def texts(self, message: Message) -> list[str]:
        """The field's value in `message` as texts: none where it is not set or has its default."""
        for parent in self.parents:
            if not message.HasField(parent):
                return []
            message = getattr(message, parent)
        value = getattr(message, self.field.name)
        if self.field.is_repeated:
            values = list(value)
        elif self.field.has_presence:
            values = [value] if message.HasField(self.field.name) else []
        else:
            values = [value] if value != self.field.default_value else []
        return [_text(self.show(value)) for value in values]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


@lru_cache(1024)
def parameters_of(descriptor: Descriptor) -> dict[str, Parameter]:
    """All fields of a message that a text can fill, by name; those of messages inside it have dotted
    names.
    """
    return {parameter.name: parameter for parameter in _found(descriptor, ())}


def _found(descriptor: Descriptor, parents: tuple[str, ...]) -> Iterator[Parameter]:
    for field in descriptor.fields:
        kind = field.message_type
        if kind is None or kind.full_name in _SINGLE_MESSAGES:
            name = ".".join((*parents, field.name))
            yield Parameter(name, parents, field, single_checker(field), value_encoder(field))
        elif (
            not field.is_repeated
            and len(parents) < _DEEPEST
            and not kind.full_name.startswith("google.protobuf.")
        ):
            yield from _found(kind, (*parents, field.name))
