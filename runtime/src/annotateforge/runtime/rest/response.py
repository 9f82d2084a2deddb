"""Response messages to JSON bodies."""

from collections.abc import Callable

import orjson
from google.protobuf.message import Message

from annotateforge.runtime.rest.encoding import encoder_of, field_encoder
from annotateforge.runtime.rest.rules import Binding


def response_writer(binding: Binding) -> Callable[[Message], bytes]:
    """The function that writes a binding's responses: the whole message, or the field that `response_body`
    names.

    Not for downloads.
    """
    field = binding.response_field
    if field is None:
        encode = encoder_of(binding.method.output_type)
        return lambda message: orjson.dumps(encode(message))
    name, encode = field.name, field_encoder(field)
    return lambda message: orjson.dumps(encode(getattr(message, name)))
