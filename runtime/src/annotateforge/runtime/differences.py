"""Messages of one type side by side: the fields in which they differ. Pure."""

from collections.abc import Mapping, Sequence

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from annotateforge.runtime.rest.parameters import parameters_of


def fields_that_differ(kind: Descriptor, messages: Sequence[Message]) -> list[str]:
    """Paths of the fields of which not all messages have the same value, in the proto's order."""
    shown = [field_texts(message) for message in messages]
    return [name for name in parameters_of(kind) if len({texts.get(name) for texts in shown}) > 1]


def field_texts(message: Message) -> Mapping[str, str]:
    """All fields of a message that are set, as texts by path; several values are separated by commas."""
    return {
        name: ",".join(texts)
        for name, parameter in parameters_of(message.DESCRIPTOR).items()
        if (texts := parameter.texts(message))
    }
