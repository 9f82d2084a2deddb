"""One REST call on its way: what a shape's server needs to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf.message import Message

from annotateforge.gateway.exchange import Exchange
from annotateforge.gateway.route import Metadata, Route
from annotateforge.runtime.rest.request import read_request


@dataclass(frozen=True, slots=True)
class Limits:
    """How much and how long."""

    json_bytes: int
    """Most bytes of a JSON body."""
    read_seconds: float
    """Longest time of a GET, and longest silence of a download."""
    call_seconds: float
    """Longest time of any other plain call."""
    work_seconds: float
    """Longest time for which a service may work on a whole upload, or between two messages of progress."""


@dataclass(slots=True, eq=False)
class RestCall:
    """A request that has found its route and whose caller may call."""

    exchange: Exchange
    route: Route
    captures: Mapping[str, str]
    """Texts of the path's variables."""
    query: list[tuple[str, str]]
    """Decoded parameters in their order."""
    metadata: Metadata = field(repr=False)
    """What goes to the service with the call: token and request id."""
    limits: Limits

    def request(self, body: bytes = b"") -> Message:
        """The request message, of an upload the first one. InvalidArgument names the field."""
        return read_request(self.route.binding, self.captures, self.query, body)
