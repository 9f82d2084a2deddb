"""Calls the gateway over REST, by the same binding tables with which the gateway answers.

No route is written here: method, path, query and body follow from the `google.api.http` options of the
protos.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from annotateforge.client.errors import ClientError, Detail, ServerAway, ServerRefused, WrongArgument
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rest.codec import decode
from annotateforge.runtime.rest.request import HttpRequest, write_request
from annotateforge.runtime.rest.rules import Binding, Shape, bindings_of

M = TypeVar("M", bound=Message)

# A large import is read by the server only after its last byte has come; that may take minutes.
_TRANSFER_TIMEOUT = httpx.Timeout(10, read=3600, write=300)
_JSON = "application/json"
_BYTES = "application/octet-stream"


class Transport:
    """A connection pool to one gateway. Safe to use from several threads."""

    def __init__(self, url: str, token: str, timeout: float) -> None:
        """url: http(s)://host:port; timeout: seconds within which a call must be answered.

        WrongArgument when the address is none, or the token could not be sent in a header.
        """
        self.url = checked_address(url)
        if not (token.isascii() and token.isprintable()):
            raise WrongArgument("The token holds characters that no token has. Was it copied whole?")
        self.headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=self.url,
            headers=self.headers,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 10)),
            transport=httpx.HTTPTransport(retries=2),
            # What runs on this machine is not reached through a proxy.
            trust_env=not is_local(self.url),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def call(self, service: ServiceDescriptor, method: str, request: Message, answer: type[M]) -> M:
        """Call a method and give what REST answers: the resource that its `response_body` picks, or the
        response.

        ServerRefused with the server's reason; ServerAway when it cannot be reached.
        """
        http = _written(service, method, request)
        kind = _BYTES if http.binding.shape is Shape.RAW else _JSON
        arguments: dict[str, Any] = {"content": http.body}
        if http.body is not None:
            arguments["headers"] = {"content-type": kind}
        if http.binding.shape is Shape.LAST:
            # It answers when its work is done, however long that takes.
            arguments["timeout"] = _TRANSFER_TIMEOUT
        return self._answer(http, answer, arguments)

    def upload(
        self,
        service: ServiceDescriptor,
        method: str,
        first: Message,
        answer: type[M],
        *,
        chunks: Iterable[bytes] | None = None,
        files: Iterable[tuple[str, bytes]] | None = None,
    ) -> M:
        """Call an upload method. `first` is its first message, with the header; then either the raw `chunks`
        or several `files`, name and bytes, follow.
        """
        arguments: dict[str, Any] = {"timeout": _TRANSFER_TIMEOUT}
        if files is not None:
            arguments["files"] = [("file", (name, content)) for name, content in files]
        else:
            arguments |= {"content": chunks, "headers": {"content-type": _BYTES}}
        return self._answer(_written(service, method, first), answer, arguments)

    def download(
        self, service: ServiceDescriptor, method: str, request: Message, write: Callable[[bytes], object]
    ) -> int:
        """Call a download method and hand its bytes to `write`; how many there were.

        ServerAway when the connection ended before the last byte.
        """
        http = _written(service, method, request)
        count = 0
        with (
            _translated(self.url),
            self._http.stream(
                http.binding.http_method,
                http.path,
                params=list(http.query),
                headers={"accept-encoding": "identity"},
                timeout=_TRANSFER_TIMEOUT,
            ) as answered,
        ):
            if answered.is_error:
                answered.read()
            _check(answered)
            for chunk in answered.iter_raw():
                write(chunk)
                count += len(chunk)
        return count

    def _answer(self, http: HttpRequest, answer: type[M], arguments: Mapping[str, Any]) -> M:
        with _translated(self.url):
            answered = self._http.request(
                http.binding.http_method, http.path, params=list(http.query), **arguments
            )
            _check(answered)
            return decode(answer, answered.content, lenient=True)


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


def _written(service: ServiceDescriptor, method: str, request: Message) -> HttpRequest:
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
def _translated(url: str) -> Iterator[None]:
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


def _check(answered: httpx.Response) -> None:
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
