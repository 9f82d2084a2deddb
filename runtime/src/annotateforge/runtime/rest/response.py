"""Response messages to JSON bodies and back."""

from collections.abc import Callable

import orjson
from google.protobuf.message import Message

from annotateforge.runtime.rest.codec import from_object, parse
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


def read_response(binding: Binding, body: bytes) -> Message:
    """The response message that a body describes. Fields that this version does not know are passed over."""
    value = parse(body)
    if binding.response_body:
        value = {binding.response_body: value}
    return from_object(binding.response_type, value, lenient=True)
