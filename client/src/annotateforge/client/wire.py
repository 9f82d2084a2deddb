"""What goes over the wire and what comes back, for whoever sends it.

No route is written here: method, path, query and body follow from the `google.api.http` options of the
protos, by the same binding tables with which the gateway answers.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from annotateforge.client.errors import ClientError, Detail, ServerAway, ServerRefused, WrongArgument
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rest.request import HttpRequest, write_request
from annotateforge.runtime.rest.rules import Binding, Shape, bindings_of

# A large import is read by the server only after its last byte has come; that may take minutes.
TRANSFER_TIMEOUT = httpx.Timeout(10, read=3600, write=300)
JSON = "application/json"
BYTES = "application/octet-stream"


def authorization(token: str) -> dict[str, str]:
    """The header that carries a token. WrongArgument when it could not be sent in one."""
    if not (token.isascii() and token.isprintable()):
        raise WrongArgument("The token holds characters that no token has. Was it copied whole?")
    return {"authorization": f"Bearer {token}"} if token else {}


def content_of(http: HttpRequest) -> dict[str, Any]:
    """What httpx is told of a request that is sent in one piece: its body, and how long it may take."""
    arguments: dict[str, Any] = {"content": http.body}
    if http.body is not None:
        arguments["headers"] = {"content-type": BYTES if http.binding.shape is Shape.RAW else JSON}
    if http.binding.shape is Shape.LAST:
        # It answers when its work is done, however long that takes.
        arguments["timeout"] = TRANSFER_TIMEOUT
    return arguments


def checked_address(url: str) -> str:
    """The address of a gateway without a slash at its end. WrongArgument when it is none."""
    if url.isprintable() and _is_address(url):
        return url.rstrip("/")
    raise WrongArgument(f"{url!r} is no address of a server, such as http://127.0.0.1:8000.")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and not (parts.query or parts.fragment or parts.username)


def is_local(url: str) -> bool:
    """Whether an address is one of this machine's own."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refuse_infinite(message: Message) -> None:
    """WrongArgument when a number is NaN or infinite: JSON would leave it out, and a default be taken."""
    for field, value in message.ListFields():
        for item in value if field.is_repeated else (value,):
            if isinstance(item, Message):
                refuse_infinite(item)
            elif isinstance(item, float) and not math.isfinite(item):
                raise WrongArgument(f"{field.name} is {item}; it must be a finite number.")


def written(service: ServiceDescriptor, method: str, request: Message) -> HttpRequest:
    """The HTTP request of a call. WrongArgument for what cannot be written."""
    refuse_infinite(request)
    try:
        return write_request(_bindings(service)[method], request)
    except ValueError as error:
        # Only an empty id or name cannot be written into a path.
        raise WrongArgument("An id or a name is empty; the call needs it.") from error


@cache
def _bindings(service: ServiceDescriptor) -> dict[str, list[Binding]]:
    found: dict[str, list[Binding]] = {}
    for binding in bindings_of(service):
        found.setdefault(binding.method.name, []).append(binding)
    return found


@contextmanager
def translated(url: str) -> Iterator[None]:
    """What goes wrong on the way, as the errors of this package."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise ServerAway(f"{url} did not answer in time.") from error
    except httpx.ConnectError as error:
        raise ServerAway(f"{url} cannot be reached: {error}.") from error
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise ServerAway(f"The connection to {url} broke: {error}.") from error
    except DomainError as error:
        raise ClientError(f"{url} gave an answer that makes no sense here: {error.message}") from error


def check(answered: httpx.Response) -> None:
    """ServerRefused for an error with a reason, ClientError for another one. Its body must have been read."""
    if answered.is_success:
        return
    try:
        error = answered.json()["error"]
        details = tuple(
            Detail(str(detail.get("field", "")), str(detail.get("description", "")))
            for detail in error.get("details", ())
        )
        refused = ServerRefused(
            int(error["code"]),
            str(error["status"]),
            str(error["reason"]),
            str(error["message"]),
            details,
            error.get("report"),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ClientError(
            f"{answered.url} answered {answered.status_code} without saying why. "
            "Is it the address of an AnnotateForge server?"
        ) from None
    raise refused
