"""Messages as REST writes them."""

from typing import Any

from google.protobuf.message import Message

from annotateforge.runtime.rest.codec import to_object


def to_dict(message: Message) -> dict[str, Any]:
    """A message as REST writes it: names in snake_case, enums as short lower-case names."""
    value: dict[str, Any] = to_object(message)
    return value
