"""Refusals for which HTTP has a status of its own."""

from collections.abc import Iterable
from http import HTTPStatus

from annotateforge.runtime.errors import (
    DeadlineExceeded,
    DomainError,
    InvalidArgument,
    OutOfRange,
    ResourceExhausted,
    Unimplemented,
)


class HttpRefusal(Exception):
    """A domain error with another status than its code's, or with headers."""

    def __init__(
        self, status: HTTPStatus, error: DomainError, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        super().__init__(status, error)
        self.status = status
        self.error = error
        self.headers = tuple(headers)


def method_not_allowed(method: str, allow: str) -> HttpRefusal:
    """405: the path has other methods."""
    error = Unimplemented("METHOD_NOT_ALLOWED", f"{method} means nothing here; what does is {allow}.")
    return HttpRefusal(HTTPStatus.METHOD_NOT_ALLOWED, error, [(b"allow", allow.encode())])


def unsupported_media_type(given: str | None, wanted: str) -> HttpRefusal:
    """415: the body has a form that cannot be read here."""
    shown = f"The body's Content-Type is {given[:100]}" if given else "The body has no Content-Type"
    error = InvalidArgument("UNSUPPORTED_MEDIA_TYPE", f"{shown}; send {wanted}.")
    return HttpRefusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, error)


def body_too_large(limit: int) -> HttpRefusal:
    """413: more bytes than are read into memory."""
    error = ResourceExhausted("BODY_TOO_LARGE", f"The body is too large; at most {limit} bytes.")
    return HttpRefusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error)


def body_stalled(seconds: float) -> HttpRefusal:
    """408: the rest of the body did not come."""
    error = DeadlineExceeded("BODY_STALLED", f"Nothing of the body came for {seconds:g} s. Send it again.")
    # The rest, should it come after all, would be taken for the next request.
    return HttpRefusal(HTTPStatus.REQUEST_TIMEOUT, error, [(b"connection", b"close")])


def range_not_satisfiable(total: int) -> HttpRefusal:
    """416: no byte of the range exists."""
    error = OutOfRange(
        "RANGE_NOT_SATISFIABLE", f"No byte of the range exists; the content has {total} bytes."
    )
    headers = [(b"content-range", b"bytes */%d" % total)]
    return HttpRefusal(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, error, headers)
